"""The page as a reader has it: in Chromium, from disk, without a network."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hpo.answer.page.render import render_page
from tests.browser import Browser, Tab
from tests.hpo.answer.page.conftest import Finished
from tests.hpo.answer.page.test_page import PAYLOADS, poisoned_report


@pytest.fixture
def opened(searched: Finished, browser: Browser) -> Tab:
    return browser.open((searched.folder / "report.html").as_uri())


def cells(tab: Tab, column: int) -> list[str]:
    told: list[str] = tab.page.eval_on_selector_all(
        "#bought tbody tr", f"rows => rows.map(r => r.cells[{column}].textContent)"
    )
    return told


@pytest.mark.parametrize("name", ["searched", pytest.param("delivered", marks=pytest.mark.slow)])
def test_it_opens_from_disk_without_a_complaint_a_request_or_overflow(
    name: str, request: pytest.FixtureRequest, browser: Browser
) -> None:
    """At any width, light and dark; and it prints on two pages, light."""
    done: Finished = request.getfixturevalue(name)
    address = (done.folder / "report.html").as_uri()
    tab = browser.open(address)
    for dark, paper in ((True, "rgb(20, 24, 29)"), (False, "rgb(255, 255, 255)")):
        tab.page.emulate_media(color_scheme="dark" if dark else "light")
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    for width in (390, 768, 1440, 2560):
        tab.page.set_viewport_size({"width": width, "height": 900})
        assert tab.overflow() <= 0
    assert tab.complaints == []
    assert [asked for asked in tab.requests if not asked.startswith("data:")] == [address]
    printed = tab.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2


def test_purchases_are_sorted_and_filtered(opened: Tab, searched: Finished) -> None:
    rows = searched.report["purchases"]
    head = opened.page.locator("#bought th[data-name=price_tag]")
    for order in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        tags = [float(text.removeprefix("$")) for text in cells(opened, 2)]
        assert tags == sorted(tags, reverse=order == "descending")
    word = rows[0]["plan"]["key"]
    opened.page.fill("#filter", word.upper())
    assert cells(opened, 1) == [word]
    assert opened.page.inner_text("#shown") == f"1 of {len(rows)} purchases"


@pytest.mark.parametrize("kind", ["csv", pytest.param("json", marks=pytest.mark.slow)])
def test_purchases_are_downloaded(kind: str, opened: Tab, searched: Finished) -> None:
    with opened.page.expect_download() as download:
        opened.page.click(f"[data-download={kind}]")
    text = Path(download.value.path()).read_text()
    rows: list[dict[str, Any]] = (
        json.loads(text) if kind == "json" else list(csv.DictReader(io.StringIO(text)))
    )
    assert download.value.suggested_filename == f"searched-purchases.{kind}"
    for row, told in zip(rows, searched.report["purchases"], strict=True):
        assert row["plan"] == told["plan"]["key"]
        assert float(row["expected"]) == told["accuracy"]
        assert float(row["paid"]) == told["paid"]["micros"] / 1e6


def test_values_are_shown_when_pointed_at_and_by_keyboard(opened: Tab) -> None:
    mark = opened.page.locator("#front .front .mark").first
    words = mark.get_attribute("data-tip")
    mark.hover()
    assert opened.page.inner_text("#tip") == words
    opened.page.keyboard.press("Escape")
    assert not opened.page.is_visible("#tip")
    mark.focus()
    assert opened.page.is_visible("#tip")
    opened.page.locator(".term").first.hover()
    assert opened.page.inner_text("#tip")


@pytest.mark.slow
def test_axe_has_no_serious_finding(searched: Finished, browser: Browser, axe: str) -> None:
    tab = browser.open((searched.folder / "report.html").as_uri())
    tab.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    tab.page.evaluate(axe)
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        found = tab.page.evaluate("axe.run()")
        assert found["passes"]
        assert serious(found) == []


def serious(found: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What axe-core says to be serious or critical, with the first places of it."""
    return [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_payloads_stay_text(searched: Finished, browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(render_page(poisoned_report(searched.report), searched.gathered))
    tab = browser.open(page.as_uri(), 390)
    assert tab.complaints == []
    assert tab.page.evaluate("window.hit === undefined")
    assert tab.overflow() <= 0
    with tab.page.expect_download() as download:
        tab.page.click("[data-download=csv]")
    text = Path(download.value.path()).read_text()
    ended = [row["ended"] for row in csv.DictReader(io.StringIO(text))]
    assert ended
    assert all(PAYLOADS[2] in cell for cell in ended)
    assert not any(cell.startswith("=") for cell in ended)


@pytest.mark.slow
def test_five_thousand_purchases_answer_at_once(
    searched: Finished, browser: Browser, tmp_path: Path
) -> None:
    rows = searched.report["purchases"]
    many = [{**rows[at % len(rows)], "purchase": at + 1} for at in range(5000)]
    page = tmp_path / "many.html"
    page.write_text(searched.page(purchases=many))
    (tmp_path / "bare.html").write_text("<!doctype html><title>bare</title><p>bare")
    ready = "performance.getEntriesByType('navigation')[0].domInteractive"
    bare = browser.open((tmp_path / "bare.html").as_uri()).page.evaluate(ready)
    tab = browser.open(page.as_uri())
    assert tab.page.evaluate(ready) <= max(2000, 30 * bare)  # the machine may be busy
    for _ in range(2):
        tab.page.click("#bought th[data-name=purchase] button")
    assert cells(tab, 0)[0] == "5000"
    assert len(cells(tab, 0)) == 200
    sorting = tab.page.evaluate(
        "(() => { const start = performance.now();"
        " document.querySelector('#bought th[data-name=plan] button').click();"
        " return performance.now() - start; })()"
    )
    assert sorting <= max(500, 10 * bare)
    tab.page.click("#more")
    assert len(cells(tab, 0)) == 5000
    plans = {row["plan"]["key"] for row in many}
    assert set(cells(tab, 1)) == plans  # rows that a script made are as those of the page
    with tab.page.expect_download() as download:
        tab.page.click("[data-download=json]")
    told = json.loads(Path(download.value.path()).read_text())
    assert sorted(row["purchase"] for row in told) == list(range(1, 5001))
    assert {row["expected"] for row in told} == {row["accuracy"] for row in rows}
