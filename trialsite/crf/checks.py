"""Deployment check: the protocol file names only forms and items that exist here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from trialsite.crf.registry import forms, items_by_oid
from trialsite.protocol import ProtocolError, load


def check_protocol_file(**_options: Any) -> list[CheckMessage]:
    """What is wrong with the protocol file on the server; an absent one is no fault of it."""
    path = Path(settings.PROTOCOL_FILE)
    if not path.exists():
        return []
    try:
        load(path, known_forms=forms(), known_items=items_by_oid())
    except ProtocolError as error:
        return [
            Error(
                f"{path.name}, line {problem.line}, {problem.path}: {problem.message}",
                hint="Correct the protocol file, or install the app that has the form.",
                id="trialsite.E003",
            )
            for problem in error.problems
        ]
    return []
