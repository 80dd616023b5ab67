"""Images of a folder that can be used: those that are listed, readable and each another content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from budget.errors import InputError
from hpo.data.labels_csv import LabelLine
from hpo.data.listing import Listing
from hpo.settings.config import StudyConfig
from labeling.tables.spelling import plain_name

if TYPE_CHECKING:
    from training.images import BadImage, ImageIndex

_NAMED = 5  # how many files an error names before it counts the rest


@dataclass(frozen=True, slots=True)
class FolderImages:
    """The readable images of a folder, a row each.

    Attributes:
        images: their index.
        lines: what is known of each row.
        keep: rows with a content of their own, ascending.
        twins: row of a repeated content -> the row that is kept.
        left_out: listed images that are not among `keep`.
        notes: what was left out, one line each.
    """

    images: ImageIndex
    lines: tuple[LabelLine, ...]
    keep: tuple[int, ...]
    twins: Mapping[int, int]
    left_out: int
    notes: tuple[str, ...]


def read_folder(
    root: Path,
    listing: Listing,
    config: StudyConfig,
    kept_roles: Mapping[str, str] | None = None,
    cache: Path | None = None,
) -> FolderImages:
    """Decode the listed images of a folder once.

    Args:
        root: the folder.
        listing: its images.
        config: says whether images that cannot be used are left out.
        kept_roles: role of each image that the study was started with. Others came later and are
            left out. None at the start.
        cache: folder that keeps what was decoded; None keeps nothing.

    Raises:
        InputError: images cannot be read, or the same content has two roles or two labels.
    """
    from training.images import scan_images

    listing, later = _as_started(listing, kept_roles)
    images, bad = scan_images(root, [line.image for line in listing.lines], cache=cache)
    notes = []
    if later:
        new, bad_too = scan_images(root, later, cache=cache)
        bad = (*bad, *bad_too)
        if len(new):
            name = root.resolve().name
            notes.append(f"{len(new)} images of {name} came after the roles were drawn: left out")
    if bad and not config.skip_bad_images:
        raise InputError(said_bad(root, bad))
    by_name = {line.image: line for line in listing.lines}
    lines = tuple(by_name[name] for name in images.names)
    left_out = len(bad)
    if bad:
        notes.append(f"{len(bad)} images that cannot be read are left out")
    keep, twins = _unique(images.hashes, lines, listing.origin, config)
    if twins:
        left_out += len(twins)
        notes.append(f"{len(twins)} images with the content of another are left out")
    return FolderImages(images, lines, tuple(keep), twins, left_out, tuple(notes))


def _as_started(
    listing: Listing, kept_roles: Mapping[str, str] | None
) -> tuple[Listing, list[str]]:
    """The listing with the roles that were kept, and the names of images that came later."""
    if kept_roles is None:
        return listing, []
    there = {line.image for line in listing.lines}
    gone = [name for name in kept_roles if name not in there]
    if gone:
        raise InputError(
            f"{listing.origin}: {len(gone)} images of the study are not listed any more, such as "
            f"{gone[0]}; bring them back, or start another study with --study NAME"
        )
    lines = tuple(
        replace(line, role=kept_roles[line.image])
        for line in listing.lines
        if line.image in kept_roles
    )
    later = [line.image for line in listing.lines if line.image not in kept_roles]
    return replace(listing, lines=lines, has_roles=True), later


def said_bad(root: Path, bad: Sequence[BadImage]) -> str:
    """Files that cannot be used, why, and the remedies, in one line."""
    from training.decoding import HEIC, formats

    listed = "; ".join(f"{item.name} ({item.reason})" for item in bad[:_NAMED])
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    unread = [item.name for item in bad if item.reason == "unsupported"]
    readable = f"; readable formats are {', '.join(formats())}" if unread else ""
    if "HEIF" not in formats() and any(name.lower().endswith(HEIC) for name in unread):
        readable += ", and HEIC with pip install 'labelworth[heic]'"
    return (
        f"{root}: {len(bad)} images cannot be used: {listed}{more}{readable}; "
        "mend them, or add --skip-bad-images to leave them out"
    )


def _unique(
    hashes: Sequence[str], lines: Sequence[LabelLine], origin: str, config: StudyConfig
) -> tuple[list[int], dict[int, int]]:
    """Rows with content of their own, and the others' twins.

    Equal content in two roles would leak answers.
    """
    first: dict[str, int] = {}
    twins: dict[int, int] = {}
    for row, content in enumerate(hashes):
        other = first.setdefault(content, row)
        if other == row:
            continue
        a, b = lines[other], lines[row]
        is_other = plain_name(a.label) != plain_name(b.label) and a.label and b.label
        if (a.role != b.role or is_other) and not config.skip_bad_images:
            what = f"roles {a.role} and {b.role}" if a.role != b.role else "two labels"
            where = f" lines {a.number} and {b.number}:" if a.number and b.number else ""
            raise InputError(
                f"{origin}:{where} {a.image} and {b.image} have the same "
                f"content and {what}; keep one, or add --skip-bad-images"
            )
        if b.label and not a.label:  # the label counts, wherever it stands
            first[content], other, row = row, row, other
        twins[row] = other
    return sorted(first.values()), {row: first[hashes[row]] for row in twins}
