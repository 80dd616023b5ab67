"""Where annotators of a real market see the images: checked before any money moves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.settings.config import StudyConfig

_LONGEST = 2000  # characters that browsers and servers take without trouble
_NOT_SHOWN = (".tif", ".tiff", ".heic", ".heif")
_INLINE_LEAST, _INLINE_SIDE = 160, 640  # pixels
_STAND_IN = "https://rehearsal.invalid/"  # a name that, by RFC 2606, leads nowhere


def addresses(config: StudyConfig, data: Dataset, rows: Iterable[int]) -> dict[int, str]:
    """The address of each of some images: its own, else the prefix and its name.

    Args:
        config: may give the prefix.
        data: the study's images.
        rows: those that annotators see.

    Raises:
        InputError: an image has no address, one that is none, or the same as another.
    """
    by_row: dict[int, str] = {}
    seen: dict[str, str] = {}
    for row in (int(row) for row in rows):
        name = data.images.names[row]
        url = (data.urls[row] if data.urls else "") or prefixed(config, name)
        problem = _problem(url) if url else "has no address"
        if problem is None and url in seen:
            problem = f"has the address of {seen[url]!r}"
        if problem is not None:
            raise InputError(
                f"{config.labels or config.data}: image {name!r} {problem}; give each image its "
                "own in a column url, or --image-url-prefix"
            )
        by_row[row], seen[url] = url, name
    return by_row


def refuse_hidden(where: Mapping[int, str], data: Dataset) -> None:
    """Refuse addresses of images that annotators would not see.

    Raises:
        InputError: naming the first of them, and the remedy.
    """
    if said := hidden(where, data):
        raise InputError(
            f"{said}; convert them to JPEG, and give the addresses of the copies in a column url"
        )


def hidden(where: Mapping[int, str], data: Dataset) -> str:
    """Which of the images shown annotators would not see, by their addresses; "" for none.

    Args:
        where: address of each image shown, by row.
        data: the study's images.
    """
    rows = [row for row, at in where.items() if at.lower().endswith(_NOT_SHOWN)]
    if not rows:
        return ""
    few = "image is" if len(rows) == 1 else "images are"
    return (
        f"{len(rows)} {few} TIFF or HEIC, such as {data.images.names[rows[0]]!r}, which most "
        "browsers of annotators do not show"
    )


def prefixed(config: StudyConfig, name: str) -> str:
    """An image's address by the prefix; "" without one."""
    return config.image_url_prefix + quote(name) if config.image_url_prefix else ""


def stand_ins(config: StudyConfig, data: Dataset, rows: Iterable[int]) -> dict[int, str] | None:
    """Addresses that lead nowhere, for a rehearsal; None where some image has an address."""
    if config.image_url_prefix or any(data.urls):
        return None
    names = data.images.names
    return {int(row): f"{_STAND_IN}{quote(config.study)}/{quote(names[row])}" for row in rows}


def _problem(url: str) -> str | None:
    """The fault of an address, in words that follow the image's name."""
    if len(url) > _LONGEST:
        return f"has an address of {len(url)} characters"
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.password or parts.username
    except ValueError:
        host, secret = None, None
    if host is None or parts.scheme not in ("http", "https") or re.search(r"[\s\x00-\x1f]", url):
        return f"has {url!r} for an address, which is none (https://...)"
    if secret:
        return "has an address with a password in it, which annotators would see"
    return None


def inlined(data: Dataset, row: int) -> str:
    """An image as an address that holds the image itself: it needs no web server.

    Small images are enlarged without smoothing, large ones reduced to `_INLINE_SIDE` pixels.
    """
    import base64
    import io

    from PIL import Image

    from training.images import read_image

    picture = Image.fromarray(read_image(data.images, row))
    side = max(picture.size)
    if side < _INLINE_LEAST:
        times = -(-_INLINE_LEAST // side)
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    picture.thumbnail((_INLINE_SIDE, _INLINE_SIDE))
    buffer = io.BytesIO()
    is_small = side < _INLINE_LEAST
    picture.save(buffer, "PNG" if is_small else "JPEG", quality=85)
    kind = "png" if is_small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
