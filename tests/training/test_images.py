"""Images are indexed by content; bad files are named with a reason and never fatal."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from budget.errors import InputError
from tests.drawn import examples
from training.images import (
    BadImage,
    index_array,
    load_digits,
    load_npz,
    read_batch,
    scan_images,
)


def noise(seed, h=20, w=30):
    return np.random.default_rng(seed).integers(0, 256, size=(h, w, 3), dtype=np.uint8)


def bomb_png(side):
    """A one-bit PNG of side x side zeros: some kB on disk, side^2 pixels when decoded."""

    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*c) for c in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with one file of every kind, beside a secret outside it."""
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    Image.fromarray(noise(0)).save(tmp_path / "secret.png")
    Image.fromarray(noise(1)).save(root / "good.png")
    Image.fromarray(noise(1)).save(root / "sub" / "same.bmp")
    Image.fromarray(noise(2)).save(root / "photo.jpg", quality=95)
    Image.fromarray(noise(3)).save(root / "web.webp", lossless=True)
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.png").write_text("hello, I am a label file")
    (root / "garbage.jpg").write_bytes(np.random.default_rng(0).bytes(5000))
    (root / "truncated.jpg").write_bytes((root / "photo.jpg").read_bytes()[:600])
    (root / "truncated.png").write_bytes((root / "good.png").read_bytes()[:300])
    (root / "bomb.png").write_bytes(bomb_png(13_000))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    Image.fromarray(noise(4)).save(root / "drawing.tiff")
    depths = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    Image.fromarray(depths).save(root / "depths.tiff")
    return root


BAD = {
    "missing.png": "missing",
    "sub": "missing",  # a folder
    "loop.png": "missing",
    "nul\0.png": "missing",
    "x" * 5000: "missing",
    "empty.jpg": "empty",
    "text.png": "unsupported",
    "garbage.jpg": "unsupported",
    "depths.tiff": "unsupported",  # what black and white are is not known
    "truncated.jpg": "corrupt",
    "truncated.png": "corrupt",
    "bomb.png": "oversized",
    "../secret.png": "outside",
    "sub/../good.png": "outside",
    "link.png": "outside",
}


def test_every_bad_file_is_named_with_its_reason_and_the_good_ones_stay(folder):
    names = [
        *BAD,
        str(folder.parent / "secret.png"),
        "good.png",
        "photo.jpg",
        "web.webp",
        "drawing.tiff",
    ]
    index, bad = scan_images(folder, names)
    assert bad[:-1] == tuple(BadImage(name, reason) for name, reason in BAD.items())
    assert bad[-1] == BadImage(str(folder.parent / "secret.png"), "outside")
    assert index.names == ("good.png", "photo.jpg", "web.webp", "drawing.tiff")
    assert index.side == 30


def test_bomb_is_small_on_disk_and_never_decoded(folder, monkeypatch):
    assert (folder / "bomb.png").stat().st_size < 30_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("was decoded"))
    _, bad = scan_images(folder, ["bomb.png"])
    assert bad == (BadImage("bomb.png", "oversized"),)


def test_limits_can_be_set(folder):
    _, bad = scan_images(folder, ["good.png"], max_pixels=599)
    assert [b.reason for b in bad] == ["oversized"]
    _, bad = scan_images(folder, ["good.png"], max_bytes=100)
    assert [b.reason for b in bad] == ["oversized"]


def test_folder_that_is_none_and_names_listed_twice_are_refused(folder):
    with pytest.raises(InputError, match="not a folder"):
        scan_images(folder / "nowhere", ["a.png"])
    with pytest.raises(InputError, match=r"'good.png' is listed twice"):
        scan_images(folder, ["good.png", "good.png"])


@settings(deadline=None, max_examples=examples(40), derandomize=True)
@given(
    cut=st.integers(0, 400),
    flip=st.lists(st.integers(0, 399), max_size=8),
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP"]),
)
def test_damaged_files_never_raise(tmp_path_factory, cut, flip, kind):
    root = tmp_path_factory.mktemp("damaged")
    buffer = io.BytesIO()
    Image.fromarray(noise(5, 8, 8)).save(buffer, kind)
    content = bytearray(buffer.getvalue()[: max(1, cut)])
    for at in flip:
        content[at % len(content)] ^= 0xFF
    (root / "a.img").write_bytes(content)
    index, bad = scan_images(root, ["a.img"])
    assert len(index) + len(bad) == 1


def test_equal_content_has_equal_hash_whatever_the_file_format(folder):
    index, _ = scan_images(folder, ["good.png", "sub/same.bmp", "web.webp"])
    assert index.hashes[0] == index.hashes[1] != index.hashes[2]


