"""Damaged files of every kind that users bring: each is read, or is one line with exit code 2.

FUZZ_RUNS sets how many of each kind are tried; the seeds are fixed.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command

RUNS = int(os.environ.get("FUZZ_RUNS", "6"))
ALLOWED = (0, 2, 3)  # read; bad input; nothing affordable
CLASSES = ("cat", "dog")
TOML = """budget = "5"
seed = 3
overlap = [1, 2, 3]
controls = [0, 1]
tasks = ["20%", "100%"]
exam = "off"
max_minutes = 30
[space]
price = ["0.001", "0.002"]
"""
TOKENS = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b"'",
    b"\n",
    b"\r\n",
    b",",
    b";",
    b"\t",
    b"[",
    b"]",
]
TOKENS += [b"=", b"{", b"}", b"nan", b"inf", b"-1", b"1e999", b"9" * 400, b"../..", b"\x1b[31m"]
TOKENS += ["ü\u202e\u0000".encode(), b"null", b"=1+1", b"\\u0000", b"#", b"\xe2\x80\xa8"]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Some content with a few bytes changed, lost, doubled or put in."""
    raw = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(raw) + 1) if raw else 0
        end = min(len(raw), at + chance.choice((1, 3, 20)))
        deed = chance.randrange(5)
        if deed == 0 and raw:
            raw[at % len(raw)] ^= 1 << chance.randrange(8)
        elif deed == 1:
            del raw[at:end]
        elif deed == 2:
            raw[at:at] = raw[at:end]
        elif deed == 3:
            raw[at:at] = chance.choice(TOKENS)
        else:
            del raw[at:]
    return bytes(raw)


def photos(folder: Path) -> bytes:
    """24 small photos; their labels as a table."""
    chance = np.random.default_rng(0)
    lines = ["image,label,role"]
    roles = ["pool"] * 12 + ["control"] * 4 + ["validation"] * 4 + ["final"] * 4
    folder.mkdir()
    for number, role in enumerate(roles):
        pixels = chance.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,{CLASSES[number % 2]},{role}")
    return "\n".join(lines).encode()


def recording() -> bytes:
    """Answers of four people to the photos."""
    rows = [f"{n:02d}.png,w{w},{CLASSES[(n + (w == 3)) % 2]}" for n in range(24) for w in range(4)]
    return "\n".join(["task,annotator,label", *rows]).encode()


def image(kind: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 90, 200)).save(content, kind)
    return content.getvalue()


Case = Callable[[random.Random], list[str]]


def cases(folder: Path) -> dict[str, Case]:
    """For each kind of file the words that read a damaged one, which it writes first."""
    table, labels = photos(folder / "photos"), folder / "labels.csv"
    images = ["--data", f"folder:{folder / 'photos'}", "--labels", str(labels), "--few-labels-ok"]

    def toml(chance: random.Random) -> list[str]:
        (folder / "study.toml").write_bytes(damaged(TOML.encode(), chance))
        return ["plan", "--config", str(folder / "study.toml")]

    def csv(chance: random.Random) -> list[str]:
        labels.write_bytes(damaged(table, chance))
        return ["plan", "--budget", "5", *images]

    def picture(chance: random.Random) -> list[str]:
        labels.write_bytes(table)
        kind = chance.choice(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"))
        (folder / "photos/03.png").write_bytes(damaged(image(kind), chance))
        return ["plan", "--budget", "5", *images]

    def recorded(chance: random.Random) -> list[str]:
        labels.write_bytes(table)
        (folder / "answers.csv").write_bytes(damaged(recording(), chance))
        market = f"replay:{folder / 'answers.csv'}"
        return ["plan", "--budget", "5", "--market", market, *images]

    return {"toml": toml, "csv": csv, "image": picture, "recording": recorded}


@pytest.mark.parametrize("kind", ["toml", "csv", "image", "recording"])
def test_a_damaged_file_is_read_or_is_one_line(
    kind: str,
    tmp_path: Path,
    command: Command,
    record_property: Callable[[str, object], None],
) -> None:
    case, codes = cases(tmp_path)[kind], []
    for seed in range(RUNS):
        words = case(random.Random(f"{kind}{seed}"))
        code, out, err = command(*words)
        assert code in ALLOWED, f"seed {seed}: {err}"
        if code == 2:
            assert out == "", f"seed {seed}: {out}"
            lines = [line for line in err.splitlines() if line.startswith("labelworth: ")]
            assert len(lines) == 1, f"seed {seed}: {err}"
            assert "Traceback" not in err
            assert "\x1b" not in err
        codes.append(code)
    record_property("damaged files", len(codes))
    assert kind == "image" or 2 in codes
