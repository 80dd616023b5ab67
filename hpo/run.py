"""The command line: `python -m hpo.run --budget 20`, also installed as `labelworth`."""

import sys

from hpo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
