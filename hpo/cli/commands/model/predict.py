"""`labelworth predict`: labels of new images, with calibrated probabilities, as a table."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.console import print_json, print_lines, stderr
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from hpo.cli.commands.model.held_against import Hits
    from hpo.cli.commands.model.predictions import Predictions
    from training.images import BadImage
    from training.saved import SavedModel

_NAMED = 5
_SECONDS = 5.0  # between two lines of progress


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "predict", "label new images by a saved model: a CSV")
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model.safetensors")
    parser.add_argument("images", metavar="DIR", type=Path, help="a folder of images, or one image")
    words = "the table (predictions.csv); a run that was killed goes on with it"
    out = Path("predictions.csv")
    parser.add_argument("--out", metavar="FILE.csv", type=Path, default=out, help=words)
    words = "the weights of the model's backbone, where it has one that is not at hand"
    parser.add_argument("--backbone-file", metavar="FILE", type=Path, help=words)
    parser.add_argument("--overwrite", action="store_true", help="replace the table")
    words = "leave out images that cannot be read"
    parser.add_argument("--skip-bad-images", action="store_true", help=words)
    words = (
        "labels to hold the model against, such as a study's test_labels.csv (image,label[,mark])"
    )
    parser.add_argument("--test", metavar="FILE.csv", type=Path, help=words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Label the images of a folder and write the table."""
    from budget.errors import InputError
    from hpo.cli.commands.model.held_against import count_hits, read_tests
    from hpo.cli.commands.model.predictions import Predictions
    from training.saved import load_model

    model, out = load_model(arguments.model), arguments.out
    tests = read_tests(arguments.test, model.classes) if arguments.test else {}
    root, names = _listed(arguments.images)
    with Predictions(out, model).growing() as table:
        if out.exists() and not arguments.overwrite:
            raise InputError(f"{out}: is there already; give another --out, or add --overwrite")
        done = table.done()
        left = [name for name in names if name not in done]
        if done:
            print_lines([f"{len(names) - len(left):,} of {len(names):,} rows are there"], stderr())
        bad = _label(model, root, left, table, arguments.backbone_file)
        if bad and not arguments.skip_bad_images:
            raise InputError(f"{_said(bad)}; mend them, or add --skip-bad-images: no row is lost")
        table.finish()
    hits = count_hits(out, tests)
    if tests and not hits:
        raise InputError(
            f"{arguments.test}: none of its images is among those of {arguments.images}"
        )
    _tell(out, bad, arguments.json, hits)
    return DONE


def _listed(images: Path) -> tuple[Path, list[str]]:
    """The folder, and the names of its images."""
    from budget.errors import InputError
    from hpo.data.image_names import files_in
    from hpo.data.listing import SUFFIXES

    if images.is_file():
        return images.parent, [images.name]
    if not images.is_dir():
        raise InputError(f"{images}: no such folder or image")
    names = [name for name in files_in(images) if name.lower().endswith(SUFFIXES)]
    if not names:
        raise InputError(f"{images}: no images there; their names end in {', '.join(SUFFIXES)}")
    return images, names


def _label(
    model: SavedModel, root: Path, names: Sequence[str], table: Predictions, weights: Path | None
) -> list[BadImage]:
    """Label the images; their rows are kept batch by batch. Returns those that cannot be read."""
    began = said = time.monotonic()
    labelled = 0
    bad: list[BadImage] = []
    for part in model.stream([root / name for name in names], weights):
        table.append([str(Path(image).relative_to(root)) for image in part.images], part)
        bad += part.bad
        labelled += len(part.images)
        if time.monotonic() - said > _SECONDS:
            said = time.monotonic()
            rate = labelled / (said - began)
            line = f"{labelled:,} of {len(names):,} images, {rate:.0f} a second"
            print_lines([line], stderr())
    return bad


def _said(bad: Sequence[BadImage]) -> str:
    """The images that cannot be read, in one line."""
    from hpo.answer.plan_in_words import counted

    listed = "; ".join(f"{image.name} ({image.reason})" for image in bad[:_NAMED])
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return f"{counted(len(bad), 'image')} cannot be read: {listed}{more}"


def _tell(out: Path, bad: Sequence[BadImage], as_json: bool, hits: Sequence[Hits]) -> None:
    import csv

    from hpo.answer.plan_in_words import counted

    with out.open(encoding="utf-8", newline="") as file:
        counts = Counter(row["label"] for row in csv.DictReader(file))
    if as_json:
        bad_names = {image.name: image.reason for image in bad}
        told = {"file": str(out), "labels": dict(counts), "left_out": bad_names}
        print_json({**told, **({"tests": [part._asdict() for part in hits]} if hits else {})})
        return
    classes = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(10))
    lines = [f"left out: {_said(bad)}"] if bad else []
    lines += [part.line for part in hits]
    print_lines(
        [*lines, f"{counted(counts.total(), 'image')} labelled: {classes}", f"table: {out}"]
    )
