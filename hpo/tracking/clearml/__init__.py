"""ClearML as a mirror of a study's run directory, and as its engine: the only place that knows it.

`mirror` reads the directory, says what a server is to hold and brings it there; `live` does so in
a process of its own while a study runs, after `login`; `choices` are the user's. `server` speaks
to a server, by requests of the clearml package, which is imported when it is asked.

`engine` lets ClearML's own optimizer run the search of `strategy`; what its agents run is
`trial_task`, in clones of the task of `template`. But for `trial_task` they use the SDK's objects.
"""

from __future__ import annotations

from pathlib import Path


def fetch(version_id: str, folder: Path) -> Path | None:
    """Put a label version from the configured ClearML server into a folder named by its id.

    Args:
        version_id: the id, or its beginning.
        folder: where the version's folder is made.

    Returns:
        The version's folder, to be verified by whoever reads it; None where ClearML does not have
        the version.

    Raises:
        InputError: the server cannot be asked now.
    """
    from budget.errors import InputError, MirrorRefused, MirrorUnavailable
    from hpo.tracking.clearml.mirror.fetch import fetch_version

    try:
        return fetch_version(version_id, folder)
    except (MirrorUnavailable, MirrorRefused) as error:
        raise InputError(f"version: not on disk, and ClearML cannot be asked: {error}") from None
