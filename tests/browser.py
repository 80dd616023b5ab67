"""A browser for tests of pages: headless Chromium, as Debian or playwright brings it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Tab:
    """A page that is open, with everything that it asked for and complained of."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


class Browser:
    """Opens addresses in windows of their own."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    def open(self, address: str, width: int = 1440, dark: bool = False) -> Tab:
        """An address in a new window, whose console and requests are kept.

        Args:
            address: the address.
            width: of the window.
            dark: whether the reader prefers dark pages.
        """
        scheme = "dark" if dark else "light"
        page = self._chromium.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        tab = Tab(page)
        page.on("console", lambda said: tab.complaints.append(said.text))
        page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        page.on("dialog", lambda dialog: tab.complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda asked: tab.requests.append(asked.url))
        page.goto(address)
        return tab


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; tests skip where there is none.

    It ends with its module: as long as it is there, an event loop runs that asyncio of other tests
    would stumble over.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make test")
    with playwright.sync_playwright() as kinds:
        try:
            chromium = kinds.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield Browser(chromium)
        chromium.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm; tests skip where npm cannot bring it."""
    folder = tmp_path_factory.mktemp("axe")
    words = ("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "axe-core@4")
    if shutil.which("npm") is None:
        pytest.skip("no npm: axe-core cannot be had")
    try:
        subprocess.run(words, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm does not bring axe-core: {error}")
    return Path(folder / "node_modules/axe-core/axe.min.js").read_text()
