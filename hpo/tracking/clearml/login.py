"""Whether a ClearML server accepts the user's keys: `python -m hpo.tracking.clearml.login`.

It is a separate process: a study's process imports no clearml and opens no connection.
"""

from __future__ import annotations

import sys

from budget.errors import InputError, MirrorRefused, MirrorUnavailable
from hpo.settings.exit_codes import BAD_INPUT, DONE, MIRROR_INCOMPLETE
from hpo.tracking.clearml.server.connection import Remote


def main() -> int:
    """Log in once: 0 where the keys are accepted, 2 where they are not, 7 without an answer."""
    try:
        Remote()
    except (MirrorRefused, InputError) as error:
        print(error)
        return BAD_INPUT
    except MirrorUnavailable as error:
        print(error)
        return MIRROR_INCOMPLETE
    return DONE


if __name__ == "__main__":
    sys.exit(main())
