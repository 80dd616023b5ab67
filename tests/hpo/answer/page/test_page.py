"""The page of an answer: the terminal's lines, nothing of the network, everything escaped."""

from __future__ import annotations

import copy
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from hpo import Study
from hpo.answer.page import gathered
from hpo.answer.page.charts import ChartAxis, ChartPoint, ChartSeries, draw
from hpo.answer.page.gathered import Gathered
from hpo.answer.page.money import money_rows
from hpo.answer.page.render import render_page
from hpo.answer.page.steps import repeat_command
from hpo.answer.summary import summary_lines
from hpo.answer.terminal import BOUGHT
from tests.conftest import Command
from tests.hpo.answer.page.conftest import Finished

PAYLOADS = (
    '"><script>window.hit=1</script>',
    "<img src=x onerror=window.hit=1>",
    "=HYPERLINK(1)",
    "\x1b]0;hit\x07",
    "{{ 7 * 7 }}",
    "</style></script>",
)


def poisoned(value: Any, fields: tuple[str, ...]) -> Any:
    """A report whose names carry payloads."""
    if isinstance(value, dict):
        return {
            key: PAYLOADS[len(key) % len(PAYLOADS)] + "".join(PAYLOADS)
            if key in fields and isinstance(part, str)
            else poisoned(part, fields)
            for key, part in value.items()
        }
    return [poisoned(part, fields) for part in value] if isinstance(value, list) else value


def poisoned_report(report: dict[str, Any]) -> dict[str, Any]:
    names = ("class", "image", "true", "said", "bought", "ended", "stopped", "why")
    bad = poisoned(copy.deepcopy(report), names)
    bad["question"]["classes"] = bad["data"]["classes"] = list(PAYLOADS)
    bad["question"]["name"] = bad["study"] = "".join(PAYLOADS)
    bad["notes"] = list(PAYLOADS)
    return bad


@pytest.mark.parametrize("name", ["searched", "delivered"])
def test_a_study_writes_its_page_with_the_terminals_lines(
    name: str, request: pytest.FixtureRequest
) -> None:
    done: Finished = request.getfixturevalue(name)
    written = (done.folder / "report.html").read_text()
    assert written == done.page()  # the same report gives the same page
    assert len(written.encode()) <= 1_500_000
    text = unescape(written)
    for line in summary_lines(done.report):
        assert f"<p>{line}</p>" in text
    for row in done.report["purchases"]:
        assert row["plan"]["key"] in written
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", written)
    assert "http" not in written.replace("http-equiv", "")


def test_every_part_stands_where_its_numbers_are(searched: Finished, delivered: Finished) -> None:
    parts = re.findall(r'<section id="([a-z-]+)"', searched.page())
    assert parts[:3] == ["answer", "front", "money"]
    assert len(parts) == 16
    # Delivered labels are more than the plans that the learning could ask for.
    parts.remove("forecast")
    assert parts == re.findall(r'<section id="([a-z-]+)"', delivered.page())


def test_money_parts_add_up_to_the_cap_as_printed(searched: Finished) -> None:
    told = [float(row.cents.removeprefix("$")) for row in money_rows(searched.report)]
    assert sum(told) == pytest.approx(searched.report["money"]["cap"]["micros"] / 1e6)


def test_every_part_of_the_money_has_a_colour(searched: Finished) -> None:
    page = searched.page()
    for part in [*BOUGHT, "held", "left"]:
        assert f".part-{part}{{background:" in page


def test_annotators_add_up_to_what_was_paid(searched: Finished) -> None:
    people = searched.gathered.annotators
    bought = searched.report["money"]["bought"]
    rewards = sum(bought[name]["micros"] for name in ("labels", "controls", "unusable"))
    assert sum(person.totals.reward_micros for person in people) == rewards
    suites = sum(row["assignments"] for row in searched.report["purchases"])
    assert sum(person.totals.suites for person in people) >= suites
    assert all(0 < person.skill < 1 for person in people if person.skill is not None)
    assert all(person.is_checked == ("control" in person.condition) for person in people)


