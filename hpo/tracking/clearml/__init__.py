"""ClearML as a mirror of a study's run directory, and as its engine. No other room knows ClearML.

`mirror` reads the run directory and writes its records to a server. `live` does the same in a
separate process while a study runs, after `login` has tried the keys. `choices` holds the user's
choices. `server` sends the requests, through the clearml package, which is imported when needed.

`engine` lets ClearML's own optimizer run the search of `strategy`. Agents run `trial_task` in
clones of the task that `template` makes. All but `trial_task` use the objects of the SDK.
"""

from __future__ import annotations

from pathlib import Path


def fetch(version_id: str, folder: Path) -> Path | None:
    """Put a label version from the configured ClearML server into a folder named by its id.

    Args:
        version_id: the id, or its beginning.
        folder: where the version's folder is made.

    Returns:
        The version's folder, unverified; None where ClearML does not have the version.

    Raises:
        InputError: the server cannot be asked now.
    """
    from budget.errors import InputError, MirrorRefused, MirrorUnavailable
    from hpo.tracking.clearml.mirror.fetch import fetch_version

    try:
        return fetch_version(version_id, folder)
    except (MirrorUnavailable, MirrorRefused) as error:
        raise InputError(f"version: not on disk, and ClearML cannot be asked: {error}") from None
