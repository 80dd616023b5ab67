"""Kinds of machine in a study: a program, and a classifier with a mapping of its classes."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import Money
from hpo.data.dataset import Dataset
from hpo.market.machines.machine import MachineOpening
from hpo.market.machines.weights import NetworkModel, open_model
from hpo.study.delivery.machine_purchase import buy_machine_answers
from labeling.machine.program import ProgramModel
from labeling.machine.replies import Call
from tests.conftest import Make
from training.images import index_array
from training.weights.packages import PACKAGES

IMAGENET = """
model = "tf_efficientnet_lite0"
image_side = 128
price_per_second = 0.0001

[classes]
airplane = [404, 895]
automobile = [436, 468, 511, 609, 627, 656, 661, 751, 817]
bird = ["7-24", "80-100", "127-146"]
cat = ["281-285"]
deer = ["351-353"]
dog = ["151-268"]
frog = ["30-32"]
horse = [339]
ship = [403, 484, 510, 554, 628, 724, 814, 871, 914]
truck = [555, 569, 675, 717, 864, 867]
"""
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def program(folder: Path, body: str) -> str:
    """A script that labels images by the length of their path."""
    script = folder / "label.py"
    script.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


LABELS = """
print("image,label,confidence")
for line in sys.stdin:
    print(f"{line.strip()},{len(line) % 3},0.7")
"""


def test_a_program_labels_the_images_of_a_study_once(
    small_study: Make, small_data: str, tmp_path: Path
) -> None:
    command = program(tmp_path, LABELS)
    settings = {"data": small_data, "machine": f"command:{command}", "machine_cost": "0.0001"}
    study = small_study(**settings)
    buy_machine_answers(study.world, lambda line: None)
    asked = len(study.world.machine.rows)
    assert study.world.ledger.balance().spent == Money(100 * asked)
    assert np.isfinite(study.world.machine.source.said(study.world.machine.rows, 3)).all()
    other = small_study(**settings, study="other")  # the same answers cost nothing again
    buy_machine_answers(other.world, lambda line: None)
    assert other.world.ledger.balance().spent == Money(0)
    assert other.world.store.all_orders()[0].usable_answers == asked


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("sys.exit('no GPU')", "ended with 1: no GPU"),
        ("print('image,label\\nx,9')", "'9' is not one of"),
        ("print('hello')", "a column image is needed"),
    ],
)
def test_a_program_that_fails_is_one_line(tmp_path: Path, body: str, problem: str) -> None:
    script = program(tmp_path, body)
    model = ProgramModel(script, {0: Path("a")}.__getitem__, ("0", "1", "2"), Money(1))
    with pytest.raises(InputError, match=problem):
        list(model.ask([Call(0, 0, "k")]))


def test_an_image_that_a_program_leaves_out_is_paid_and_unusable(tmp_path: Path) -> None:
    body = "print('image,label')\nprint(sys.stdin.readline().strip() + ',1')"
    paths = {0: Path("a.png"), 1: Path("b.png")}
    model = ProgramModel(program(tmp_path, body), paths.__getitem__, ("0", "1"), Money(5))
    replies = [reply for _, reply in model.ask([Call(0, 0, "k"), Call(1, 0, "l")])]
    assert [(reply.trouble, reply.cost) for reply in replies] == [
        ("", Money(5)),
        ("left out", Money(5)),
    ]


def test_no_such_program_is_named() -> None:
    with pytest.raises(InputError, match="there is no program 'absent-labeller'"):
        ProgramModel("absent-labeller", {}.__getitem__, ("0", "1"), Money(1))


@pytest.mark.slow
@pytest.mark.skipif(not PACKAGES[0].is_installed, reason="the package of weights is not installed")
def test_a_classifier_labels_as_the_recorded_zero_shot_machine(data_folder: Path) -> None:
    from budget.toml import parse_toml

    with np.load(data_folder / "crowd" / "cifar10n_6k.npz") as arrays:
        images = index_array(arrays["x"][:60], [str(n) for n in range(60)])
        truth = arrays["clean"][:60].astype(np.int64)
    with np.load(data_folder / "crowd" / "cifar10n_6k_machines.npz") as arrays:
        recorded = arrays["zeroshot"][:60].argmax(axis=1)
    data = Dataset(images, NAMES, {}, truth, 0, ())
    model = NetworkModel(parse_toml(IMAGENET, "x"), "x", data)
    replies = [reply for _, reply in model.ask([Call(row, 0, "k") for row in range(60)])]
    said = np.array([reply.said for reply in replies])
    assert (said.argmax(axis=1) == recorded).mean() > 0.75  # its families differ a little
    assert said.sum(axis=1) == pytest.approx(np.ones(60))
    assert all(Money(0) < reply.cost <= model.most for reply in replies)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('model = "x"\n[classes]\ncat = [1]\n', "with the classifier's own classes for each"),
        ('model = "x"\n[classes]\ncat = [1]\ndog = ["a"]\n', "is no class such as 7"),
        ("model = 3\n", "give the timm name"),
        ('model = "x"\nsize = 3\n', "size: no such key"),
    ],
)
def test_a_wrong_mapping_is_one_line(
    small_study: Make, tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "net.toml"
    path.write_text(text)
    world = small_study().world
    data = Dataset(world.data.images, ("cat", "dog"), {}, world.data.truth, 0, ())
    with pytest.raises(InputError, match=problem):
        open_model(MachineOpening(str(path), world.config, data, world.market))
