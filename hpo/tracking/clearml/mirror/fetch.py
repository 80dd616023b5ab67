"""A label version fetched back from a ClearML server into a folder."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from pathlib import Path

from budget.files import private
from hpo.tracking.clearml.mirror.label_datasets import version_key
from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.writer import DIGEST, OUR_ID
from labeling import versions

_FULL = 32  # digits of an id


def fetch_version(version_id: str, folder: Path) -> Path | None:
    """Put a label version into a folder of its own, named by its id.

    Args:
        version_id: the id, or its beginning.
        folder: where the version's folder is made, if it is not there.

    Returns:
        The version's folder, unverified; None where the server has no such version, or several.

    Raises:
        InputError: ClearML is not configured.
        MirrorUnavailable: the server does not answer.
        MirrorRefused: the server does not accept the keys.
    """
    remote = Remote()
    tasks = _find(remote, version_id)
    if len(tasks) != 1:
        return None
    whole, task = next(iter(tasks.items()))
    target = folder / whole
    if target.is_dir():
        return target
    archive = next(a["uri"] for a in _artifacts(remote, task) if a["key"] == "data")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    try:
        with zipfile.ZipFile(io.BytesIO(remote.files.download(archive))) as files:
            for name in (versions.MANIFEST, versions.LABELS, versions.ANSWERS):
                with open(draft / name, "wb", opener=private) as file:
                    file.write(files.read(name))
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _find(remote: Remote, version_id: str) -> dict[str, str]:
    """Finished datasets of matching versions: id of the version -> id of the task."""
    body = {
        "_any_": {"pattern": f"version {version_id}", "fields": ["comment"]},
        "type": ["data_processing"],
        "system_tags": ["dataset"],
        "only_fields": ["id", "hyperparams"],
        "search_hidden": True,
    }
    tasks = {}
    for task in remote.call("tasks.get_all", body)["tasks"]:
        properties = task["hyperparams"].get("properties", {})
        key = properties.get(OUR_ID, {}).get("value", "")
        whole = key.removeprefix(version_key(""))
        fits = whole.startswith(version_id) and len(whole) == _FULL
        if fits and properties.get(DIGEST, {}).get("value"):
            tasks[whole] = task["id"]
    return tasks


def _artifacts(remote: Remote, task: str) -> list[dict[str, str]]:
    artifacts: list[dict[str, str]] = remote.call("tasks.get_by_id", {"task": task})["task"][
        "execution"
    ]["artifacts"]
    return artifacts
