"""Few known labels: their roles, and the images that test labels are bought of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.errors import InputError
from hpo.data.dataset import load
from hpo.data.stand_ins import predict_from_known, stand_ins, with_stand_ins
from hpo.data.unlabelled import TESTS, deal_roles, with_tests
from hpo.settings.config import StudyConfig, make_config
from hpo.settings.rows.unlabelled import DRAWN, LIKELIEST
from tests.unlabelled import few_known, truth_of


def config_of(found: dict[str, object], **more: object) -> StudyConfig:
    return make_config({"budget": "5", **found, **more})


def test_sixty_known_labels_become_controls_and_a_check(tmp_path: Path) -> None:
    found = few_known(tmp_path, 400, 60)
    data = load(config_of(found, test_images=100))
    known = {role: int((data.truth[rows] >= 0).sum()) for role, rows in data.rows.items()}
    assert known == {"pool": 0, "control": 20, "validation": 20, "final": 20}
    assert [len(data.rows[role]) for role in ("pool", *TESTS)] == [240, 70, 70]
    assert len(data.asked_tests) == 140
    for role in ("control", *TESTS):
        truth = data.truth[data.rows[role]]
        assert set(truth[truth >= 0]) == {0, 1, 2}
    assert any("Labels of 50 validation and 50 final images are bought" in n for n in data.notes)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_every_role_holds_the_classes_in_proportion(classes: int, seed: int) -> None:
    """Classes of equal size lie in turns: a rule that takes every other image would miss some."""
    truth = np.r_[np.repeat(np.arange(classes), 60 // classes), np.full(40, -1)]
    rows = deal_roles(truth, np.arange(len(truth)), seed)
    for role in ("control", *TESTS):
        counts = np.bincount(truth[rows[role]], minlength=classes)
        assert counts.sum() == 20
        assert np.abs(counts - 20 / classes).max() <= 1.5


def test_few_labels_ok_measures_by_the_known_labels_alone(tmp_path: Path) -> None:
    found = few_known(tmp_path, 300, 60)
    for settings in ({"few_labels_ok": True}, {"test_images": 0}):
        data = load(config_of(found, **settings))
        assert not len(data.asked_tests)
        assert [len(data.rows[role]) for role in ("control", *TESTS)] == [20, 20, 20]
        assert len(data.rows["pool"]) == 240


def test_test_images_leave_most_of_the_pool(tmp_path: Path) -> None:
    found = few_known(tmp_path, 160, 60)
    data = load(config_of(found, test_images=1000))
    assert len(data.rows["pool"]) == 60  # of 100 without a label, two in five are drawn
    assert len(data.rows["validation"]) == len(data.rows["final"]) == 40


def test_a_missing_label_among_enough_known_ones_is_named(tmp_path: Path) -> None:
    found = few_known(tmp_path, 60, 60)
    table = Path(str(found["labels"]))
    rows = [f"{line},{TESTS[n % 2]}" for n, line in enumerate(table.read_text().split()[1:])]
    rows[30:] = [row.rpartition(",")[0] + ",pool" for row in rows[30:]]
    rows[40:] = [row.rpartition(",")[0] + ",control" for row in rows[40:]]
    rows[0] = "0000.png,,validation"
    table.write_text("\n".join(["image,label,role", *rows]) + "\n")
    with pytest.raises(InputError, match=r"line 2: label: missing for 0000\.png .* validation"):
        load(config_of(found, few_labels_ok=True, controls="0,1", exam="off"))
    data = load(config_of(found, controls="0,1", exam="off", test_images=2))
    assert data.asked_tests.tolist()[0] == 0  # without the flag it is bought


@given(
    st.lists(st.integers(-1, 2), min_size=5, max_size=200),
    st.integers(0, 2**40),
    st.integers(0, 300),
)
def test_every_image_has_one_role_and_only_labelled_ones_are_controls(
    codes: list[int], seed: int, tests: int
) -> None:
    truth = np.array(codes)
    config = make_config({"budget": "5", "seed": seed, "test_images": tests})
    rows = with_tests(deal_roles(truth, np.arange(len(truth)), seed), truth, config)
    dealt = np.concatenate([rows[role] for role in ("pool", "control", *TESTS)])
    assert sorted(dealt.tolist()) == list(range(len(truth)))
    assert (truth[rows["control"]] >= 0).all()
    assert (truth[rows["pool"]] < 0).all()
    bought = sum(int((truth[rows[role]] < 0).sum()) for role in TESTS)
    assert bought <= min(tests, 0.4 * (truth < 0).sum())


def test_stand_ins_are_as_uncertain_as_the_model_and_known_labels_stay(tmp_path: Path) -> None:
    config = config_of(few_known(tmp_path, 700, 60))
    data = load(config)
    from training.features import extract

    values = extract(data.images, "pixels", None, tmp_path / "cache").values
    made = with_stand_ins(data, config, lambda: values)
    known = data.truth >= 0
    assert (made.answered[known] == data.truth[known]).all()
    predicted = predict_from_known(data, values, config.seed)
    truth = truth_of(data.images.names, data.classes)
    p = predicted.probabilities[~known]
    right = (p.argmax(axis=1) == truth[~known]).mean()
    assert p.max(axis=1).mean() == pytest.approx(right, abs=0.1)  # calibrated: it knows its errors
    drawn = stand_ins(predicted, data, DRAWN, config.seed)[~known]
    agree = (drawn == p.argmax(axis=1)).mean()
    assert agree == pytest.approx(p.max(axis=1).mean(), abs=0.06)
    likeliest = stand_ins(predicted, data, LIKELIEST, config.seed)[~known]
    assert (likeliest == p.argmax(axis=1)).all()


def test_an_image_keeps_its_drawn_class_when_others_join(tmp_path: Path) -> None:
    from dataclasses import replace

    data = load(config_of(few_known(tmp_path, 120, 60), test_images=20))
    values = np.random.default_rng(0).random((len(data.truth), 5)).astype(np.float32)
    predicted = predict_from_known(data, values, 0)
    all_drawn = stand_ins(predicted, data, DRAWN, 0)
    half = replace(data.images, hashes=data.images.hashes[:90], names=data.images.names[:90])
    few = replace(predicted, probabilities=predicted.probabilities[:90])
    assert (stand_ins(few, replace(data, images=half), DRAWN, 0) == all_drawn[:90]).all()


def test_real_money_and_recordings_draw_no_labels(tmp_path: Path) -> None:
    config = config_of(few_known(tmp_path, 100, 60), market="toloka", image_url_prefix="https://x/")
    data = load(config)

    def never() -> np.ndarray:
        raise AssertionError("no model is needed")

    assert with_stand_ins(data, config, never) is data
