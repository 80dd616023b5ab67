"""`labelworth train`: labels of any origin become a model, or are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.cli.main import main
from training.images import load_digits
from training.saved import load_model

COUNT = 240


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """Scans as files: those of a 0, 1 or 2."""
    root = tmp_path_factory.mktemp("digits")
    index, truth = load_digits()
    for row in np.flatnonzero(truth < 3)[:COUNT]:
        grey = np.rint(index.pixels[row, ..., 0] * 255).astype(np.uint8)
        Image.fromarray(grey).save(root / f"{row}-{truth[row]}.png")
    return root


def table(path: Path, digits: Path, label=lambda name: ["zero", "one", "two"][int(name[-1])]):
    names = sorted(file.name for file in digits.iterdir())
    lines = [f"{name},{label(Path(name).stem)}\n" for name in names]
    path.write_text("image,label\n" + "".join(lines))
    return path


def train(tmp_path: Path, *words: object) -> int:
    return main(["train", *map(str, words), "--runs", str(tmp_path / "runs")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("image,label\n", "no image has a label"),
        ("image,weight\na.png,1\n", "columns image and label are needed"),
        ("image,label\na.png,x\nb.png,x\n", "at least two classes"),
        ("image,label\na.png,x\na.png,y\n", "listed twice"),
        ("image,label\na.png,x\nb.png,y\n", "2 of 2 labelled images are not there"),
    ],
)
def test_labels_that_cannot_be_learned_are_named(content, said, digits, tmp_path, capsys):
    (tmp_path / "labels.csv").write_text(content)
    out = tmp_path / "m.safetensors"
    assert train(tmp_path, tmp_path / "labels.csv", "--images", digits, "--out", out) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_what_is_not_there_is_named(digits, tmp_path, capsys):
    labels = table(tmp_path / "labels.csv", digits)
    out = tmp_path / "m.safetensors"
    assert train(tmp_path, tmp_path / "no.csv", "--images", digits, "--out", out) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert train(tmp_path, labels, "--images", tmp_path / "gone", "--out", out) == 2
    assert "not a folder" in capsys.readouterr().err
    assert train(tmp_path, labels, "--images", digits, "--out", tmp_path / "m.pt") == 2
    assert "ends in .safetensors" in capsys.readouterr().err
    out.write_bytes(b"mine")
    assert train(tmp_path, labels, "--images", digits, "--out", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"


def test_labels_of_ones_own_become_a_model(digits, tmp_path, capsys):
    labels = table(tmp_path / "labels.csv", digits)
    out = tmp_path / "m.safetensors"
    assert train(tmp_path, labels, "--images", digits, "--out", out, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == COUNT
    assert said["classes"] == ["one", "two", "zero"]
    assert said["agreement_held_out"] > 0.95
    model = load_model(out)
    files = sorted(digits.iterdir())
    truth = [["zero", "one", "two"][int(file.stem[-1])] for file in files]
    assert (np.array(model.label(files).labels) == truth).mean() > 0.97
    again = tmp_path / "again.safetensors"
    assert train(tmp_path, labels, "--images", digits, "--out", again) == 0
    assert again.read_bytes() == out.read_bytes()


def test_probabilities_are_calibrated_by_labels_that_the_model_did_not_learn(
    digits, tmp_path, capsys
):
    # One label in four is wrong: a model that is right about labels three times in four says so.
    def label(name: str) -> int:
        return (int(name[-1]) + (int(name[:-2]) % 4 == 0)) % 3

    labels, out = table(tmp_path / "labels.csv", digits, label), tmp_path / "m.safetensors"
    assert train(tmp_path, labels, "--images", digits, "--out", out, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["temperature"] is not None
    confidence = load_model(out).label(sorted(digits.iterdir())).confidence
    assert confidence.mean() == pytest.approx(said["agreement_held_out"], abs=0.07)


def test_names_are_found_by_one_rule_and_it_is_said(digits, tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    names = [file.stem for file in sorted(digits.iterdir())]
    labels.write_text("file,class\n" + "".join(f"photos/{n},{n[-1]}\n" for n in names))
    out = tmp_path / "m.safetensors"
    assert train(tmp_path, labels, "--images", digits, "--out", out) == 0
    assert "without 'photos/'" in capsys.readouterr().err


def test_a_study_s_labels_give_a_model_that_labels_files(
    finished_small, small_data, tmp_path, capsys
):
    version = next(iter(sorted((finished_small / "versions").iterdir())))
    out = tmp_path / "m.safetensors"
    words = (version, "--images", small_data, "--out", out, "--json")
    assert train(tmp_path, *words) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == version.name
    index, _ = load_digits()
    features = index.pixels[:60].reshape(60, -1)
    files = []
    for row in range(60):
        files.append(tmp_path / f"{row}.png")
        grey = np.rint(index.pixels[row, ..., 0] * 255).astype(np.uint8)
        Image.fromarray(grey).save(files[-1])
    model = load_model(out)
    predicted = model.model.predict(features)
    # 16 grey levels do not lie on 255 levels: the files differ from the scans by half a level.
    np.testing.assert_allclose(model.label(files).probabilities, predicted, atol=0.02)


def test_a_study_s_own_model_labels_files(finished_small, tmp_path):
    paths = sorted((finished_small / "models").glob("*.safetensors"))
    assert paths
    index, _ = load_digits()
    grey = np.rint(index.pixels[7, ..., 0] * 255).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "7.png")
    for path in paths:
        model = load_model(path)
        expected = model.model.predict(index.pixels[7].reshape(1, -1))
        labelled = model.label([tmp_path / "7.png"])
        np.testing.assert_allclose(labelled.probabilities, expected, atol=0.02)


# --- a version's table away from its version ---

SHARES = "image,label,confidence,answers,p(even),p(odd)\n"


def shared(digits: Path, path: Path, line) -> Path:
    names = sorted(file.name for file in digits.iterdir())
    path.write_text(SHARES + "".join(line(name) for name in names))
    return path


def test_a_table_without_its_answers_is_learned_by_its_shares_and_not_calibrated(
    digits, tmp_path, capsys
):
    def line(name: str) -> str:
        odd = 0.9 if name[-5] == "1" else 0.2
        return f"{name},{'odd' if odd > 0.5 else 'even'},.8,2,{1 - odd:.6f},{odd:.6f}\n"

    out = tmp_path / "m.safetensors"
    labels = shared(digits, tmp_path / "labels.csv", line)
    assert train(tmp_path, labels, "--images", digits, "--out", out, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["temperature"] is None
    assert "no calibration" in said.err
    assert "by hand" not in said.err


def test_labels_changed_by_hand_are_taken_and_said(digits, tmp_path, capsys):
    # Whoever mends a label rarely mends the probabilities beside it.
    out = tmp_path / "m.safetensors"
    mended = shared(
        digits,
        tmp_path / "labels.csv",
        lambda name: f"{name},{'odd' if name[-5] == '1' else 'even'},.8,2,0.800000,0.200000\n",
    )
    assert train(tmp_path, mended, "--images", digits, "--out", out) == 0
    ones = sum(file.stem[-1] == "1" for file in digits.iterdir())
    assert f"{ones} labels were changed by hand: taken as true" in capsys.readouterr().err
    labelled = load_model(out).label(sorted(digits.iterdir()))
    truth = ["odd" if file.stem[-1] == "1" else "even" for file in sorted(digits.iterdir())]
    assert (np.array(labelled.labels) == truth).mean() > 0.95


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("even,.8,2,x,0.2", "probabilities cannot be read"),
        ("even,.8,2,nan,0.2", "not numbers from 0 to 1"),
        ("even,.8,2,-1,2", "not numbers from 0 to 1"),
        ("other,.8,2,0.8,0.2", "'other' has no column p(other)"),
    ],
)
def test_shares_that_cannot_be_read_are_named(digits, tmp_path, capsys, rest, said):
    labels = shared(digits, tmp_path / "labels.csv", lambda name: f"{name},{rest}\n")
    out = tmp_path / "m.safetensors"
    assert train(tmp_path, labels, "--images", digits, "--out", out) == 2
    assert said in capsys.readouterr().err
