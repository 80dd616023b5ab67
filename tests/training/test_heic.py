"""HEIC is read where its extra is installed; else it is listed with the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.data.folder import said_bad
from training import decoding
from training.images import BadImage, read_batch, scan_images


def test_heic_is_upright_and_close_to_its_pixels(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    decoding.formats()
    pixels = np.zeros((40, 64, 3), dtype=np.uint8)
    pixels[:20, :, 0] = 250  # red above
    turned = Image.fromarray(pixels)
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "a.heic", exif=exif.tobytes(), quality=90)
    (tmp_path / "cut.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:200])
    index, bad = scan_images(tmp_path, ["a.heic", "cut.heic"])
    assert bad == (BadImage("cut.heic", bad[0].reason),)
    assert bad[0].reason in ("corrupt", "unsupported")
    shown = read_batch(index, [0], 40)[0].astype(int)
    assert shown[30:, :, 0].min() > 200  # red below
    assert shown[:10, :, 0].max() < 50


@pytest.mark.parametrize("installed", [False, True])
def test_without_the_extra_the_message_names_it(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = ("HEIF",) if installed else ()
    monkeypatch.setattr(decoding, "formats", lambda: (*decoding.FORMATS, *has))
    said = said_bad(Path("photos"), [BadImage("a/2.HEIC", "unsupported")])
    assert "a/2.HEIC (unsupported); readable formats are JPEG, PNG" in said
    assert ("HEIC with pip install 'labelworth[heic]'" in said) != installed
