"""Images and label versions as Datasets: a root of images, and a child for every label set."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.tracking.clearml.datasets import File, Layout, Node, lay_out
from hpo.tracking.clearml.images import Images
from hpo.tracking.clearml.parts import Parts, Record, Scalar, digest, epoch_ms, json_artifact
from hpo.tracking.clearml.previews import preview_plots
from hpo.tracking.clearml.run import Run
from labeling import versions

KIND, SYSTEM_TAGS = "data_processing", ("dataset",)


def images_key(run: Run) -> str:
    """Our id of the root dataset: the same for every study on the same images."""
    return f"images {run.about['data']['content']}"


def version_key(version: str) -> str:
    """Our id of a label version's dataset."""
    return f"labels {version}"


def images_name(run: Run) -> str:
    """The root dataset's name."""
    return f"images-{run.about['data']['content'][:12]}"


def labels_name(run: Run) -> str:
    """The name of the dataset that holds a study's label versions."""
    return f"{run.study}-labels"


def images_record(run: Run, project: str, images: Images, scratch: Path) -> Record:
    """The root dataset.

    Args:
        run: what the run directory tells.
        project: its project's name.
        images: the images.
        scratch: a folder for its archives.
    """
    about, name, version = run.about["data"], images_name(run), "1.0.0"

    def build(task: str) -> Parts:
        at_ms = epoch_ms(run.begun)
        layout = lay_out(task, name, version, images.files(), None, at_ms // 1000, scratch)
        return _parts(layout, at_ms)

    return Record(
        key=images_key(run),
        digest=digest(images_key(run)),
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
    run: Run, version: str, project: str, controller: str, root: Node | None, images: Images
) -> Record:
    """A label version's dataset.

    Args:
        run: what the run directory tells.
        version: the label version's id.
        project: its project's name.
        controller: the controller's id.
        root: the images' dataset; None where there is none.
        images: the images, for thumbnails.

    Raises:
        InputError, VersionDamaged: the version is not on disk as it was saved.
    """
    saved = versions.load(version, run.folder / "versions")
    manifest = saved.manifest
    number = f"1.0.{run.versions.index(version) + 1}+{version[:8]}"
    cost = cost_of(manifest)

    def build(task: str) -> Parts:
        names = (versions.MANIFEST, versions.LABELS, versions.ANSWERS)
        files = [File(name, saved.path / name) for name in names]
        at_ms = epoch_ms(run.version_at[version])
        layout = lay_out(task, labels_name(run), number, files, root, at_ms // 1000)
        parts = _parts(layout, at_ms)
        return Parts(
            configuration={**parts.configuration, **_configuration(manifest)},
            runtime=parts.runtime,
            artifacts=[*parts.artifacts, json_artifact("cost", cost)],
            scalars=[
                Scalar("Summary", name, None, value)
                for name, value in cost.items()
                if isinstance(value, float)
            ],
            plots=[*parts.plots, *preview_plots(saved.path, manifest, images.thumbnails)],
            at_ms=at_ms,
        )

    return Record(
        key=version_key(version),
        digest=digest(version, number, root.id if root else ""),
        name=labels_name(run),
        kind=KIND,
        project=project,
        parent=controller,
        tags=[*_tags(manifest), str(run.about["market"]["kind"])],
        system_tags=list(SYSTEM_TAGS),
        comment=f"Labels of plan {manifest['plan']['key']}, version {version}",
        params={**_params(manifest), "properties": _properties(version, number, manifest)},
        status="completed",
        reason="complete",
        build=build,
    )


def cost_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a label version cost, in dollars and exactly in micro-dollars."""
    parts = manifest["condition_cost"]
    found: dict[str, Any] = {
        "cost_usd": manifest["price_tag"]["micros"] / 1e6,
        "minutes": float(manifest["minutes"]),
        "settled_in_condition_usd": parts["total"]["micros"] / 1e6,
        **{f"settled_{n}_usd": parts[n]["micros"] / 1e6 for n in sorted(set(parts) - {"total"})},
    }
    exact = {name: amount["micros"] for name, amount in sorted(parts.items())}
    return {
        **found,
        "currency": manifest["currency"],
        "micros": {"price_tag": manifest["price_tag"]["micros"], **exact},
    }


def _parts(layout: Layout, at_ms: int) -> Parts:
    return Parts(
        configuration=layout.configuration,
        runtime=layout.runtime,
        artifacts=layout.artifacts,
        plots=layout.plots,
        at_ms=at_ms,
    )


def _tags(manifest: Mapping[str, Any]) -> list[str]:
    plan, condition = manifest["plan"], manifest["condition"]
    return [
        f"price-{condition['price']['usd']}",
        f"overlap-{plan.get('dynamic', plan['overlap'])}",
        f"controls-{plan['controls']}",
        f"tasks-{plan['tasks']}",
        "exam" if plan["exam"] else "no exam",
    ]


def _params(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Annotation parameters in sections, flat, so that two versions compare line by line."""
    plan, condition = manifest["plan"], manifest["condition"]
    campaign = manifest["campaign"]
    people = ("participants", "banned", "looked", "exam_failed", "answers_missing", "minutes")
    return {
        "Plan": {
            "key": plan["key"],
            "price_usd": condition["price"]["usd"],
            "overlap": plan.get("dynamic", plan["overlap"]),
            "controls_per_suite": plan["controls"],
            "tasks": plan["tasks"],
            "exam": plan["exam"],
        },
        "Condition": {
            **{n: condition[n] for n in ("key", "market", "data", "suite_size")},
            "reward_per_assignment_usd": condition["reward_per_assignment"]["usd"],
            "currency": manifest["currency"],
            "fee_share": manifest["fee"]["share"],
            "fee_minimum_usd": manifest["fee"]["minimum"]["usd"],
        },
        "Campaign": {
            **{n: campaign[n] for n in ("name", "key", "instructions_hash", "language")},
            "language_test": campaign["language_test"],
            "question": manifest["question"],
            "assignment_seconds": campaign["assignment_seconds"],
            **{f"exam/{name}": value for name, value in campaign["exam"].items()},
            **{f"rules/{name}": value for name, value in campaign["quality_rules"].items()},
        },
        "People": {name: manifest[name] for name in people},
    }


def _properties(version: str, number: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": number,
        "label_version": version,
        "study": manifest["study"],
        "cost_usd": manifest["price_tag"]["usd"],
        "paid_in_condition_usd": manifest["condition_cost"]["total"]["usd"],
        "participants": manifest["participants"],
        "minutes": manifest["minutes"],
    }


def _configuration(manifest: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        "Instructions": (manifest["campaign"]["instructions"], "text", "what annotators read"),
        "Manifest": (json.dumps(manifest, indent=1), "json", "manifest.json of the label version"),
    }


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for a root dataset's archives, gone when it is left."""
    return tempfile.TemporaryDirectory(prefix="labelworth-")
