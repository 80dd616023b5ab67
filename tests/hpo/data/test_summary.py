"""What is said of the images before anything is bought."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.data.dataset import load
from hpo.data.summary import data_lines
from hpo.settings.config import make_config
from hpo.trial import feature_pass
from tests.conftest import Command
from tests.hpo.data.test_listing import by_class, images


def test_sizes_classes_and_notes_are_lines(tmp_path: Path) -> None:
    by_class(tmp_path, count=20)
    images(tmp_path, [f"two\nlines/{n}.png" for n in range(60)])
    (tmp_path / "cat/broken.png").write_bytes(b"")
    config = make_config({"budget": "5", "data": str(tmp_path), "skip_bad_images": True})
    data = load(config)
    first, second, *notes = data_lines(config, data)
    assert first == (
        f"Data: 100 images of folder:{tmp_path}: 48 pool, 10 control, 20 validation, 22 final; "
        "1 left out"
    )
    assert second == "Classes: 3: two lines 60 %, cat 20 %, dog 20 %"
    assert "Note: 1 images that cannot be read are left out" in notes
    assert all("\n" not in line for line in notes)


def test_many_classes_are_their_ends(tmp_path: Path) -> None:
    for size in range(1, 13):
        images(tmp_path, [f"c{size:02d}/{n}-{size}.png" for n in range(size)])
    config = make_config({"budget": "5", "data": str(tmp_path)})
    (line,) = [line for line in data_lines(config, load(config)) if line.startswith("Classes")]
    assert line.startswith("Classes: 12: c12 ")
    assert line.count("%") == 6
    assert ", ..., c03 " in line


def test_a_quote_says_what_it_read_and_keeps_its_output_clean(
    tmp_path: Path, command: Command
) -> None:
    by_class(tmp_path / "photos")
    words = ("plan", "--data", "photos", "--exam", "off", "--controls", "0", "--json")
    code, out, err = command(*words)
    assert code == 0, err
    assert out.startswith("[")
    assert "Data: 60 images of folder:photos: 29 pool, 6 control, 12 validation, 13 final" in err
    assert "Note: photos: no table of labels: the class of an image is its sub-folder" in err


def test_a_long_pass_is_announced_with_its_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_class(tmp_path / "photos", count=100)
    config = make_config({"budget": "5", "data": str(tmp_path / "photos")})
    data, said, runs = load(config), list[str](), tmp_path / "runs"
    feature_pass.pass_over(config, data, runs, said.append)
    assert [line.partition(",")[0] for line in said] == ["Features: pixels"]
    monkeypatch.setattr(feature_pass, "LARGE", 200)
    passes = list[int]()

    def timed(config: object, data: object, size: int) -> tuple[str, float]:
        passes.append(size)
        return "pixels", 3 + size / 10

    monkeypatch.setattr(feature_pass, "_timed", timed)
    feature_pass.pass_over(config, data, runs, said.append)
    assert passes == [8, 32, 160]
    assert said[1] == (
        "Features: pixels; a first pass over 200 images takes about 23 s of a processor"
    )
