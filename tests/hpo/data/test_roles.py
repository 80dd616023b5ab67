"""Roles that are drawn: shares, classes in proportion, and what a study's folder keeps."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.errors import InputError
from hpo.data.dataset import load
from hpo.data.drawing import split
from hpo.data.labels_csv import ROLES
from hpo.settings.config import StudyConfig, make_config, to_plain
from hpo.trial.world import build
from tests.hpo.data.test_listing import by_class, images, sizes


def config_of(root: Path, **more: object) -> StudyConfig:
    given = {
        "budget": "5",
        "data": str(root),
        "few_labels_ok": True,
        "controls": "0,1",
        "exam": "off",
    }
    return make_config({**given, **more})


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    shares=st.lists(st.integers(1, 20), min_size=4, max_size=4),
    seed=st.integers(0, 99),
)
def test_roles_hold_their_share_and_each_class_in_proportion(
    counts: list[int], shares: list[int], seed: int
) -> None:
    truth = np.repeat(np.arange(len(counts)), counts)
    weights = {role: Fraction(share) for role, share in zip(ROLES, shares, strict=True)}
    rows = split(truth, np.arange(len(truth)), seed, weights)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(truth)))
    for role in ROLES[1:]:
        share = weights[role] / sum(shares)
        assert abs(len(rows[role]) - share * len(truth)) < 1
        held = np.bincount(truth[rows[role]], minlength=len(counts))
        assert np.abs(held - float(share) * np.array(counts)).max() <= 2


def test_roles_of_the_setting(tmp_path: Path) -> None:
    by_class(tmp_path, count=100)
    config = config_of(tmp_path, roles="70/5/12/13")
    assert sizes(load(config)) == {"pool": 140, "control": 10, "validation": 24, "final": 26}
    assert make_config(to_plain(config)) == config
    arrays = make_config({"budget": "5", "roles": "70/5/12/13"})
    assert sizes(load(arrays)) == {"pool": 1257, "control": 90, "validation": 216, "final": 234}


@pytest.mark.parametrize(("count", "controls"), [(30, 3), (150, 15), (300, 20), (1000, 28)])
def test_a_small_folder_has_controls_for_an_exam(tmp_path: Path, count: int, controls: int) -> None:
    by_class(tmp_path, count=count // 2)
    drawn = sizes(load(config_of(tmp_path)))
    assert drawn["control"] == controls
    assert drawn["final"] == round(count * 400 / 1797)


def test_roles_of_a_file_leave_nothing_to_draw(tmp_path: Path) -> None:
    by_class(tmp_path / "photos")
    table = tmp_path / "labels.csv"
    table.write_text("image,label,role\ncat/00.png,cat,pool\ndog/00.png,dog,final\n")
    with pytest.raises(InputError, match=r"--roles: .*labels\.csv gives each image's role"):
        load(config_of(tmp_path / "photos", labels=str(table), roles="70/5/12/13"))


def test_a_study_keeps_its_roles_when_images_come_later(tmp_path: Path) -> None:
    photos, run = tmp_path / "photos", tmp_path / "run"
    by_class(photos)
    run.mkdir()
    config = config_of(photos)
    with closing(build(config, run)) as world:
        before = world.data
    assert (run / "roles.csv").exists()
    images(photos, ["ant/new.png", "cat/zz.png"])
    (photos / "cat/broken.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"broken\.png \(empty\)"):
        load(config, run)
    (photos / "cat/broken.png").unlink()
    with closing(build(config, run)) as world:
        after = world.data
    assert after.key() == before.key()
    assert after.classes == before.classes
    assert after.images.names == before.images.names
    for role in ROLES:
        assert np.array_equal(after.rows[role], before.rows[role])
    assert f"2 images of {photos.name} came after the roles were drawn: left out" in after.notes
    assert len(load(config).classes) == 3  # another study sees them
    (photos / "dog/00.png").unlink()
    with pytest.raises(InputError, match=r"1 images of the study are not listed any more, such as"):
        load(config, run)


def test_a_study_that_goes_on_says_the_same(tmp_path: Path) -> None:
    """Its report is the undisturbed one: bad files and repeated content are counted again."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    by_class(photos)
    (photos / "cat/broken.png").write_bytes(b"")
    (photos / "cat/twin.png").write_bytes((photos / "cat/03.png").read_bytes())
    run.mkdir()
    config = config_of(photos, skip_bad_images=True)
    with closing(build(config, run)) as world:
        first = world.data
    again = load(config, run)
    assert (again.notes, again.left_out, again.key()) == (first.notes, first.left_out, first.key())
    assert again.images.names == first.images.names


def test_another_study_takes_the_roles_that_one_drew(tmp_path: Path) -> None:
    photos, run = tmp_path / "photos", tmp_path / "run"
    images(photos, [f"{name}/{n}.png" for name in ("=1+1", "a,b") for n in range(30)])
    run.mkdir()
    with closing(build(config_of(photos), run)) as world:
        drawn = world.data
    taken = load(config_of(photos, labels=str(run / "roles.csv"), seed=7))
    assert taken.classes == drawn.classes == ("=1+1", "a,b")
    assert taken.key() == drawn.key()


@pytest.mark.parametrize("content", ["", "image,label\n1.png,a\n", "image,label,role\n1.png,a,x\n"])
def test_a_damaged_file_of_roles_is_named(tmp_path: Path, content: str) -> None:
    by_class(tmp_path / "photos")
    (tmp_path / "roles.csv").write_text(content)
    with pytest.raises(InputError, match=r"roles\.csv: damaged"):
        load(config_of(tmp_path / "photos"), tmp_path)
