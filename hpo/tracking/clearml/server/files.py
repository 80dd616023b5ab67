"""The file server: under the name that the configuration gives it, or another's name for it.

Of a team one may use a name of the local network, another a proxy or https: what one has written
is read by the others under their own name for the server.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from budget.errors import MirrorRefused, MirrorUnavailable
from hpo.tracking.clearml.server.addresses import without_credentials

_TIMEOUT = (5.0, 300.0)
"""Seconds to connect and to be answered."""
_REQUEST_BYTES = 32 << 20  # of several files that travel together
_PROXIED = "/files"  # under which a proxy of ClearML's own configuration serves the files
_WEB = ("http", "https")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Answered = Callable[[Callable[[], Any]], object]
"""Asks, again where that may help, and raises the error where it does not."""
Put = Callable[[str, bytes, str], str]
"""Takes a file's path, content and MIME type; gives its address."""


class FileServer:
    """Files by address.

    Args:
        session: gives requests its token.
        host: its address, as the configuration names it.
        others: further addresses that the configuration names.
        verify: whether, or by which file, certificates are verified.
        answered: asks it something.
    """

    def __init__(
        self, session: Any, host: str, others: Sequence[str], verify: bool | str, answered: Answered
    ) -> None:
        self._session = session
        self._host = host
        self._others = others
        self._verify = verify
        self._answered = answered

    def address(self, path: str) -> str:
        """Where a file of a path lies."""
        return f"{self._host}/{quote(path)}"

    def upload(self, path: str, content: bytes, mime: str) -> str:
        """Put a file there, and return its address.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `Remote.call`.
        """
        with self.together() as put:
            return put(path, content, mime)

    @contextmanager
    def together(self) -> Iterator[Put]:
        """Put several files there in as few requests as possible, by the end of the block.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `Remote.call`.
        """
        waiting: dict[str, tuple[str, bytes, str]] = {}

        def put(path: str, content: bytes, mime: str) -> str:
            if urlsplit(self._host).scheme not in _WEB:
                return _stored(self.address(path), content)
            size = sum(len(other) for _, other, _ in waiting.values())
            if waiting and size + len(content) > _REQUEST_BYTES:
                self._post(waiting)
                waiting.clear()
            waiting[path] = (path, content, mime)
            return self.address(path)

        yield put
        if waiting:
            self._post(waiting)

    def _post(self, files: Mapping[str, tuple[str, bytes, str]]) -> None:
        def ask() -> Any:
            import requests

            return requests.post(
                self._host,
                files=dict(files),
                headers=self._session.add_auth_headers({}),
                timeout=_TIMEOUT,
                verify=self._verify,
            )

        self._answered(ask)

    def download(self, address: str) -> bytes:
        """A file of the file server, or of the storage that holds it.

        Raises:
            MirrorUnavailable: the file server does not answer.
            MirrorRefused: no name of the file server gives it; each is named with what it said.
        """
        if urlsplit(address).scheme not in _WEB:
            return _fetched(address)
        told = []
        for spelling in self._spellings(address):
            try:
                return self._get(spelling, with_token=self._is_ours(spelling))
            except MirrorRefused as error:
                said = f"status {error.code}"
            except MirrorUnavailable as error:
                if spelling.startswith(self._host):
                    raise
                said = str(error).removeprefix("file server: ")
            told.append(f"{_host_of(spelling)} says {said}")
        if not self._is_ours(address):
            try:
                return _fetched(address)  # an object store of the web
            except MirrorUnavailable:
                told[-1] += " (not a host of this configuration: it gets no token)"
        raise MirrorRefused(
            f"{without_credentials(address)} cannot be read: {', '.join(told)}; name the file "
            "server in CLEARML_FILES_HOST as whoever wrote it did, or bring the file back",
            404,
        )

    def _spellings(self, address: str) -> Iterator[str]:
        """The addresses under which a file may be had, our own name for the server first."""
        if not address.startswith(f"{self._host}/"):
            path = urlsplit(address).path
            for form in dict.fromkeys((path.removeprefix(_PROXIED), path)):
                yield f"{self._host}{form}"
        yield address

    def _is_ours(self, address: str) -> bool:
        """Whether an address gets our token: it is of a host that the configuration names."""
        if address.startswith(f"{self._host}/"):
            return True
        asked, own = urlsplit(address), urlsplit(self._host)
        if own.scheme == "https" and asked.scheme != "https":
            return False  # it would travel in the open
        hosts = {urlsplit(known).hostname for known in (self._host, *self._others)}
        hosts |= set(_LOOPBACK) if hosts & set(_LOOPBACK) else set()
        return asked.hostname in hosts

    def _get(self, address: str, with_token: bool) -> bytes:
        import requests

        found: list[bytes] = []

        def ask() -> Any:
            headers = self._session.add_auth_headers({}) if with_token else {}
            answer = requests.get(address, headers=headers, timeout=_TIMEOUT, verify=self._verify)
            found[:] = [answer.content]
            return answer

        self._answered(ask)
        return found[0]


def _host_of(address: str) -> str:
    parts = urlsplit(without_credentials(address))
    return f"{parts.scheme}://{parts.netloc}"


def _fetched(address: str) -> bytes:
    """A file by the SDK, which knows object stores and shared folders."""
    from clearml import StorageManager

    copy = StorageManager.get_local_copy(address, extract_archive=False)
    if copy is None:
        raise MirrorUnavailable(f"{without_credentials(address)} cannot be read")
    return Path(copy).read_bytes()


def _stored(address: str, content: bytes) -> str:
    """Leave a file to the SDK."""
    from clearml import StorageManager

    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "file"
        held.write_bytes(content)
        try:
            return str(StorageManager.upload_file(str(held), address))
        except Exception as error:  # every store fails in its own way
            raise MirrorUnavailable(f"{without_credentials(address)}: {error}") from error
