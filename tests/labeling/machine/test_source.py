"""A machine as a market: replies are kept before they count, and none is paid for twice."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError, StorageError
from budget.money import Money
from labeling.machine import MACHINE, is_machine
from labeling.machine.kept import LOST, KeptReplies
from labeling.machine.program import ProgramModel
from labeling.machine.replies import Call, MachineReply
from labeling.machine.source import MachineSource
from labeling.types import Assignment, Condition, Order, OrderEnd

MOST = Money(1_000)


class Model:
    """Replies as told: a cost, a refusal, nothing, or a program that dies."""

    version, most, usual, spare, is_recorded = "m1", MOST, Money(600), Fraction(1, 2), False
    batches = (1, 8)

    def __init__(self, script: dict[tuple[int, int], str] | None = None, cost: int = 600) -> None:
        self.script, self.cost, self.asked = script or {}, cost, list[Call]()

    def ask(self, calls: Sequence[Call]) -> Iterator[tuple[Call, MachineReply]]:
        for call in calls:
            self.asked.append(call)
            does = self.script.get((call.row, call.attempt), "")
            if does == "die":
                raise KeyboardInterrupt
            if does != "silence":
                said = () if does else (0.25, 0.75)
                yield call, MachineReply(said, Money(self.cost), does)


def order(rows: int, tranche: int = 0, limit: int | None = None) -> Order:
    condition = Condition("d", f"m1{MACHINE}", "c", MOST, 0, 1, False)
    wanted = tuple((row, 1) for row in range(rows))
    return Order(condition, tranche, wanted, rows + 3 if limit is None else limit, None)


def collected(model: Model, folder: Path, placed: Order) -> tuple[list[Assignment], OrderEnd]:
    source = MachineSource(model, [f"h{n}" for n in range(50)], folder)
    pages = list(source.collect(source.place(placed)))
    assert pages[-1].end is not None
    return [a for page in pages for a in page.assignments], pages[-1].end


def test_each_image_is_asked_about_once_and_a_repeat_costs_nothing(tmp_path: Path) -> None:
    model, again = Model(), Model()
    made, end = collected(model, tmp_path, order(20))
    assert (end.reason, end.missing, len(made)) == ("complete", 0, 20)
    assert sum(a.reward.micros for a in made) == 20 * 600
    assert collected(again, tmp_path, order(20)) == (made, end)
    assert again.asked == []
    other, _ = collected(again, tmp_path, order(20, tranche=1))
    assert (again.asked, sum(a.reward.micros for a in other)) == ([], 0)
    assert is_machine(order(1).condition)


def test_a_kept_reply_that_was_changed_is_refused_wherever_it_was_changed(tmp_path: Path) -> None:
    """Cut at its end, the last reply counts as lost: it was never kept whole."""
    collected(Model(), tmp_path, order(3))
    path = next(tmp_path.glob("*.jsonl"))
    content = path.read_bytes()
    keys = [json.loads(line)["key"] for line in content.splitlines() if b'"key"' in line]
    whole = [KeptReplies(path, MOST).of(key) for key in keys]
    assert [len(replies) for replies in whole] == [1, 1, 1]
    for at in range(len(content) - 1):
        for bit in (0, 5):  # such as 1 for 0, and capitals
            changed = bytearray(content)
            changed[at] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(StorageError, match="a kept reply is damaged"):
                KeptReplies(path, MOST).of(keys[0])
    path.write_bytes(content[:-1])
    kept = KeptReplies(path, MOST)
    assert [kept.of(key) for key in keys[:2]] == whole[:2]
    assert [one.reply.trouble for one in kept.of(keys[2])] == [LOST]


def test_a_refusal_is_paid_and_unusable_and_asked_again(tmp_path: Path) -> None:
    model = Model({(2, 0): "refused", (4, 0): "silence"})
    made, end = collected(model, tmp_path, order(6))
    bad = [(a.id, a.reward.micros) for a in made if a.annotator != "m1"]
    assert bad == [("2-0", 600), ("4-0", 1_000)]  # a lost call counts as its most
    assert (end.missing, len(made)) == (0, 8)
    source = MachineSource(model, [f"h{n}" for n in range(50)], tmp_path)
    assert np.isnan(source.said([4, 30], 2)).any(axis=1).tolist() == [False, True]


def test_an_image_is_given_up_after_three_tries(tmp_path: Path) -> None:
    model = Model({(1, n): "malformed" for n in range(9)})
    made, end = collected(model, tmp_path, order(3))
    assert (end.reason, end.missing, len(made)) == ("limit", 1, 5)


@pytest.mark.parametrize("dies_at", [(0, 0), (1, 0), (5, 0), (11, 0)])
def test_a_program_that_dies_pays_for_what_it_sent_and_asks_for_nothing_twice(
    tmp_path: Path, dies_at: tuple[int, int]
) -> None:
    model = Model({dies_at: "die"})
    with pytest.raises(KeyboardInterrupt):
        collected(model, tmp_path, order(12))
    after = Model()
    made, end = collected(after, tmp_path, order(12, limit=30))
    assert end.missing == 0
    had = {call.row for call in model.asked} - {dies_at[0]}
    assert not had & {call.row for call in after.asked}
    lost = [a for a in made if a.annotator != "m1"]
    assert dies_at[0] in {a.tasks[0] for a in lost}
    assert {a.reward for a in lost} == {MOST}
    assert LOST


def test_dearer_replies_than_are_possible_end_the_order_inside_its_hold(tmp_path: Path) -> None:
    model = Model(cost=2_500)
    placed = order(20, limit=20)
    made, end = collected(model, tmp_path, placed)
    assert end.reason == "limit"
    assert 0 < sum(a.reward.micros for a in made) <= 20 * MOST.micros


def program(folder: Path, text: str, *words: str) -> ProgramModel:
    (folder / "p.py").write_text(text)
    command = shlex.join([sys.executable, str(folder / "p.py"), *words])
    return ProgramModel(command, lambda row: Path(f"/i/{row}.png"), ("cat", "dog"), MOST)


HEAD = "import sys\nprint('image,label,cost')\n"
ROWS = "for l in sys.stdin: print(l.strip() + ',dog,0.0004')\n"
BAD_PROGRAMS = {
    "negative": (HEAD + "for l in sys.stdin: print(l.strip() + ',dog,-5')", "row 2, .* negative"),
    "bytes": ("import sys\nsys.stdout.buffer.write(b'image,label\\n\\xff,dog\\n')", "not UTF-8"),
    "nothing": ("", "a column image is needed"),
    "other rows": (HEAD + "print('/i/0.png,dog,0.1\\n/i/0.png,cat,0.1')", "listed twice"),
    "dies": ("import sys\nsys.stderr.write('x' * 10**7 + ' why')\nsys.exit(3)", "with 3: .*why$"),
    "is killed": ("import os\nos.kill(os.getpid(), 9)", "ended with -9"),
}


@pytest.mark.parametrize("kind", BAD_PROGRAMS)
def test_a_bad_program_is_one_short_line(tmp_path: Path, kind: str) -> None:
    text, problem = BAD_PROGRAMS[kind]
    with pytest.raises(InputError, match=problem) as refused:
        list(program(tmp_path, text).ask([Call(0, 0, "k0")]))
    assert len(refused.value.line) < 600


def test_a_program_answers_about_other_images_and_leaves_some_out(tmp_path: Path) -> None:
    text = HEAD + ROWS + "print('/i/99.png,cat,0.9')\n"
    replies = list(program(tmp_path, text).ask([Call(0, 0, "k0"), Call(1, 0, "k1")]))
    assert [(call.row, reply.cost) for call, reply in replies] == [(0, Money(400)), (1, Money(400))]
    [(call, reply)] = program(tmp_path, HEAD).ask([Call(7, 0, "k7")])
    assert (call.row, reply.trouble, reply.cost) == (7, "left out", MOST)


@pytest.mark.parametrize("command", ["", "'", '"a', "\\", "/", "absent-program -x"])
def test_what_is_no_command_is_one_line(command: str) -> None:
    with pytest.raises(InputError, match=r"--machine: command: "):
        ProgramModel(command, lambda row: Path(f"{row}"), ("cat", "dog"), MOST)


def test_a_program_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\x7fELF")
    (tmp_path / "p").chmod(0o700)
    model = ProgramModel(str(tmp_path / "p"), lambda row: Path(f"{row}"), ("cat", "dog"), MOST)
    with pytest.raises(InputError, match="cannot be started"):
        list(model.ask([Call(0, 0, "k0")]))
