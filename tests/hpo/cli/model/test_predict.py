"""`labelworth predict`: what cannot be labelled is named, and a kill loses no row."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.cli.main import main
from training.encoder import Encoder, encoder_of
from training.features import extract
from training.fit import Model
from training.images import scan_images
from training.saved import load_model, model_bytes

CLASSES = ("=cat", "dog, big")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder of 150 images in two sub-folders."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for row in range(150):
        path = root / ("one" if row % 2 else "two") / f"{row:03d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (36, 30, 3), dtype=np.uint8)).save(path)
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture(scope="module")
def model(photos, tmp_path_factory) -> Path:
    """A model of patch features with random weights."""
    folder, rng = tmp_path_factory.mktemp("model"), np.random.default_rng(1)
    names = [str(path.relative_to(photos)) for path in sorted(photos.rglob("*.png"))]
    index, _ = scan_images(photos, names)
    features = extract(index, "patch", None, folder / "cache")
    mean, spread = features.values.mean(axis=0), features.values.std(axis=0) + 0.1
    weights = rng.normal(size=(513, 2)) / 10
    head = Model(weights, mean, spread, 0.01, "soft", 0.1, 98, (), 0.0, 1, temperature=0.5)
    path = folder / "model.safetensors"
    path.write_bytes(model_bytes(head, CLASSES, {}, encoder_of(features, index)))
    return path


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def predict(*words: object) -> int:
    return main(["predict", *map(str, words)])


def test_a_folder_without_images_or_that_is_not_there_is_named(model, tmp_path, capsys):
    assert predict(model, tmp_path / "nowhere") == 2
    assert "no such folder or image" in capsys.readouterr().err
    assert predict(model, tmp_path, "--out", tmp_path / "p.csv") == 2
    assert "no images there; their names end in .jpg" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_is_refused_in_one_line(photos, tmp_path, capsys):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04K\x01.")
    assert predict(tmp_path / "model.pkl", photos) == 2
    said = capsys.readouterr().err
    assert "run code" in said
    assert said.count("\n") == 1


def test_weights_that_are_not_at_hand_are_one_line_with_their_hash(
    photos, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    head = Model(np.zeros((6, 2)), np.zeros(5), np.ones(5), 0.01, "soft", 0.1, 9, (), 0.0, 1)
    encoder = Encoder("resnet18.a1_in1k", (0, 0, 3), "hub:timm/resnet18.a1_in1k", "ab" * 16)
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(head, CLASSES, {}, encoder))
    assert predict(path, photos, "--out", tmp_path / "p.csv") == 2
    said = capsys.readouterr().err
    assert "resnet18.a1_in1k with hash " + "ab" * 16 in said
    assert "--backbone-file FILE.safetensors" in said
    assert said.count("\n") == 1


def test_the_table_holds_every_image_with_its_calibrated_probabilities(
    model, photos, tmp_path, capsys
):
    out = tmp_path / "deep" / "p.csv"
    assert predict(model, photos, "--out", out, "--json") == 0
    head, *body = rows(out)
    assert head == ["image", "label", "confidence", "p(=cat)", "p(dog, big)"]
    files = sorted(photos.rglob("*.png"))
    assert [row[0] for row in body] == [path.relative_to(photos).as_posix() for path in files]
    labelled = load_model(model).label(files)
    numbers = np.array([row[2:] for row in body], dtype=float)
    np.testing.assert_allclose(numbers[:, 1:], labelled.probabilities, atol=1e-6)
    np.testing.assert_allclose(numbers[:, 0], labelled.confidence, atol=1e-6)
    # A spreadsheet must not take a class for a formula: an apostrophe goes first.
    assert {row[1] for row in body} <= {"'=cat", "dog, big"}
    said = json.loads(capsys.readouterr().out)
    assert sum(said["labels"].values()) == 150
    assert [path.name for path in out.parent.iterdir()] == ["p.csv"]


def test_a_table_that_is_there_is_replaced_only_when_asked(model, photos, tmp_path, capsys):
    out = tmp_path / "p.csv"
    out.write_text("mine")
    assert predict(model, photos, "--out", out) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert predict(model, photos, "--out", out, "--overwrite") == 0
    assert len(rows(out)) == 151


def test_an_image_that_cannot_be_read_is_named_and_costs_no_row(model, photos, tmp_path, capsys):
    folder = tmp_path / "new"
    folder.mkdir()
    for path in sorted(photos.rglob("*.png"))[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "broken.png").write_bytes(b"no image")
    out = tmp_path / "p.csv"
    assert predict(model, folder, "--out", out) == 2
    assert "1 image cannot be read" in capsys.readouterr().err
    assert not out.exists()
    assert predict(model, folder, "--out", out, "--skip-bad-images") == 0
    said = capsys.readouterr()
    assert "3 of 4 rows are there" in said.err
    assert "left out: 1 image cannot be read" in said.out
    assert len(rows(out)) == 4


def test_rows_of_another_model_are_never_mixed_in(model, photos, tmp_path, capsys):
    out = tmp_path / "p.csv"
    (tmp_path / "p.csv.part").write_text("# rows so far, by model 00\nimage,label\n")
    assert predict(model, photos, "--out", out) == 2
    assert "rows of another model" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_row_that_was_cut_is_labelled_again(model, photos, tmp_path, cut):
    whole, out = tmp_path / "whole.csv", tmp_path / "p.csv"
    assert predict(model, photos, "--out", whole) == 0
    first = f"# rows so far, by model {load_model(model).digest}\n"
    lines = whole.read_text().splitlines(keepends=True)
    (tmp_path / "p.csv.part").write_text(first + "".join(lines[:70])[:-cut])
    assert predict(model, photos, "--out", out) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_table(model, photos, tmp_path):
    whole, out = tmp_path / "whole.csv", tmp_path / "p.csv"
    assert predict(model, photos, "--out", whole) == 0
    part = tmp_path / "p.csv.part"
    command = [sys.executable, "-c", SLOW, "predict", str(model), str(photos), "--out", str(out)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not part.exists() or part.read_bytes().count(b"\n") < 66:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = part.read_bytes()
    assert 66 <= kept.count(b"\n") < 152
    assert not out.exists()
    assert predict(model, photos, "--out", out) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert out.read_bytes().startswith(kept.partition(b"\n")[2])
    assert not part.exists()


SLOW = """
import sys, time
from hpo.cli.commands.model import predictions
from hpo.cli.main import main
append = predictions.Predictions.append
predictions.Predictions.append = lambda *a: (append(*a), time.sleep(0.5))
sys.exit(main(sys.argv[1:]))
"""
"""The command with a pause after each batch, so that the kill comes between two."""


def test_predictions_are_held_against_labels_by_their_mark(photos, model, tmp_path, capsys):
    assert predict(model, photos, "--out", tmp_path / "p.csv") == 0
    (image, said), *others = [row[:2] for row in rows(tmp_path / "p.csv")[1:21]]
    wrong = "dog, big" if said == "'=cat" else "=cat"
    lines = [["image", "label", "mark"], [image, wrong, "known"]]
    lines += [[name, label, "bought"] for name, label in others]
    lines += [["elsewhere.png", "=cat", "bought"]]
    with (tmp_path / "test.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    capsys.readouterr()
    flags = ("--out", tmp_path / "q.csv", "--test", tmp_path / "test.csv")
    assert predict(model, photos, *flags) == 0
    told = capsys.readouterr().out
    assert "100.0 % (+- 0.0) of 19 bought labels are predicted. Some bought labels" in told
    assert "0.0 % (+- 0.0) of 1 known labels are predicted." in told
    (tmp_path / "test.csv").write_text("image,label\nelsewhere.png,=cat\n")
    assert predict(model, photos, *flags, "--overwrite") == 2
    assert "none of its images is among those of" in capsys.readouterr().err
    (tmp_path / "test.csv").write_text("image,label\na.png,cow\n")
    assert predict(model, photos, *flags, "--overwrite") == 2
    assert "'cow' is not one of the 2 classes" in capsys.readouterr().err
