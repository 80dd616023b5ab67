"""A label version with best labels on the server: their distribution, and how many changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.tracking.clearml.mirror.images import Images
from hpo.tracking.clearml.mirror.label_datasets import version_record
from hpo.tracking.clearml.mirror.run_directory import RunDirectory, read_run
from hpo.tracking.clearml.server.records import Parts
from labeling import versions
from labeling.types import Answers, LabelSet
from labeling.versions import Version

pytest.importorskip("clearml")


def with_best(version: Version, kept: int) -> Version:
    """A version's first labels again; the model puts the first class on the last two of them."""
    table, classes = version.table("labels.csv"), version.manifest["classes"]
    columns = [[float(cell) for cell in table[f"p({name})"][:kept]] for name in classes]
    posterior = np.array(columns).reshape(len(classes), kept).T
    best = posterior.copy()
    best[-2:] = np.eye(len(classes))[0]
    nobody = np.empty(0, np.int64)
    added = ("files", "label_distribution")
    return versions.save(
        version.path.parent,
        {name: value for name, value in version.manifest.items() if name not in added},
        LabelSet(
            np.arange(kept), posterior, posterior, np.array(table["answers"][:kept], np.int64)
        ),
        Answers(nobody, nobody, nobody, nobody.astype(np.bool_), nobody.astype(np.bool_)),
        names=table["image"],
        classes=classes,
        best=best,
    )


def parts_of(version: Version, run: RunDirectory) -> Parts:
    known = replace(run, version_at={**run.version_at, version.id: run.begun})
    images = Images(run.folder, "", shown=False)
    return version_record(known, version.id, "project", "controller", None, images).build("task")


def test_best_labels_are_shown_where_a_version_has_them(folder: Path) -> None:
    run = read_run(folder)
    every = (versions.load(name, folder) for name in run.versions)
    plain = next(one for one in every if len(one.table("labels.csv")["image"]) >= 20)
    version = with_best(plain, 20)
    parts = parts_of(version, run)
    plots = {(plot.metric, plot.variant): plot.figure for plot in parts.plots}
    for name, key in (("labels", "label_distribution"), ("best labels", "best_label_distribution")):
        (bars,) = plots[name, "distribution"]["data"]
        assert dict(zip(bars["x"], bars["y"], strict=True)) == version.manifest[key]
    changed = version.table("labels.csv")["changed"]
    shown = {scalar.variant: scalar.value for scalar in parts.scalars}
    assert shown["share_changed"] == changed.count("1") / 20 > 0
    assert shown["cost_usd"] == version.manifest["price_tag"]["micros"] / 1e6

    parts = parts_of(plain, run)
    assert ("best labels", "distribution") not in {(p.metric, p.variant) for p in parts.plots}
    assert "share_changed" not in {scalar.variant for scalar in parts.scalars}


def test_a_version_without_a_label_has_no_share_that_changed(folder: Path) -> None:
    run = read_run(folder)
    parts = parts_of(with_best(versions.load(run.versions[0], folder), 0), run)
    assert "share_changed" not in {scalar.variant for scalar in parts.scalars}
