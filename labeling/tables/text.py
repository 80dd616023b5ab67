"""The text of a file, whatever encoding it was saved in, or one line that names the encoding."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from budget.errors import InputError
from budget.files import regular

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", ""),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_BINARY = (
    (b"PK\x03\x04", "an Excel or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
)


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and notes on its encoding.

    UTF-8 is read with or without a mark at its start, UTF-16 and UTF-32 by their mark. No other
    encoding can be told for sure: the file is refused. A name that ends in `.gz` is unpacked.

    Raises:
        InputError: the file cannot be opened, or its encoding is not one of these.
    """
    try:
        raw = regular(path).read_bytes()
        if path.name.lower().endswith(".gz"):
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: cannot be read: it is a folder; name a file") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None
    return decoded(str(path), raw)


def note(origin: str, words: str) -> str:
    """A line about a file, without its folder: reports hold notes, and no paths."""
    return f"{origin.replace(chr(92), '/').rpartition('/')[2]}: {words}"


def decoded(path: str, raw: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of some bytes; see `read_text`.

    Args:
        path: where they come from, for messages.
        raw: the bytes.

    Raises:
        InputError: their encoding is none that can be told.
    """
    for mark, encoding, name in _MARKS:
        if raw.startswith(mark):
            notes = (note(path, f"read as {name}"),) if name else ()
            try:
                return raw[len(mark) :].decode(encoding), notes
            except UnicodeDecodeError:
                raise InputError(
                    f"{path}: cannot be read: it starts like {name or 'UTF-8'} and is not; "
                    "save it as UTF-8"
                ) from None
    for start, name in _BINARY:
        if raw.startswith(start):
            raise InputError(f"{path}: cannot be read: it is {name}; save the table as CSV (UTF-8)")
    if b"\0" in raw:
        wide = raw[1::2].count(0) > len(raw) // 4 or raw[0::2].count(0) > len(raw) // 4
        kind = "not UTF-8 (looks like UTF-16)" if wide else "not a text file"
        raise InputError(f"{path}: cannot be read: {kind}; save it as UTF-8")
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: cannot be read: line {line} is not UTF-8 (looks like Latin-1 or "
            "Windows-1252); save it as UTF-8"
        ) from None
