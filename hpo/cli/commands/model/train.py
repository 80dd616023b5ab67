"""`labelworth train`: a model as one file, from labels and their images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.console import print_json, print_lines, stderr
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from hpo.trial.model.from_labels import DiskLabels, MadeModel
    from training.images import ImageIndex

_NAMED = 5


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "train", "a model as one file, from labels and their images")
    words = "a label version (folder or id), a study's labels.csv, or a CSV with image,label"
    parser.add_argument("labels", metavar="VERSION", help=words)
    words = "folder of the images, npz:FILE, or digits for the scans of the default study"
    parser.add_argument("--images", metavar="DIR", required=True, help=words)
    words = "the model (model.safetensors)"
    out = Path("model.safetensors")
    parser.add_argument("--out", metavar="FILE", type=Path, default=out, help=words)
    parser.add_argument("--overwrite", action="store_true", help="replace the model")
    words = "auto, pixels, patch or a timm model's name (auto)"
    parser.add_argument("--backbone", metavar="NAME", default="auto", help=words)
    words = "the backbone's weights, a .safetensors file"
    parser.add_argument("--backbone-file", metavar="FILE", type=Path, help=words)
    words = "side in pixels at which a timm model sees the images"
    parser.add_argument("--image-size", metavar="N", type=int, help=words)
    words = "leave out images that cannot be read, or are not there"
    parser.add_argument("--skip-bad-images", action="store_true", help=words)
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="deals the folds (0)")
    words = "the folder of all studies: versions by id, cached features (runs)"
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help=words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Train a model on labels and write it."""
    from budget.errors import InputError
    from budget.files import private_folder, write_whole
    from hpo.cli.progress import feature_bar
    from hpo.trial.model.from_labels import read_disk_labels, train_from
    from training.encoder import encoder_of
    from training.features import extract
    from training.saved import model_bytes

    out: Path = arguments.out
    if out.exists() and not arguments.overwrite:
        raise InputError(f"{out}: is there already; give another --out, or add --overwrite")
    if out.suffix != ".safetensors":
        raise InputError(f"--out: {out}: a model's name ends in .safetensors")
    labels = read_disk_labels(arguments.labels, arguments.runs)
    index, labels, notes = _with_images(labels, arguments.images, arguments.skip_bad_images)
    print_lines([*labels.notes, *notes], stderr())
    cache = arguments.runs / ".features"
    backbone, weights = arguments.backbone, arguments.backbone_file
    with feature_bar(stderr()):
        features = extract(index, backbone, weights, cache, arguments.image_size)
    made = train_from(labels, features.values, arguments.seed)
    facts = {"labels": labels.origin, "backbone": features.name, "weights": features.weights_source}
    encoder = encoder_of(features, index)
    private_folder(out.parent)
    write_whole(out, model_bytes(made.model, labels.classes, facts, encoder))
    _tell(out, labels, made, features.name, arguments.json)
    return DONE


def _with_images(
    labels: DiskLabels, images: str, skips: bool
) -> tuple[ImageIndex, DiskLabels, list[str]]:
    """The images of the labels, the labels of those images, and notes."""
    from budget.errors import InputError
    from training.images import load_digits, load_npz

    notes: list[str] = []
    if images == "digits":
        index = load_digits()[0]
    elif images.startswith("npz:"):
        index = load_npz(Path(images.removeprefix("npz:")))[0]
    else:
        index, notes = _scanned(labels, Path(images), skips)
    row = {name: at for at, name in enumerate(index.names)}
    kept = [at for at, name in enumerate(labels.names) if name in row]
    if len(kept) < len(labels.names) and not skips:
        gone = next(name for name in labels.names if name not in row)
        raise InputError(
            f"{images}: {len(labels.names) - len(kept)} of {len(labels.names)} labelled images are "
            f"not there, such as {gone}; give their folder, or add --skip-bad-images"
        )
    if not kept:
        raise InputError(f"{images}: none of the {len(labels.names)} labelled images is there")
    return _rows(index, [row[labels.names[at]] for at in kept]), _only(labels, kept), notes


def _scanned(labels: DiskLabels, root: Path, skips: bool) -> tuple[ImageIndex, list[str]]:
    """The labelled images of a folder, under the names that the labels give them."""
    from dataclasses import replace

    from budget.errors import InputError
    from hpo.data.image_names import files_in, match_names
    from training.images import scan_images

    if not root.is_dir():
        raise InputError(f"--images: {root}: not a folder")
    match = match_names(labels.names, files_in(root))
    index, bad = scan_images(root, list(match.files.values()))
    if bad and not skips:
        listed = "; ".join(f"{item.name} ({item.reason})" for item in bad[:_NAMED])
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise InputError(
            f"{root}: {len(bad)} images cannot be read: {listed}{more}; mend them, or add "
            "--skip-bad-images"
        )
    listed_as = {file: name for name, file in match.files.items()}
    names = tuple(listed_as[file] for file in index.names)
    notes = [*match.note(labels.origin, len(labels.names))]
    if bad:
        notes.append(f"{len(bad)} images that cannot be read are left out")
    return replace(index, names=names), notes


def _rows(index: ImageIndex, rows: list[int]) -> ImageIndex:
    from training.images import ImageIndex

    return ImageIndex(
        tuple(index.names[row] for row in rows),
        tuple(index.hashes[row] for row in rows),
        None if index.pixels is None else index.pixels[rows],
        None if index.paths is None else tuple(index.paths[row] for row in rows),
        index.side,
    )


def _only(labels: DiskLabels, kept: list[int]) -> DiskLabels:
    """The labels of some images, with the answers about them."""
    from dataclasses import replace

    import numpy as np

    place = np.full(len(labels.names), -1)
    place[kept] = np.arange(len(kept))
    behind = place[labels.answer_row]
    return replace(
        labels,
        names=tuple(labels.names[at] for at in kept),
        shares=labels.shares[kept],
        weight=labels.weight[kept],
        answer_row=behind[behind >= 0],
        answer_label=labels.answer_label[behind >= 0],
    )


def _tell(out: Path, labels: DiskLabels, made: MadeModel, backbone: str, as_json: bool) -> None:
    temperature = made.model.temperature
    if as_json:
        print_json(
            {
                "model": str(out),
                "images": len(labels.names),
                "classes": list(labels.classes),
                "labels": labels.origin,
                "backbone": backbone,
                "agreement_held_out": round(made.agreement, 6),
                "temperature": None if temperature is None else round(temperature, 6),
            }
        )
        return
    calibrated = "calibrated" if temperature is not None else "not calibrated"
    print_lines(
        [
            f"{len(labels.names):,} images, {len(labels.classes)} classes, {backbone} features",
            f"The model gives {100 * made.agreement:.1f} % of the labels that it did not learn; "
            f"its probabilities are {calibrated}.",
            f"model: {out}",
        ]
    )
