"""The keys of the vault: without them nothing starts, and none that is in use may be missing."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from screening.identity import UnusableKeyError
from screening.services.identity_keys import identity_keys, keys_in_use
from trialsite.access.context import system_context
from trialsite.core.context import Channel, acting


def demand_identity_keys() -> None:
    """Refuse to start with keys that could not open or find what is kept."""
    try:
        identity_keys()
    except UnusableKeyError as error:
        raise ImproperlyConfigured(str(error)) from error


def check_identity_keys(**_options: Any) -> list[CheckMessage]:
    """Identifiers sealed under a key that the settings no longer hold are lost to everybody."""
    try:
        with acting(system_context("check", Channel.COMMAND)):
            used = keys_in_use()
    except DatabaseError:
        return [Error("the vault does not say which keys it uses", id="trialsite.E005")]
    keys = identity_keys()
    missing = sorted({each.key_id for each in used} - set(keys.sealing))
    errors: list[CheckMessage] = [
        Error(
            f"identifiers are sealed under the key {key_id}, which IDENTITY_KEYS does not hold",
            hint="Put the key back, then run manage.py rotate_identity_keys.",
            id="trialsite.E003",
        )
        for key_id in missing
    ]
    if {each.index_id for each in used} - {keys.index_id}:
        errors.append(
            Error(
                "some identifiers are not found under IDENTITY_INDEX_KEY",
                hint="Run manage.py rotate_identity_keys.",
                id="trialsite.E004",
            )
        )
    return errors