def test_an_order_that_began_just_now_is_left_out(
    searched: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process buys while the page is made."""
    read = gathered.annotator_totals

    def later(*words: Any) -> Any:
        rows = list(read(*words))
        return [*rows, rows[0]._replace(condition="begun since")]

    monkeypatch.setattr(gathered, "annotator_totals", later)
    study = Study.open(searched.folder)
    try:
        made = gathered.gather(searched.report, study.world)
    finally:
        study.close()
    assert made.annotators == searched.gathered.annotators


def test_small_images_can_be_left_out(searched: Finished) -> None:
    assert searched.gathered.images
    bare = render_page(searched.report, Gathered())
    assert "data:image" in searched.page()
    assert "data:image" not in bare
    assert searched.report["evaluation"]["worst_images"][0]["image"] in bare


def test_payloads_are_text(searched: Finished) -> None:
    page = render_page(poisoned_report(searched.report), searched.gathered)
    assert "<script>window.hit" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page
    assert "{{ 7 * 7 }}" in page


@pytest.mark.slow
def test_five_thousand_purchases_are_at_most_5_mb(searched: Finished) -> None:
    rows = searched.report["purchases"]
    many = [{**rows[at % len(rows)], "purchase": at + 1} for at in range(5000)]
    assert len(searched.page(purchases=many).encode()) <= 5_000_000


def test_a_study_that_bought_nothing_has_a_page(grounds: Any) -> None:
    study = grounds(study="nothing", budget="0.01")
    report = study.run()
    study.close()
    text = (study.folder / "report.html").read_text()
    assert not report["purchases"]
    assert "No plan can be recommended" in text


def test_the_command_on_the_page_repeats_the_study(searched: Finished, command: Command) -> None:
    words = repeat_command(searched.report).split()[1:]
    code, out, _ = command(*words, "--print-config")
    assert code == 0
    for name in ("budget", "study", "goal", "trials", "few_labels_ok"):
        told = searched.report["config"][name]
        shown = f'"{told}"' if isinstance(told, str) else str(told).lower()
        assert f"{name} = {shown}\n" in out


def test_report_writes_the_page_again(searched: Finished, command: Command, tmp_path: Path) -> None:
    path = searched.folder / "report.html"
    before = path.read_bytes()
    code, out, _ = command("report", str(searched.folder), "--html", "--no-images")
    assert (code, out) == (0, f"{path}\n")
    assert b"data:image" not in path.read_bytes()
    assert command("report", str(searched.folder), "--html")[0] == 0
    assert path.read_bytes() == before


# --- charts ---


def ticks(low: float, high: float, is_log: bool = False) -> list[str]:
    axis = ChartAxis("x", lambda value: f"{value:g}", is_log)
    points = [ChartPoint(low, low, "a"), ChartPoint(high, high, "b")]
    chart = draw("c", axis, axis, [ChartSeries("s", "front", points)])
    assert chart is not None
    assert all(chart.left <= at <= chart.right for at, _ in chart.x_ticks)
    for mark in chart.series[0].marks:
        assert chart.left <= mark.x <= chart.right
        assert chart.top <= mark.y <= chart.bottom
    return [words for _, words in chart.x_ticks]


def test_ticks_are_round_and_few() -> None:
    assert ticks(0.1, 40, is_log=True) == ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50"]
    assert ticks(0.613, 0.935) == ["0.6", "0.7", "0.8", "0.9"]
    assert ticks(1.29, 1.6, is_log=True) == ["1.2", "1.4", "1.6"]
    assert ticks(5, 5)
    assert ticks(0, 0)
    assert 2 <= len(ticks(1e-6, 1e6, is_log=True)) <= 9


def test_no_values_are_no_chart() -> None:
    axis = ChartAxis("x", str)
    assert draw("c", axis, axis, [ChartSeries("s", "front", [])]) is None
