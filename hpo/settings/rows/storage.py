"""Settings of where a study's money, orders, answers and trials are kept."""

from __future__ import annotations

from hpo.settings.parsing import storage
from hpo.settings.setting import Setting

STORAGE = (
    Setting(
        "storage",
        storage,
        None,
        "URL",
        "search",
        "postgresql://USER:PASSWORD@HOST/NAME: a database that any number of machines join, each "
        "by the same command; its password is kept nowhere",
        shown="LABELWORTH_STORAGE, else files in the study's folder",
    ),
)
