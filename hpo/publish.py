"""Publish a run directory to ClearML: `python -m hpo.publish RUN_DIR`, as `labelworth publish`."""

import sys
from collections.abc import Sequence

from hpo.cli.main import main as labelworth


def main(argv: Sequence[str] | None = None) -> int:
    """Run `labelworth publish` and return its exit code."""
    return labelworth(["publish", *(sys.argv[1:] if argv is None else argv)])


if __name__ == "__main__":
    sys.exit(main())
