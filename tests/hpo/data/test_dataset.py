"""Images and roles: bad files are named before money moves; the split is seeded and stratified."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from budget.errors import InputError
from hpo.data.dataset import DIGITS3, few_labels_notes, load
from hpo.data.drawing import split
from hpo.settings.config import make_config
from hpo.trial.world import build

ROLES = ("pool", "control", "validation", "final")


def folder(root: Path, per_role: int = 4) -> Path:
    """A folder of small PNGs in two classes, and its labels file."""
    rng = np.random.default_rng(0)
    lines = ["image,label,role"]
    for role in ROLES:
        for i in range(per_role):
            name = f"{role}{i}.png"
            pixels = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name)
            lines.append(f"{name},{'cat' if i % 2 else 'dog'},{role}")
    labels = root / "labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    return labels


def config_of(root: Path, **more: object):
    given = {"budget": "5", "data": f"folder:{root}", "labels": str(root / "labels.csv")}
    return make_config({**given, "few_labels_ok": True, "controls": "0,1", **more})


def test_digits3_is_split_as_documented() -> None:
    data = load(make_config({"budget": "20"}))
    assert {role: len(rows) for role, rows in data.rows.items()} == {
        "pool": 980,
        "control": 50,
        "validation": 367,
        "final": 400,
    }
    everything = np.concatenate([data.rows[role] for role in ROLES])
    assert len(set(everything)) == 1797
    hashes = [data.images.hashes[row] for row in everything]
    assert len(set(hashes)) == len(hashes)
    shares = np.bincount(data.truth) / len(data.truth)
    for role in ROLES:
        rows = data.truth[data.rows[role]]
        assert np.abs(np.bincount(rows) - shares * len(rows)).max() <= 2
    assert data.classes == ("loop", "straight", "open")
    assert set(DIGITS3.values()) == {0, 1, 2}


def test_the_split_follows_the_seed() -> None:
    truth = np.repeat([0, 1, 2], 100)
    keep = np.arange(300)
    one, same, other = (split(truth, keep, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[role], same[role]) for role in ROLES)
    assert not np.array_equal(one["final"], other["final"])


def test_a_folder_with_roles_is_read(tmp_path: Path) -> None:
    folder(tmp_path)
    data = load(config_of(tmp_path))
    assert data.classes == ("cat", "dog")
    assert {role: len(rows) for role, rows in data.rows.items()} == dict.fromkeys(ROLES, 4)
    assert len(few_labels_notes(data)) == 3


def test_plans_take_their_images_from_groups_in_proportion(tmp_path: Path) -> None:
    labels = folder(tmp_path, per_role=40)
    without = load(config_of(tmp_path))
    head, *lines = labels.read_text().splitlines()
    days = ["day" if i % 4 else "night" for i in range(len(lines))]
    rows = [f"{line},{day}" for line, day in zip(lines, days, strict=True)]
    labels.write_text("\n".join([f"{head},group", *rows]) + "\n")
    data = load(config_of(tmp_path))
    (tmp_path / "world").mkdir()
    with closing(build(config_of(tmp_path), tmp_path / "world", data)) as world:
        taken = [data.groups[row] for row in world.pool]
    for size in (8, 12, 20, 40):
        assert abs(taken[:size].count("night") - size / 4) <= 1
    assert sorted(world.pool) == sorted(data.rows["pool"])
    assert data.key() != without.key()  # a study does not go on with other groups


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("pool0.png", "pool0.png (missing"),
        ("empty", "pool0.png (empty"),
        ("garbage", "pool0.png (unsupported"),
        ("truncated", "pool0.png ("),
    ],
)
def test_bad_files_are_named_and_can_be_left_out(tmp_path: Path, damage: str, said: str) -> None:
    folder(tmp_path)
    path = tmp_path / "pool0.png"
    content = path.read_bytes()
    path.unlink()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "garbage":
        path.write_bytes(b"not an image")
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError) as caught:
        load(config_of(tmp_path))
    assert said in str(caught.value)
    assert "--skip-bad-images" in str(caught.value)
    data = load(config_of(tmp_path, skip_bad_images=True))
    assert data.left_out == 1
    assert len(data.rows["pool"]) == 3
    assert "1 images that cannot be read are left out" in data.notes


def test_the_same_content_in_two_roles_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "final1.png").write_bytes((tmp_path / "pool1.png").read_bytes())
    with pytest.raises(InputError, match=r"pool1.png and final1.png have the same content"):
        load(config_of(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("pool0.png,dog,pool", "pool0.png,dog,train", "line 2: role: 'train' is not known"),
        ("pool0.png,dog,pool", "pool0.png,dog,pol", "did you mean 'pool'"),
        ("pool1.png,cat,pool", "pool0.png,cat,pool", "lines 2 and 3: two labels for pool0.png"),
        ("image,label,role", "image,role,url", "column 'label' is missing"),
        ("image,label,role", "image,lable,role", "column 'lable' is not known; did you mean"),
        ("pool0.png,dog,pool", "pool0.png,dog", "row 2 has 2 cells, its first line 3"),
        ("pool0.png,dog,pool", "gone.png,dog,pool", "gone.png (missing"),
        ("pool0.png,dog,pool", ",dog,pool", "line 2: image: no file name"),
        ("final0.png,dog,final", "final0.png,,final", "label: missing for final0.png"),
        ("pool0.png,dog,pool", "../x.png,dog,pool", "../x.png ("),
    ],
)
def test_bad_labels_files_name_line_and_remedy(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    labels = folder(tmp_path)
    labels.write_text(labels.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        load(config_of(tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_class_only_and_missing_files(tmp_path: Path) -> None:
    labels = folder(tmp_path)
    labels.write_text(labels.read_text().replace(",cat,", ",dog,"))
    with pytest.raises(InputError, match="only 'dog'; at least two classes"):
        load(config_of(tmp_path))
    with pytest.raises(InputError, match="no such file"):
        load(config_of(tmp_path, labels=str(tmp_path / "none.csv")))
    with pytest.raises(InputError, match="is not a folder"):
        load(config_of(tmp_path, data=f"folder:{tmp_path / 'none'}"))


def test_too_few_labels_are_refused_unless_allowed(tmp_path: Path) -> None:
    folder(tmp_path)
    with pytest.raises(InputError, match="role control: 4 images, at least 20 are advised"):
        load(config_of(tmp_path, few_labels_ok=False))


def test_more_controls_than_control_images(tmp_path: Path) -> None:
    folder(tmp_path)
    with pytest.raises(InputError, match="there are only 4 control images"):
        load(config_of(tmp_path, controls="5"))


def test_npz_arrays_are_split_without_repeated_content(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 255, (200, 8, 8)).astype(np.uint8)
    x[7] = x[3]
    path = tmp_path / "images.npz"
    np.savez(path, x=x, y=np.arange(200) % 4)
    data = load(make_config({"budget": "5", "data": f"npz:{path}", "few_labels_ok": True}))
    assert data.left_out == 1
    assert sum(len(rows) for rows in data.rows.values()) == 199
    np.savez(path, x=x[:, 0], y=np.arange(200))
    with pytest.raises(Exception, match="x") as caught:
        load(make_config({"budget": "5", "data": f"npz:{path}", "few_labels_ok": True}))
    assert "InputError" in type(caught.value).__name__
