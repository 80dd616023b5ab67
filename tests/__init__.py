"""The tests, and where the project and the test data beside it lie."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("LABELWORTH_DATA", ROOT / "../shared/data")).resolve()
