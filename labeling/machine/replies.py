"""What a machine replies to a call, and what a model must offer to be a seller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from budget.money import Money


@dataclass(frozen=True, slots=True)
class MachineReply:
    """A reply to one call about one image.

    Attributes:
        said: probability of each class; empty where the reply is unusable.
        cost: what the call cost.
        trouble: why the reply is unusable, in few words; "" for a usable one.
    """

    said: tuple[float, ...]
    cost: Money
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """An image that a model is asked about.

    Attributes:
        row: the image's row.
        attempt: calls about the image before this one.
        key: of image, model and prompt.
        once: a key that a repeated call shares with the lost one: a provider that knows it bills
            both once.
    """

    row: int
    attempt: int
    key: str
    once: str = ""


class MachineModel(Protocol):
    """A model that answers for money."""

    @property
    def version(self) -> str:
        """Of model and prompt: another version is another annotator."""
        ...

    @property
    def most(self) -> Money:
        """The most that a call can cost."""
        ...

    @property
    def usual(self) -> Money:
        """What a call is expected to cost."""
        ...

    @property
    def spare(self) -> Fraction:
        """Share of calls that may be repeated after an unusable reply."""
        ...

    @property
    def batches(self) -> tuple[int, int]:
        """Images of the first batch, and of the largest: each next one is twice as large.

        A first batch of one shows whether calls cost what they may.
        """
        ...

    @property
    def is_recorded(self) -> bool:
        """Whether the answers lie in a file, so that none needs to be kept."""
        ...

    def ask(self, calls: Sequence[Call]) -> Iterator[tuple[Call, MachineReply]]:
        """Ask about images; replies come in any order, each once.

        A call without a reply was lost: it may have been paid.
        """
        ...
