"""Image addresses: every image that annotators will see has one, before any money moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from budget.errors import InputError
from hpo.data.dataset import load
from hpo.data.image_urls import addresses, hidden, refuse_hidden, stand_ins
from tests.hpo.data.test_dataset import config_of, folder

SHOWN = ("pool", "control")


def shown(data) -> list[int]:
    return [int(row) for role in SHOWN for row in data.rows[role]]


def with_urls(root: Path, url) -> None:
    """A column url in the labels file, from a function of the image's name."""
    labels = folder(root)
    head, *lines = labels.read_text().split()
    rows = [f"{line},{url(line.split(',')[0])}" for line in lines]
    labels.write_text("\n".join([f"{head},url", *rows]) + "\n")


def test_a_column_wins_over_the_prefix_and_names_are_quoted(tmp_path: Path) -> None:
    with_urls(tmp_path, lambda name: "https://a.org/x.png" if name == "pool1.png" else "")
    config = config_of(tmp_path, image_url_prefix="https://b.org/my%20photos/?f=")
    data = load(config)
    found = addresses(config, data, shown(data))
    by_name = {data.images.names[row]: url for row, url in found.items()}
    assert by_name["pool1.png"] == "https://a.org/x.png"
    assert by_name["control2.png"] == "https://b.org/my%20photos/?f=control2.png"
    assert stand_ins(config, data, shown(data)) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", r"labels.csv: image 'pool1.png' has no address; give each image its own in a column"),
        ("photos/pool1.png", "'pool1.png' has 'photos/pool1.png' for an address, which is none"),
        ("ftp://a.org/1", "which is none"),
        ("https:///1", "which is none"),
        ("https://a.org/a b", "which is none"),
        ("https://me:secret@a.org/1", "a password in it"),
        ("https://a.org/pool0.png", "'pool1.png' has the address of 'pool0.png'"),
        ("https://a.org/" + "x" * 2000, "an address of 2014 characters"),
    ],
)
def test_an_image_without_a_good_address_is_named(url: str, said: str, tmp_path: Path) -> None:
    with_urls(tmp_path, lambda name: url if name == "pool1.png" else f"https://a.org/{name}")
    data = load(config_of(tmp_path))
    with pytest.raises(InputError, match=said) as caught:
        addresses(config_of(tmp_path), data, shown(data))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_only_images_that_annotators_see_need_one(tmp_path: Path) -> None:
    seen = SHOWN
    with_urls(tmp_path, lambda name: f"https://a.org/{name}" if name.startswith(seen) else "")
    data = load(config_of(tmp_path))
    assert len(addresses(config_of(tmp_path), data, shown(data))) == 8


def test_a_rehearsal_without_any_address_stands_some_in(tmp_path: Path) -> None:
    folder(tmp_path)
    config = config_of(tmp_path)
    data = load(config)
    found = stand_ins(config, data, shown(data))
    assert found is not None
    assert all(".invalid/" in url for url in found.values())
    with pytest.raises(InputError, match=r"image .pool0\.png. has no address"):
        addresses(config, data, shown(data))


def test_a_prefix_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'photos/' is no beginning of an address"):
        config_of(tmp_path, image_url_prefix="photos/")


def test_no_market_needs_labels_of_the_pool(tmp_path: Path) -> None:
    labels = folder(tmp_path)
    labels.write_text(labels.read_text().replace(",dog,pool", ",,pool"))
    for market in ("toloka", "simulated", "rehearsal"):
        data = load(config_of(tmp_path, market=market))
        assert (data.truth[data.rows["pool"]] < 0).sum() == 2


def test_addresses_of_images_that_browsers_do_not_show_are_refused(tmp_path: Path) -> None:
    with_urls(tmp_path, lambda name: "https://a.org/?f=1.TIFF" if name == "pool1.png" else "")
    config = config_of(tmp_path, image_url_prefix="https://b.org/")
    data = load(config)
    where = addresses(config, data, shown(data))
    assert hidden(where, data).startswith("1 image is TIFF or HEIC, such as 'pool1.png', which")
    with pytest.raises(InputError, match="convert them to JPEG, and give the addresses"):
        refuse_hidden(where, data)
    assert hidden({row: f"https://b.org/{row}.jpg" for row in where}, data) == ""
