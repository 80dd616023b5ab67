"""The answer's page on this machine alone, made anew after each event of a running study."""

from __future__ import annotations

import sys
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from budget.errors import LabelworthError
from hpo.answer.page.gathered import gather
from hpo.answer.page.render import render_page
from hpo.settings.exit_codes import DONE
from hpo.settings.run_folder import read_config
from hpo.settings.stored_answer import printable_report
from hpo.study.study import Study, open_study

_HOST = "127.0.0.1"
_LOOK_S = 0.2  # between two looks at the journal


class LivePage:
    """The page of a study that may be running, and a number that grows with it.

    The study is read alone: another process runs it.

    Args:
        folder: the study's folder.
        images: whether the page shows small images.
    """

    def __init__(self, folder: Path, images: bool) -> None:
        self._folder = folder
        self._images = images
        self._study: Study = open_study(folder)
        self._seen: list[tuple[int, int] | None] = []
        self._served = (0, b"")
        self.refresh()

    @property
    def content(self) -> tuple[int, bytes]:
        """The page's number, and the page."""
        return self._served

    def refresh(self) -> None:
        """Make the page anew if the study has written something since the last look."""
        seen = [self._stat("journal.jsonl"), self._stat("report.json"), self._stat("study.json")]
        if seen == self._seen:
            return
        if self._seen and seen[2] != self._seen[2]:
            self.close()
            self._study = open_study(self._folder)  # under a larger budget
        report = printable_report(self._folder) or self._study.report()
        gathered = gather(report, self._study.world, self._images)
        page = render_page(report, gathered, is_live=True).encode()
        self._seen, self._served = seen, (self._served[0] + 1, page)

    def close(self) -> None:
        """Let go of the study."""
        self._study.close()

    def _stat(self, name: str) -> tuple[int, int] | None:
        try:
            found = (self._folder / name).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size


def make_server(page: LivePage, port: int) -> ThreadingHTTPServer:
    """A server of the page, on this machine's own address only.

    Args:
        page: what it serves.
        port: its port; 0 for any that is free.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in (f"{_HOST}:{port}", f"localhost:{port}"):
                self._reply(421, b"this page is for this machine alone\n", "text/plain")
            elif self.path == "/":
                self._reply(200, page.content[1], "text/html")
            elif self.path == "/state":
                self._reply(200, str(page.content[0]).encode(), "text/plain")
            else:
                self._reply(404, b"nothing here\n", "text/plain")

        def _reply(self, code: int, content: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("X-Frame-Options", "DENY")
            self.end_headers()
            self.wfile.write(content)

        def send_error(self, code: int, message: str | None = None, _: str | None = None) -> None:
            """Refuses what is no request for the page: a mistake of the client's, not of ours."""
            self.request_version = self.protocol_version  # else the status would be left out
            self._reply(code if code < 500 else 405, b"this page can be read alone\n", "text/plain")

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: requests of one's own browser are no news."""

    return _Listener((_HOST, port), Handler)


class _Listener(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of a browser that was closed while it was answered."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def serve(folder: Path, port: int, images: bool, is_opened: bool) -> int:
    """Serve a study's page until Ctrl-C.

    Args:
        folder: the study's folder.
        port: as for `make_server`.
        images: whether the page shows small images.
        is_opened: whether to open it in a browser.

    Raises:
        InputError: there is no study in the folder.
    """
    read_config(folder)
    page = LivePage(folder, images)
    server = make_server(page, port)
    address = f"http://{_HOST}:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{address} (Ctrl-C ends it)", flush=True)
    if is_opened:
        open_in_browser(address)
    end = threading.Event()
    try:
        while not end.wait(_LOOK_S):
            try:
                page.refresh()
            except LabelworthError as error:  # the study is writing: the next look tells
                print(f"labelworth: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return DONE
    finally:
        server.shutdown()
        server.server_close()
        page.close()
    return DONE


def open_in_browser(address: str) -> None:
    """Open an address, or say that no browser is there."""
    if not webbrowser.open(address):
        print(f"labelworth: no browser is here; open {address}", file=sys.stderr)
