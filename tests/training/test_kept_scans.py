"""Files that were decoded before are not decoded again, unless they changed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import images
from training.images import scan_images
from training.scanning import kept

NAMES = [f"{at}.png" for at in range(6)]


def draw(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "YOUNG_NS", 0)
    root = tmp_path / "photos"
    root.mkdir()
    for at, name in enumerate(NAMES):
        draw(root / name, at)
    return root


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded."""
    names: list[str] = []
    real = images.decode

    def counted(path: Path, *limits: int) -> np.ndarray:
        names.append(path.name)
        return real(path, *limits)

    monkeypatch.setattr(images, "decode", counted)
    return names


def test_a_folder_that_grew_decodes_its_new_files_only(folder: Path, decoded: list[str]) -> None:
    cache = folder.parent / "cache"
    first, _ = scan_images(folder, NAMES[:4], cache=cache)
    assert sorted(decoded) == NAMES[:4]
    decoded.clear()
    grown, bad = scan_images(folder, [*NAMES, "absent.png"], cache=cache)
    assert sorted(decoded) == NAMES[4:]
    assert grown.hashes[:4] == first.hashes
    assert [item.reason for item in bad] == ["missing"]
    plain, _ = scan_images(folder, NAMES)
    assert (plain.names, plain.hashes, plain.paths, plain.side) == (
        grown.names,
        grown.hashes,
        grown.paths,
        grown.side,
    )


def test_a_file_that_changed_is_decoded_again_though_size_and_time_are_the_same(
    folder: Path, decoded: list[str]
) -> None:
    cache = folder.parent / "cache"
    before, _ = scan_images(folder, NAMES, cache=cache)
    path, facts = folder / NAMES[2], (folder / NAMES[2]).stat()
    content = bytearray(path.read_bytes())
    draw(path, 99)
    fresh = path.read_bytes()
    path.write_bytes(fresh.ljust(len(content), b"\0")[: max(len(content), len(fresh))])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    decoded.clear()
    after, _ = scan_images(folder, NAMES, cache=cache)
    assert decoded == [NAMES[2]]
    assert [a == b for a, b in zip(before.hashes, after.hashes, strict=True)].count(False) == 1


def test_a_file_that_changed_a_moment_ago_is_not_kept(
    folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "YOUNG_NS", 60_000_000_000)
    cache = folder.parent / "cache"
    scan_images(folder, NAMES, cache=cache)
    scan_images(folder, NAMES, cache=cache)
    assert len(decoded) == 2 * len(NAMES)


@pytest.mark.parametrize("spoil", ["flip", "cut", "empty"])
def test_damaged_scans_are_made_again_with_one_line(
    spoil: str, folder: Path, decoded: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    cache = folder.parent / "cache"
    first, _ = scan_images(folder, NAMES, cache=cache)
    (file,) = (cache / "scans").iterdir()
    content = file.read_bytes()
    at = content.index(first.hashes[0].encode())
    flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    file.write_bytes({"flip": flipped, "cut": content[:-7], "empty": b""}[spoil])
    decoded.clear()
    with caplog.at_level(logging.WARNING):
        again, _ = scan_images(folder, NAMES, cache=cache)
    assert len(decoded) == len(NAMES)
    assert again.hashes == first.hashes
    assert [record.message.endswith("the images are read again") for record in caplog.records] == [
        True
    ]
    decoded.clear()
    scan_images(folder, NAMES, cache=cache)
    assert decoded == []


def test_a_cache_that_cannot_be_written_costs_time_alone(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.parent / "cache").write_text("a file")
    index, bad = scan_images(folder, NAMES, cache=folder.parent / "cache")
    assert (len(index), bad) == (len(NAMES), ())
    assert len(caplog.records) == 1
