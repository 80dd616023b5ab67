"""LabelStudioSource: own annotators on a Label Studio server as a market of labels."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

from budget.tariffs.staff import StaffTariff
from labeling.campaign.campaign import Campaign
from labeling.label_studio import log as logged
from labeling.label_studio.client import StudioClient
from labeling.label_studio.collect import Collector, Members
from labeling.label_studio.labeling_config import kept_page, result_of
from labeling.label_studio.log import WorkLog
from labeling.label_studio.project import Project, ProjectFinder
from labeling.label_studio.reconcile import StudyOnServer, differences
from labeling.order_locks import OrderLocks
from labeling.source import Finding, Pool, StoredOrder, orders_before
from labeling.timesheet.controls import controls_for
from labeling.timesheet.orders import check_order, page_of
from labeling.timesheet.sheet import Refusal, Sheet, WorkedAnswer
from labeling.types import STOPPED, Condition, Order, OrderEnd, Page


class ScriptedPeople(Protocol):
    """Scripted annotators, who work at one project at a time."""

    def begin(self, project: int, condition: Condition, done: Mapping[str, int]) -> None:
        """Work at a project; `done` tells how many answers each person gave there before."""
        ...

    def rest(self) -> None:
        """Hand in what is in hand, and wait."""
        ...

    def at_rest(self) -> bool:
        """Whether nobody has a task in hand."""
        ...

    def close(self) -> None:
        """Go home."""
        ...


@dataclass(frozen=True, slots=True)
class StudioSettings:
    """How a study works with its server.

    Attributes:
        study: the study's name.
        seed: of the choice of control tasks.
        poll_s: seconds between two looks at the server.
        grace_s: seconds that answers in hand may take, after an order's tasks were closed.
        remove_banned: whether banned annotators are removed from the organization.
        minutes: how long a number of answers is expected to take.
        stopping: whether to stop: an order then ends with the answers in hand.
        waits: told the number of the process that an order of ours waits for.
        staff: told when an order opens and closes, where people are scripted; None for real ones.
    """

    study: str
    seed: int
    minutes: Callable[[Condition, int], float]
    poll_s: float = 3.0
    grace_s: float = 120.0
    remove_banned: bool = False
    stopping: Callable[[], bool] = lambda: False
    waits: Callable[[str], None] = lambda process: None
    staff: ScriptedPeople | None = None


@dataclass(slots=True)
class _Work:
    """An order at work.

    Attributes:
        opened_s: when it was opened, by the server's clock.
        pages: pages copied so far.
        end: its end; None while it is at work.
        last_s: submission of its last answer, in seconds from the opening.
        joined: who answered.
        refused: answers that do not count.
    """

    order: Order
    project: Project
    sheet: Sheet
    collector: Collector
    controls: list[int]
    opened_s: float
    pages: list[Page] = field(default_factory=list)
    end: OrderEnd | None = None
    last_s: float = 0.0
    joined: set[str] = field(default_factory=set)
    refused: list[Refusal] = field(default_factory=list)


class LabelStudioSource:
    """A market of own annotators. Every call is idempotent by the order's key.

    A condition is one project, found again by its title. An order opens tasks for as many answers
    as it lacks, and closes them when it is over. Every answer is copied to a log before it counts,
    since anyone on the server may edit or delete it. The server has no expiry: what was open when
    this process died stays open until the next start, or until it is full.

    Args:
        client: the server.
        campaign: the questions and rules.
        address: address of the image of a row.
        controls: class of each control task.
        tariff: what an answer earns.
        folder: folder of the log.
        earlier: returns the ended orders of a condition.
        settings: the rest.
        prelabels: class that is shown with each task, in conditions that show predictions.
    """

    def __init__(
        self,
        client: StudioClient,
        campaign: Campaign,
        address: Callable[[int], str],
        controls: Mapping[int, int],
        tariff: StaffTariff,
        folder: Path,
        earlier: Callable[[Condition], Sequence[Order]],
        settings: StudioSettings,
        prelabels: Mapping[int, int] | None = None,
    ) -> None:
        self.client = client
        self.people = Members(client)
        self._campaign = campaign
        self._address = address
        self._controls = controls
        self._tariff = tariff
        self._earlier = earlier
        self._settings = settings
        self._prelabels = prelabels or {}
        self.log = WorkLog(folder)
        run = self.log.run(uuid.uuid4().hex)
        page = kept_page(folder / "labeling_page.xml", campaign)
        self.finder = ProjectFinder(client, campaign, page, settings.study, run)
        self._work: dict[str, _Work] = {}
        self._locks = OrderLocks(self.log, settings.waits)

    @property
    def tariff(self) -> StaffTariff:
        """What an answer earns."""
        return self._tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Expected minutes for a number of answers."""
        return self._settings.minutes(condition, assignments)

    def place(self, order: Order) -> Pool:
        """Find or make the order's project and its tasks; `collect` opens them to annotators.

        Raises:
            InputError: the order cannot be served; nothing was made.
            MarketError: the server failed, or somebody changed the project.
        """
        check_order(order, self._campaign, self._tariff, self._controls)
        project = self.finder.find(order.condition)
        if project is None:
            return Pool(str(self.finder.open(order.condition, _asked_at_once(order)).id), order)
        return Pool(str(project["id"]), order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Collect the order until it is over and no answer can come any more.

        Raises:
            MarketError: the server failed, or somebody changed the project.
        """
        order = pool.order
        self._locks.wait(order.key)
        work = self._at_work(order)
        yield from work.pages
        if work.end is not None:
            self._locks.release(order.key)
            return
        closing = self.log.of(logged.CLOSING, order.key)
        reason = str(closing[0]["reason"]) if closing else ""
        closed_s = time.monotonic()
        self.finder.check(order.condition)
        while True:
            page = self._page(work)
            if page is not None:
                yield page
            if reason and self._is_quiet(closed_s, page):
                break
            if reason == "complete" and work.sheet.missing().any():
                reason = ""  # a late answer led to a ban: what it took away is asked again
            if not reason and (reason := self._why_over(work)):
                self.log.write(logged.CLOSING, order.key, reason=reason)
                closed_s = time.monotonic()
            self._serve(work, is_over=bool(reason))
            time.sleep(self._settings.poll_s)
        last = self._page(work, everything=True)  # what the times of changes may have hidden
        if last is not None:
            yield last
        yield self._finish(work, reason)
        self._locks.release(order.key)

    def _serve(self, work: _Work, *, is_over: bool) -> None:
        """Have the server ask for what lacks; nothing where the order is over."""
        staff = self._settings.staff
        if is_over and staff is not None:
            staff.rest()
        work.project.serve({} if is_over else self._places(work))
        if not is_over and staff is not None:
            staff.begin(work.project.id, work.order.condition, work.sheet.answers_by())

    def refusals(self, order: Order) -> list[Refusal]:
        """Answers to an order that do not count and are not paid, each with the reason."""
        return list(self._at_work(order).refused)

    def differences(self, books: Sequence[StoredOrder]) -> list[Finding]:
        """Compare a study's orders, holds and copied answers with the server; change nothing."""
        names = self.people.name
        study = StudyOnServer(self.client, self.finder, self.log, self._campaign, names)
        return differences(study, books)

    def close(self) -> None:
        """Close the tasks of every order that this process has at work; answers in hand may come.

        Raises:
            MarketError: the server failed; the tasks stay open.
        """
        try:
            for work in self._work.values():
                if work.end is None:
                    work.project.serve({})
        finally:
            if self._settings.staff is not None:
                self._settings.staff.close()
            self._work.clear()
            self._locks.release_all()
            self.client.close()

    # --- an order at work ---

    def _at_work(self, order: Order) -> _Work:
        """The order with all that the log tells of it; its tasks are on the server."""
        if order.key in self._work:
            return self._work[order.key]
        before = orders_before(order, self._earlier(order.condition))
        answers = sum(one.answers_wanted for one in [*before, order])
        people, rows = order.condition.people(self._tariff.people), list(self._controls)
        controls = controls_for(order.condition, answers, people, rows, self._settings.seed)
        project = self.finder.open(order.condition, _asked_at_once(order))
        opened = self._opened(order)
        ended = bool(self.log.of(logged.END, order.key))
        if not ended:
            rows = [task for task, _ in order.wanted] + controls
            prediction = self._prediction if order.condition.prelabels else None
            project.fill(rows, self._address, prediction)
        sheet = Sheet(self._campaign, self._tariff, self._controls)
        known: set[str] = set()
        for one in before:
            sheet.open(one, 0.0)
            for page in self.log.pages(one.key):
                known.update(answer.id for answer in page)
                for answer in page:
                    sheet.take(answer)
        sheet.open(order, opened)
        copied = self.log.pages(order.key)
        known.update(answer.id for page in copied for answer in page)
        collector = Collector(self.client, self._campaign, self.people, project, known)
        work = _Work(order, project, sheet, collector, controls, opened)
        for page in copied:
            work.pages.append(self._count(work, page))
        for record in self.log.of(logged.END, order.key):
            work.end = OrderEnd(**record["end"])
            work.pages.append(Page((), (), work.end))
        self._work[order.key] = work
        return work

    def _prediction(self, row: int) -> list[dict[str, Any]]:
        return result_of((self._prelabels[row],), self._campaign)

    def _opened(self, order: Order) -> float:
        """When the order was opened, by the server's clock; written down the first time."""
        if not self.log.of(logged.OPEN, order.key):
            self.client.read("/api/version")
            self.log.write(logged.OPEN, order.key, at=self._now_s())
        return float(self.log.of(logged.OPEN, order.key)[0]["at"])

    def _page(self, work: _Work, *, everything: bool = False) -> Page | None:
        """New answers, copied and counted; None if there are none."""
        fresh = work.collector.fresh(everything=everything)
        if not fresh:
            return None
        self.log.write_page(work.order.key, fresh)
        page = self._count(work, fresh)
        work.pages.append(page)
        if self._settings.remove_banned:
            for ban in page.restrictions:
                self._remove(ban.annotator)
        return page

    def _count(self, work: _Work, fresh: Sequence[WorkedAnswer]) -> Page:
        page, refused = page_of(work.sheet, fresh)
        work.refused += refused
        work.joined.update(one.annotator for one in page.assignments)
        work.last_s = max([work.last_s, *(one.submitted_s for one in page.assignments)])
        return page

    def _why_over(self, work: _Work) -> str:
        order, sheet = work.order, work.sheet
        if not sheet.missing().any():
            return "complete"
        if sheet.left <= 0:
            return "limit"
        if self._settings.stopping():
            return STOPPED
        if order.minutes is not None and self._minutes(work) >= order.minutes:
            return "deadline"
        people = self._able(order.condition)
        came = {*people, *sheet.answers_by()}  # a person who answered may have left since
        enough = len(came) >= order.condition.people(self._tariff.people)
        return "supply" if enough and not sheet.can_answer(people) else ""

    def _places(self, work: _Work) -> dict[int, int]:
        """Answers for which each task is served: what lacks, and controls, up to the limit."""
        left = max(0, work.sheet.left)
        places: dict[int, int] = {}
        lacking = zip(work.order.wanted, work.sheet.missing().tolist(), strict=True)
        seen = work.sheet.answered()
        people = work.order.condition.people(self._tariff.people)
        controls = [(row, max(0, people - seen[row])) for row in work.controls]
        for row, count in [*((task, lacks) for (task, _), lacks in lacking), *controls]:
            places[row] = min(count, left)
            left -= places[row]
        return places

    def _minutes(self, work: _Work) -> float:
        return (self._now_s() - work.opened_s) / 60

    def _now_s(self) -> float:
        """The time by the server's clock, as its last reply told it; ours where it told none."""
        told = self.client.date
        return (parsedate_to_datetime(told) if told else datetime.now(UTC)).timestamp()

    def _is_quiet(self, closed_s: float, page: Page | None) -> bool:
        """Whether no answer can come any more."""
        if page is not None:
            return False
        staff = self._settings.staff
        if staff is not None and staff.at_rest():
            return True
        return time.monotonic() - closed_s >= self._settings.grace_s

    def _finish(self, work: _Work, reason: str) -> Page:
        missing = int(work.sheet.missing().sum())
        minutes = work.last_s / 60
        if not missing:
            reason = "complete"
        elif reason == "deadline":
            minutes = max(minutes, work.order.minutes or 0.0)
        looked = len(set(self._able(work.order.condition)) | work.joined)
        end = OrderEnd(reason, minutes, missing, looked, len(work.joined), 0)
        facts = {name: getattr(end, name) for name in OrderEnd.__dataclass_fields__}
        self.log.write(logged.END, work.order.key, end=facts)
        work.end = end
        work.pages.append(Page((), (), end))
        return work.pages[-1]

    def _able(self, condition: Condition) -> list[str]:
        """The members of the organization who may answer in a condition."""
        group = condition.group
        return [n for n in self.people.names() if group is None or n in group.members]

    def _remove(self, annotator: str) -> None:
        """Remove a banned annotator from the organization, and so from all its projects."""
        user = self.people.id_of(annotator)
        if user is not None:
            self.client.put(
                "DELETE", f"/api/organizations/{self._organization()}/memberships/{user}/"
            )

    def _organization(self) -> int:
        return int(self.client.read("/api/current-user/whoami")["active_organization"])


def _asked_at_once(order: Order) -> int:
    """The most answers that a task is served for before any came."""
    most = max((count for _, count in order.wanted), default=1)
    rule = order.condition.dynamic
    return most if rule is None else min(most, rule.least)
