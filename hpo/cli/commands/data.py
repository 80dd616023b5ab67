"""`labelworth data`: the label versions of a study, and any version put into a folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_json, print_lines, stdout
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from labeling.versions import Version

_KINDS = {
    "confidence": "share",
    "agreement": "share",
    "answers": "count",
    "best_confidence": "share",
    "changed": "flag",
    "control": "flag",
    "usable": "flag",
    "skill": "share",
    "seconds": "number",
    "submitted": "number",
}
FORM_WORDS = {
    "csv": "image,label,confidence,answers",
    "parquet": "the same",
    "label-studio": "tasks.json, labels as predictions",
    "coco": "annotations.json without boxes",
    "imagefolder": "a folder of images a class",
    "huggingface": "images/ and metadata.csv for datasets",
}
"""Forms of an export: told here, so that --help imports none of their writers."""
_BY_CLASS = ("p(", "best(")
"""How the names of the columns of each class's probability begin."""


def add_parser(commands: Commands) -> None:
    """Add the command and its actions."""
    words = "label versions: list a study's, put any of them into a folder"
    data = add_command(commands, "data", words)
    actions = data.add_subparsers(title="actions", metavar="ACTION", required=True)
    words = "labels.csv, answers.csv and manifest.json of a version, verified"
    get = add_command(actions, "get", words)
    get.add_argument("version", metavar="VERSION", help="its id, or a unique beginning of it")
    get.add_argument("--to", metavar="FOLDER", type=Path, help="(labels-VERSION)")
    get.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="(runs)")
    get.add_argument("--parquet", action="store_true", help="labels and answers as Parquet, too")
    add_json(get)
    get.set_defaults(command=_get)
    words = "the labels of a version in a form that other programs read"
    export = add_command(actions, "export", words)
    export.add_argument("version", metavar="VERSION", help="its id, or a unique beginning of it")
    words = "; ".join(f"{form} ({what})" for form, what in FORM_WORDS.items())
    export.add_argument("--as", dest="form", required=True, choices=FORM_WORDS, help=words)
    words = "the images: copied by imagefolder and huggingface, and looked at by coco"
    export.add_argument("--images", metavar="DIR", type=Path, help=words)
    words = "a new or empty folder (labels-VERSION-FORM)"
    export.add_argument("--to", metavar="FOLDER", type=Path, help=words)
    export.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="(runs)")
    export.set_defaults(command=_export)
    listing = add_command(actions, "list", "the versions of a study")
    add_run_dir(listing)
    add_json(listing)
    listing.set_defaults(command=_list)


def _get(arguments: argparse.Namespace) -> int:
    get_version(arguments.version, arguments.to, arguments.runs, arguments.parquet, arguments.json)
    return DONE


def _list(arguments: argparse.Namespace) -> int:
    list_versions(arguments.folder, arguments.json)
    return DONE


