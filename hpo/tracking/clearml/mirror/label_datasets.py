"""Images and label versions as Datasets: a root of images, and a child for every label set."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from budget.money import Money
from hpo.tracking.clearml.mirror.images import Images
from hpo.tracking.clearml.mirror.manifest_facts import cost_of, params_of, plan_of, settled, tags_of
from hpo.tracking.clearml.mirror.previews import preview_plots
from hpo.tracking.clearml.mirror.run_directory import RunDirectory
from hpo.tracking.clearml.server.dataset_layout import File, Node, lay_out
from hpo.tracking.clearml.server.records import (
    Parts,
    Picture,
    Record,
    Scalar,
    digest,
    epoch_ms,
    json_artifact,
)
from labeling import versions

KIND, SYSTEM_TAGS = "data_processing", ("dataset",)


def images_key(run: RunDirectory, shown: bool = True) -> str:
    """Our id of the root dataset: the same for every study on the same images.

    Args:
        run: the run directory's content.
        shown: whether it holds the images, or only their names.
    """
    return f"images {run.about['data']['content']}{'' if shown else ' names'}"


def version_key(version: str) -> str:
    """Our id of a label version's dataset."""
    return f"labels {version}"


def images_name(run: RunDirectory, shown: bool = True) -> str:
    """The root dataset's name; see `images_key`."""
    return f"images-{run.about['data']['content'][:12]}{'' if shown else '-names'}"


def labels_name(run: RunDirectory) -> str:
    """The name of the dataset that holds a study's label versions.

    It holds the beginning of the study's id: two users who name a study alike have a dataset each.
    """
    return f"{run.study}-labels-{run.id[:6]}"


def images_record(run: RunDirectory, project: str, images: Images, scratch: Path) -> Record:
    """The root dataset.

    Args:
        run: the run directory's content.
        project: its project's name.
        images: the images.
        scratch: a folder for its archives.
    """
    about, version = run.about["data"], "1.0.0"
    name, key = images_name(run, images.shown), images_key(run, images.shown)

    def build(task: str) -> Parts:
        at_ms = epoch_ms(run.begun)
        layout = lay_out(task, name, version, images.files(), None, at_ms // 1000, scratch)
        return Parts(
            configuration=layout.configuration,
            runtime=layout.runtime,
            artifacts=layout.artifacts,
            plots=layout.plots,
            pictures=[
                Picture("images", name, 0, content) for name, content in images.samples().items()
            ],
            at_ms=at_ms,
        )

    return Record(
        key=key,
        digest=digest(key),
        name=name,
        kind=KIND,
        project=project,
        parent="",
        tags=["images", *(["external files"] if images.external else [])],
        system_tags=list(SYSTEM_TAGS),
        comment=f"Images with roles {json.dumps(about['images'])}, content {about['content']}",
        params={"properties": {"version": version, "content": about["content"]}},
        status="completed",
        reason="complete",
        build=build,
    )


def version_record(
    run: RunDirectory,
    version: str,
    project: str,
    controller: str,
    root: Node | None,
    images: Images,
) -> Record:
    """A label version's dataset.

    Args:
        run: the run directory's content.
        version: the label version's id.
        project: its project's name.
        controller: the controller's id.
        root: the images' dataset, if there is such a dataset.
        images: the images, for thumbnails.

    Raises:
        InputError, VersionDamaged: the version on disk is not as it was saved.
    """
    saved = versions.load(version, run.folder / "versions")
    manifest, bought = saved.manifest, run.bought.get(version)
    if manifest["images"] != run.about["data"]["content"]:
        root = None  # labels of images that were added after the study
    number = f"1.0.{run.versions.index(version) + 1}+{version[:8]}"
    child = next((c for c in run.children if c.version == version), None)
    cost = cost_of(manifest, bought, child.outcome.price_tag.micros if child else None)

    def build(task: str) -> Parts:
        names = (versions.MANIFEST, versions.LABELS, versions.ANSWERS)
        files = [File(name, saved.path / name) for name in names]
        at_ms = epoch_ms(run.version_at[version])
        layout = lay_out(task, labels_name(run), number, files, root, at_ms // 1000)
        previews = preview_plots(saved, settled(manifest, bought), images.thumbnails)
        return Parts(
            configuration={**layout.configuration, **_configuration(manifest)},
            runtime=layout.runtime,
            artifacts=[*layout.artifacts, json_artifact("cost", cost)],
            scalars=[
                Scalar("Summary", name, None, value)
                for name, value in {**cost, **_share_changed(saved)}.items()
                if isinstance(value, float)
            ],
            plots=[*layout.plots, *previews],
            at_ms=at_ms,
        )

    return Record(
        key=version_key(version),
        digest=digest(version, number, root.id if root else "", cost),
        name=labels_name(run),
        kind=KIND,
        project=project,
        parent=controller,
        tags=tags_of(manifest),
        system_tags=list(SYSTEM_TAGS),
        comment=f"Labels of plan {plan_of(manifest)}, version {version}",
        params={**params_of(manifest), "properties": _properties(version, number, manifest, cost)},
        status="completed",
        reason="complete",
        build=build,
    )


def _share_changed(version: versions.Version) -> dict[str, float]:
    """Share of the images whose best label differs from the label that people gave."""
    if "best_label_distribution" not in version.manifest:
        return {}
    changed = version.table(versions.LABELS)["changed"]
    return {"share_changed": changed.count("1") / len(changed)} if changed else {}


def _properties(
    version: str, number: str, manifest: Mapping[str, Any], cost: Mapping[str, Any]
) -> dict[str, Any]:
    shown = {
        "version": number,
        "label_version": version,
        "study": manifest["study"],
        "cost_usd": Money(cost["micros"]["cost"]).exact(),
    }
    people = {n: manifest[n] for n in ("participants", "minutes") if n in manifest}
    return {**shown, **people}


def _configuration(manifest: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    text = json.dumps(manifest, indent=1)
    objects = {"Manifest": (text, "json", "manifest.json of the label version")}
    if "campaign" in manifest:
        words = manifest["campaign"]["instructions"]
        objects["Instructions"] = (words, "text", "the text that annotators read")
    return objects


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for a root dataset's archives, gone when it is left."""
    return tempfile.TemporaryDirectory(prefix="labelworth-")
