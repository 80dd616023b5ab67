"""A check of a Label Studio server, by reads only: can own annotators work on it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from labeling.label_studio.client import StudioClient
from labeling.label_studio.collect import Members

MOST_SKEW_S = 60.0
TESTED = "1.23.2"
NOT_ENFORCED = (
    "overlap is not strict: people who answer at the same moment may exceed it; the hold covers "
    "one answer more of each person",
    "answers are not blind: annotators can look at those of others",
    "there are no roles and no ban from one project: every member may edit and delete everything; "
    "each answer is copied and checked before it counts",
    "nothing expires: tasks that are open when this program dies stay open until it starts again",
)
"""What the Community edition cannot enforce."""


@dataclass(frozen=True, slots=True)
class StudioHealth:
    """The state of a server.

    Attributes:
        host: where it is.
        version: of Label Studio.
        edition: "Community" or another one.
        owner: the account of the token.
        people: members of the organization beside the token's owner.
        skew_s: seconds by which this machine's clock is ahead of the server's; None if the server
            does not tell its time.
    """

    host: str
    version: str
    edition: str
    owner: str
    people: tuple[str, ...]
    skew_s: float | None

    @property
    def problems(self) -> tuple[str, ...]:
        """What stands in the way, one line each, with the remedy."""
        lines = []
        if not self.people:
            lines.append(f"{self.host}: nobody has joined; labelworth invite gives the link")
        if self.skew_s is not None and abs(self.skew_s) > MOST_SKEW_S:
            lines.append(
                f"clock: this machine is {self.skew_s:.0f} s off the server's; set it, or "
                "deadlines come at another time than meant"
            )
        return tuple(lines)

    @property
    def limits(self) -> tuple[str, ...]:
        """What the edition does not enforce, one line each."""
        return NOT_ENFORCED if self.edition == "Community" else ()


def examine(client: StudioClient) -> StudioHealth:
    """Read the state of a server; change nothing.

    Raises:
        InputError: the server does not accept the token.
        MarketUnreachable: it does not answer.
    """
    about = client.read("/api/version")
    told = client.date
    skew = None
    if told is not None:
        skew = (datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds()
    me = client.read("/api/current-user/whoami")
    return StudioHealth(
        client.host,
        str(about.get("release", "unknown")),
        str(about.get("edition", "unknown")),
        str(me["email"]),
        tuple(sorted(Members(client).names())),
        skew,
    )
