"""What a backup says about itself, sealed so that an altered one is never restored.

The seal is an HMAC under a key of this installation: hashes alone could be made anew by
whoever alters a part, and what a dump holds is executed by the database.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from trialsite.core.exceptions import DomainError

MANIFEST = "manifest.json"
FORMAT = 1
DUMP, DOCUMENTS, PACKAGES = "database.dump", "attachments.tar", "packages.tar"
PARTS = (DUMP, DOCUMENTS, PACKAGES)
_PURPOSE = b"trialsite backup\0"


class BackupError(DomainError):
    """The backup cannot be made or used; nothing was changed."""


def fingerprint(key: str) -> str:
    """A key's name in manifests; it tells nothing of the key."""
    return hashlib.sha256(_PURPOSE + key.encode()).hexdigest()[:16]


def keys_here() -> dict[str, list[str]]:
    """The fingerprints of the keys without which the data cannot be read."""
    return {
        "field_keys": [fingerprint(key) for key in settings.FIELD_KEYS],
        "identity_keys": [fingerprint(key) for key in settings.IDENTITY_KEYS],
        "identity_index_key": [fingerprint(settings.IDENTITY_INDEX_KEY)],
    }


def write_manifest(folder: Path, said: Mapping[str, Any]) -> None:
    """Write the manifest under its seal."""
    sealed = {**said, "seal": _seal(said, settings.FIELD_KEYS[0])}
    text = json.dumps(sealed, ensure_ascii=False, indent=1) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a backup that is whole, unaltered and made under keys we hold.

    Raises BackupError saying what is wrong, in this order: no backup, another format, keys
    that are not ours, an altered manifest, a part that is missing, truncated or altered.
    """
    said = _parsed(folder)
    _demand_keys(said)
    seal = said.pop("seal")
    key = next(k for k in settings.FIELD_KEYS if fingerprint(k) == said["keys"]["field_keys"][0])
    if not hmac.compare_digest(str(seal), _seal(said, key)):
        raise BackupError(f"{MANIFEST} was altered after the backup was made. Nothing is restored.")
    for name in PARTS:
        _compare(folder / name, said["parts"][name])
    return said


def sha256_of(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(folder: Path) -> dict[str, Any]:
    damaged = f"{folder / MANIFEST} is damaged: it is no manifest."
    try:
        said: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        kind = said["format"]
        str(said["seal"]), str(said["keys"]["field_keys"][0])
    except OSError as error:
        raise BackupError(f"{folder} holds no backup: {MANIFEST} cannot be read.") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BackupError(damaged) from error
    if not isinstance(said, dict):
        raise BackupError(damaged)
    if kind != FORMAT:
        raise BackupError(f"{folder} is a backup of format {kind}; this version reads {FORMAT}.")
    return said


def _demand_keys(said: Mapping[str, Any]) -> None:
    here = keys_here()
    missing = [
        name.upper() for name in here if not set(said["keys"].get(name, [""])) <= set(here[name])
    ]
    if missing:
        raise BackupError(
            f"The backup was made under other keys: {', '.join(missing)}. Put the keys of that "
            "installation back first; without them its secrets cannot be read."
        )


def _seal(said: Mapping[str, Any], key: str) -> str:
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hmac.new(_PURPOSE + key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _compare(path: Path, said: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise BackupError(f"{path.name} is missing from the backup.")
    size = path.stat().st_size
    if size != said["bytes"]:
        raise BackupError(f"{path.name} has {size} bytes instead of {said['bytes']}: truncated.")
    if sha256_of(path) != said["sha256"]:
        raise BackupError(f"{path.name} is not what the manifest says: it was altered.")