def _export(arguments: argparse.Namespace) -> int:
    from tempfile import TemporaryDirectory

    from budget.errors import InputError
    from budget.files import private_folder
    from hpo.data.exported.formats import BY_NAME
    from hpo.data.exported.labelled import exported

    form, images = BY_NAME[arguments.form], arguments.images
    if form.needs_images and images is None:
        raise InputError(f"--as {form.name}: copies the images: name their folder with --images")
    if images is not None and not images.is_dir():
        raise InputError(f"--images: {images} is not a folder")
    version, origin = _fetched(arguments.version, arguments.runs)
    target = arguments.to or Path(f"labels-{version.id[:12]}-{form.name}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"--to: {target} is there already and not empty; name another folder")
    private_folder(target.parent)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        draft = Path(folder) / target.name
        draft.mkdir(mode=0o700)
        form.write(exported(version, images), draft)
        draft.replace(target)
    print(f"version {version.id} from {origin} as {form.name}: {target}")
    return DONE


def get_version(version_id: str, to: Path | None, runs: Path, parquet: bool, as_json: bool) -> None:
    """Put a version's files into a folder: from disk, else from ClearML.

    Args:
        version_id: its id, or a beginning of it that is unique on disk.
        to: the folder; None for one named after the version, here.
        runs: where versions lie on disk.
        parquet: write labels and answers as Parquet beside the CSV files, too.
        as_json: print one JSON object.

    Raises:
        InputError: no such version on disk, nor in ClearML; or the folder holds other files.
        VersionDamaged: what was found is not as it was saved.
    """
    from labeling import versions
    from labeling.versions import ANSWERS, LABELS
    from labeling.views.export import check_kind

    if parquet:
        check_kind(Path("answers.parquet"))
    version, origin = _fetched(version_id, runs)
    target = to or Path(f"labels-{version.id[:12]}")
    versions.copy(version, target)
    if parquet:
        for name in (LABELS, ANSWERS):
            _write_parquet(version, name, target / name.replace(".csv", ".parquet"))
    if as_json:
        print_json({"version": version.id, "folder": str(target), "from": origin})
        return
    print(f"version {version.id} from {origin}: {target}")


def _fetched(version_id: str, runs: Path) -> tuple[Version, str]:
    """The version, and where it was found."""
    from budget.errors import VersionMissing
    from labeling import versions

    try:
        version = versions.load(version_id, runs)
        return version, str(version.path)
    except VersionMissing as missing:
        fetch = _remote()
        folder = fetch(version_id, runs / ".fetched/versions") if fetch else None
        if folder is None:
            elsewhere = "nor in ClearML" if fetch else "and no ClearML server is connected"
            raise VersionMissing(f"{missing}, {elsewhere}") from None
        return versions.load(folder.name, folder.parent), "ClearML"


def _remote() -> Callable[[str, Path], Path | None] | None:
    """The mirror's way to fetch a version, where ClearML is configured."""
    from hpo.tracking import clearml
    from hpo.tracking.clearml.live import destination

    return clearml.fetch if destination("auto", "").on else None


def _write_parquet(version: Version, name: str, path: Path) -> None:
    from labeling.views.export import write_table

    read: dict[str, Callable[[str], Any]] = {
        "share": float,
        "number": float,
        "count": int,
        "flag": lambda text: text == "1",
        "text": str,
    }
    columns = version.table(name)
    kinds = {n: "share" if n.startswith(_BY_CLASS) else _KINDS.get(n, "text") for n in columns}
    made = {
        n: [read[kinds[n]](cell) if cell or kinds[n] == "text" else None for cell in column]
        for n, column in columns.items()
    }
    write_table(path, made, kinds)


def list_versions(folder: Path, as_json: bool) -> None:
    """Print the versions of a study's folder as they were saved: plan, labels, price tag.

    Raises:
        InputError: there is no study in the folder.
        VersionDamaged: a version is not as it was saved.
    """
    from budget.money import Money
    from hpo.answer.tables import TableColumn, TextTable, print_table
    from hpo.settings.run_folder import read_config
    from labeling import versions

    read_config(folder)
    paths = sorted(versions.find(folder / "versions"), key=_saved)
    loaded = [versions.load(path.name, path.parent) for path in paths]
    rows = [_facts(version) for version in loaded]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("No label version yet: a purchase makes the first.")
        return
    cells = []
    for row in rows:
        money = Money(row["price_tag"]["micros"]).cents() if row["price_tag"] else ""
        plan = f"{row['plan']}, merged" if row["merged"] else row["plan"]
        numbers = (str(row["labels"]), str(row["answers"]), money)
        cells.append((row["version"][:12], plan, *numbers))
    columns = (
        TableColumn("version"),
        TableColumn("plan", wraps=True),
        TableColumn("labels", True, rank=1),
        TableColumn("answers", True, rank=2),
        TableColumn("price tag", True),
    )
    print_table(TextTable(columns, cells), stdout())
    print_lines(["labelworth data get VERSION puts one into a folder"])


def _saved(folder: Path) -> tuple[float, str]:
    from labeling import versions

    manifest = folder / versions.MANIFEST
    return (manifest.stat().st_mtime if manifest.exists() else 0.0), folder.name


def _facts(version: Version) -> dict[str, Any]:
    from labeling.versions import ANSWERS

    manifest = version.manifest
    return {
        "version": version.id,
        "plan": manifest["plan"]["key"] if "plan" in manifest else manifest["purchase"],
        "merged": manifest.get("merged", False),
        "labels": sum(manifest["label_distribution"].values()),
        "answers": version.table(ANSWERS)["control"].count("0"),
        "price_tag": manifest.get("price_tag"),
    }
