"""Entry point of `python3 -m trialsite.launcher`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message is for exactly these interpreters
    sys.exit(
        f"Trialsite needs Python 3.11 or newer; this is {sys.version.split()[0]}.\n"
        "Name a newer one, for example: make run PYTHON=python3.12"
    )

from trialsite.launcher.cli import main

sys.exit(main(sys.argv[1:]))
