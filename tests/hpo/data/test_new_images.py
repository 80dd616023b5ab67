"""New images beside a study's: what they may be, and that the study's rows stay what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from budget.errors import InputError
from hpo.data.dataset import Dataset, load
from hpo.data.image_urls import addresses
from hpo.data.new_images import with_new_images
from tests.hpo.data.test_dataset import config_of, folder


def more(root: Path, count: int = 3, same: bool = False) -> Path:
    """A folder of new PNGs, the first with the content of one of the study's."""
    new = root / "new"
    new.mkdir()
    rng = np.random.default_rng(1)
    for i in range(count):
        pixels = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(new / f"n{i}.png")
    if same:
        (new / "n0.png").write_bytes((root / "final0.png").read_bytes())
    return new


def joined(root: Path, labels: str | None, **settings: object) -> Dataset:
    path = None
    if labels is not None:
        path = root / "new.csv"
        path.write_text(labels)
    config = config_of(root, **settings)
    return with_new_images(config, load(config), f"folder:{root / 'new'}", path and str(path))


LABELS = "image,label\nn0.png,cat\nn1.png,dog\nn2.png,cat\n"


def test_new_images_follow_the_study_s_and_alone_make_up_the_pool(tmp_path: Path) -> None:
    folder(tmp_path)
    more(tmp_path)
    before = load(config_of(tmp_path))
    data = joined(tmp_path, LABELS)
    count = len(before.truth)
    assert data.images.names[:count] == before.images.names
    assert data.rows["pool"].tolist() == [count, count + 1, count + 2]
    assert data.truth[count:].tolist() == [0, 1, 0]
    for role in ("control", "validation", "final"):
        assert data.rows[role].tolist() == before.rows[role].tolist()
    assert data.key("pool", "control") != before.key("pool", "control")


def test_images_that_the_study_has_are_left_out(tmp_path: Path) -> None:
    folder(tmp_path)
    more(tmp_path, same=True)
    data = joined(tmp_path, LABELS)
    assert len(data.rows["pool"]) == 2
    assert any("1 new images are the study's own" in note for note in data.notes)


def test_real_money_needs_addresses_and_no_labels(tmp_path: Path) -> None:
    folder(tmp_path)
    more(tmp_path)
    real = {"market": "toloka", "image_url_prefix": "https://a.org/"}
    data = joined(tmp_path, "image,url\nn0.png,https://b.org/0\nn1.png,\n", **real)
    assert data.truth[data.rows["pool"]].tolist() == [-1, -1]
    found = addresses(config_of(tmp_path, **real), data, data.rows["pool"])
    assert list(found.values()) == ["https://b.org/0", "https://a.org/n1.png"]
    assert len(joined(tmp_path, None, **real).rows["pool"]) == 3  # every image of the folder


def test_new_images_of_a_simulated_market_need_no_labels(tmp_path: Path) -> None:
    folder(tmp_path)
    more(tmp_path)
    data = joined(tmp_path, "image\nn0.png\n")
    assert data.truth[data.rows["pool"]].tolist() == [-1]
    assert data.answered.min() >= 0


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("image,label\nn0.png,fish\n", "label 'fish' is no class of the study; valid are cat, dog"),
        ("image,label\nn9.png,cat\n", r"none of its 1 images is in .*, such as n9\.png"),
        (
            "image,label,role\nn0.png,cat,final\n",
            "line 2: role: final; new images are bought label",
        ),
        ("name,label\nn0.png,cat\n", "column 'name' is not known"),
        ("label\ncat\n", "column 'image' is missing; needed are image"),
        ("image,label\nn0.png,cat\nn0.png,dog\n", "lines 2 and 3: two labels for n0"),
    ],
)
def test_what_is_wrong_with_new_images_is_named(
    labels: str | None, said: str, tmp_path: Path
) -> None:
    folder(tmp_path)
    more(tmp_path)
    with pytest.raises(InputError, match=said):
        joined(tmp_path, labels)


def test_images_that_are_all_the_study_s_own_are_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    more(tmp_path, count=1, same=True)
    with pytest.raises(InputError, match="are the study's own"):
        joined(tmp_path, "image,label\nn0.png,cat\n")
