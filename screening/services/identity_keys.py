"""The vault's keys: read from the settings, told, and changed without losing anything."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from screening.identity import Keys, Kind, blind, read_keys, seal, unseal

BATCH = 200


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many identifiers are sealed under one key and found by one index key."""

    key_id: str
    index_id: str
    held: int


def identity_keys() -> Keys:
    """The keys of this process; raises UnusableKeyError where they cannot be used."""
    return read_keys(settings.IDENTITY_KEYS, settings.IDENTITY_INDEX_KEY)


def keys_in_use(*, using: str = "default") -> list[KeyUse]:
    """What is sealed under which key, at the sites of the context."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT key_id, index_id, held FROM trialsite.vault_keys()")
        return [KeyUse(*row) for row in cursor.fetchall()]


def rotate_batch(*, using: str, batch: int = BATCH) -> int:
    """Seal and index one batch anew under the newest keys; how many there were.

    Works on the owner's connection, within a context that names every site. What was done
    stays done: a run that is broken off is taken up by the next. A ciphertext that does not
    open stops the run; it is never replaced.
    """
    keys = identity_keys()
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT id, entry_id, field, sealed, masked FROM trialsite.vault_unrotated(%s, %s, %s)",
            [keys.newest, keys.index_id, batch],
        )
        rows = cursor.fetchall()
        for row in rows:
            cursor.execute("SELECT trialsite.vault_rotate(%s, %s, %s, %s, %s)", _anew(keys, *row))
    return len(rows)


def _anew(
    keys: Keys, key: uuid.UUID, entry: uuid.UUID, field: str, sealed: str, masked: str
) -> list[Any]:
    text = unseal(keys, sealed, entry=entry, field=field)
    mask = unseal(keys, masked, entry=entry, field=field, kind=Kind.MASK)
    return [
        key,
        sealed,
        seal(keys, text, entry=entry, field=field),
        seal(keys, mask, entry=entry, field=field, kind=Kind.MASK),
        blind(keys, field, text),
    ]
