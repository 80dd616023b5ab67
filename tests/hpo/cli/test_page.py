"""`labelworth report --serve`: the page on this machine alone, which follows a running study."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpo.cli.page.server import LivePage, make_server
from tests.browser import Browser
from tests.conftest import Command


def ask(port: int, path: str, host: str = "") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    reply = connection.getresponse()
    told = reply.status, reply.read().decode(), reply.headers.get("Content-Type", "")
    connection.close()
    return told


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[LivePage, int]]:
    page = LivePage(folder, images=False)
    server = make_server(page, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield page, server.server_port
    server.shutdown()
    server.server_close()
    page.close()


def test_the_page_is_served_to_this_machine_alone(served: tuple[LivePage, int]) -> None:
    _, port = served
    code, text, kind = ask(port, "/")
    assert (code, kind) == (200, "text/html; charset=utf-8")
    assert "data-live" in text
    assert "connect-src 'self'" in text
    assert ask(port, "/state")[:2] == (200, "1")
    assert ask(port, "/", f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1"):
        assert ask(port, "/", host)[0] == 421
    assert ask(port, "/../study.json")[0] == 404


@pytest.mark.slow
def test_it_follows_a_purchase_for_no_more_than_opening_the_page_costs(
    served: tuple[LivePage, int], folder: Path, small_study: Callable[..., Any]
) -> None:
    """The server looks five times a second; a look is compared with a page that is opened then."""
    page, port = served
    before = json.loads((folder / "report.json").read_text())
    raw = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**raw, "trials": 3}, indent=1) + "\n")
    study = small_study(runs=folder.parent, study="s", trials=3)
    ratios: list[float] = []

    def watch(progress: Any) -> None:
        if progress.purchases == len(before["purchases"]) + 1 and not ratios:
            LivePage(folder, images=False).close()  # what a first page of a process loads
            start = time.process_time()
            page.refresh()
            between = time.process_time()
            LivePage(folder, images=False).close()
            ratios.append((between - start) / (time.process_time() - between))

    study.run(watch)
    assert len(ratios) == 1
    assert ratios[0] <= 3  # 1.0 to 1.4 as measured
    page.refresh()
    state, content = page.content
    assert state >= 2
    assert f"{len(before['purchases']) + 1} of {len(before['purchases']) + 1} purchases" in (
        content.decode()
    )
    assert ask(port, "/state")[1] == str(state)


@pytest.mark.slow
def test_a_browser_loads_the_page_again_when_the_study_has_news(
    served: tuple[LivePage, int], folder: Path, browser: Browser
) -> None:
    page, port = served
    tab = browser.open(f"http://127.0.0.1:{port}/")
    assert "follows the study" in tab.page.inner_text(".live")
    tab.page.wait_for_timeout(1500)  # it has asked once
    with tab.page.expect_navigation(timeout=60_000):
        os.utime(folder / "journal.jsonl")
        page.refresh()
    assert tab.complaints == []
    assert tab.page.is_visible("#answer")


def test_flags_of_the_page_that_do_not_go_together(folder: Path, command: Command) -> None:
    code, _, err = command("report", str(folder), "--html", "--port", "8000")
    assert code == 2
    assert "--port: only with --serve" in err
    code, _, err = command("report", str(folder / "none"), "--serve")
    assert code == 2
    assert "no study here" in err