def test_transposed_shape_is_other_content():
    flat = np.zeros((1, 2, 6), np.uint8)
    assert index_array(flat, ["a"]).hashes != index_array(flat.reshape(1, 6, 2), ["a"]).hashes


def test_upright_white_ground_and_deep_grey(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to show
    Image.fromarray(noise(6, 8, 16)).save(tmp_path / "turned.png", exif=exif)
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    clear.convert("P").save(tmp_path / "palette.gif", transparency=0)
    deep = np.full((4, 4), 128 * 257, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    names = ["turned.png", "clear.png", "palette.gif", "deep.png"]
    index, bad = scan_images(tmp_path, names)
    assert bad == ()
    turned, clear_, palette, grey = (read_batch(index, [row], 8)[0] for row in range(4))
    expected = Image.fromarray(np.rot90(noise(6, 8, 16), -1)).resize((8, 8), Image.BICUBIC)
    assert np.array_equal(turned, np.asarray(expected))
    assert (clear_ == 255).all()
    assert (palette == 255).all()
    assert (grey == 128).all()


def test_file_that_changed_since_the_scan_is_not_used(folder):
    index, _ = scan_images(folder, ["good.png", "photo.jpg"])
    Image.fromarray(noise(9)).save(folder / "good.png")
    (folder / "photo.jpg").unlink()
    with pytest.raises(InputError, match=r"good.png: its content changed"):
        read_batch(index, [0], 8)
    with pytest.raises(InputError, match=r"photo.jpg: missing since"):
        read_batch(index, [1], 8)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((5, 64)), "must be images"),
        (np.zeros((5, 3, 8, 8)), "1 or 3"),
        (np.zeros((0, 8, 8)), "must be images"),
        (np.zeros((5, 8, 8), dtype=bool), "not bool"),
        (np.full((5, 8, 8), np.nan), "finite"),
        (np.full((5, 8, 8), -1), "0..255"),
        (np.full((5, 8, 8), 256), "0..255"),
        (np.zeros((4, 8, 8)), "4 images but 5 names"),
    ],
)
def test_arrays_that_are_no_images_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        index_array(x, list("abcde"))


def test_grey_levels_mean_the_same_in_all_types():
    x = np.arange(64).reshape(1, 8, 8) * 4
    as_bytes = index_array(x.astype(np.uint8), ["a"])
    as_floats = index_array(x.astype(np.float64), ["a"])
    as_shares = index_array((x / 255)[..., None], ["a"])
    assert as_bytes.pixels.dtype == np.uint8
    np.testing.assert_allclose(as_floats.pixels, as_shares.pixels, atol=1e-6)
    for index in (as_floats, as_shares):
        assert np.array_equal(read_batch(index, [0], 8), read_batch(as_bytes, [0], 8))


def test_digits_are_1797_different_images():
    index, digit = load_digits()
    assert len(index) == len(digit) == 1797
    assert index.side == 8
    assert sorted(set(digit.tolist())) == list(range(10))
    assert len(set(index.hashes)) == 1797
    assert index.pixels.max() == 1.0


def test_npz_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.stack([noise(1), noise(2)]), y=np.array([1, 0], np.uint8))
    index, y = load_npz(tmp_path / "a.npz")
    assert index.pixels.shape == (2, 20, 30, 3)
    assert y.tolist() == [1, 0]
    assert y.dtype == np.int64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 8, 8))}, "'y' is missing"),
        ({"y": np.zeros(3, int)}, "'x' is missing"),
        ({"x": np.zeros((3, 8, 8)), "y": np.zeros(2, int)}, "3 images in x but 2 labels"),
        ({"x": np.zeros((3, 8, 8)), "y": np.zeros((3, 1), int)}, "one integer class"),
        ({"x": np.zeros((3, 8, 8)), "y": np.zeros(3)}, "one integer class"),
        ({"x": np.zeros((3, 8, 8)), "y": np.array([0, -1, 2])}, "negative"),
        ({"x": np.zeros((3, 64)), "y": np.zeros(3, int)}, "must be images"),
        ({"x": np.array(5.0), "y": np.zeros(3, int)}, "must be images"),
        ({"x": np.array([{}], dtype=object), "y": np.zeros(1, int)}, "plain arrays"),
    ],
)
def test_npz_with_wrong_arrays_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message) as caught:
        load_npz(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"\x93NUMPY\x01"])
def test_files_that_are_no_npz_are_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a NumPy archive"):
        load_npz(tmp_path / "a.npz")
    with pytest.raises(InputError, match="no such file"):
        load_npz(tmp_path / "b.npz")


def test_npz_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("training.images.MAX_NPZ_BYTES", 10_000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((3, 80, 80)), y=np.zeros(3, int))
    with pytest.raises(InputError, match="unpacks to"):
        load_npz(tmp_path / "a.npz")
