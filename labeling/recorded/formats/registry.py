"""The formats of tables, in the order in which they are tried."""

from __future__ import annotations

from labeling.recorded.formats.label_studio_export import LABEL_STUDIO
from labeling.recorded.formats.long_table import LONG, OWN
from labeling.recorded.formats.mturk_table import MTURK
from labeling.recorded.formats.toloka_table import TOLOKA
from labeling.recorded.formats.wide_table import COUNTS, WIDE

FORMATS = (TOLOKA, MTURK, LABEL_STUDIO, OWN, LONG, WIDE, COUNTS)
"""The first format that recognises a table reads it."""
