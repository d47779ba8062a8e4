"""Where files lie: by the hash of their content, under no name that a client has given.

A file is whole on the disk before a row speaks of it; a crash between the two leaves a file
that nobody knows, which `sweep_attachments` removes later.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings

_keepers: list[Callable[[str], bool]] = []


def kept_where(keeper: Callable[[str], bool]) -> None:
    """Register who else speaks of files here: whether it keeps the one of this hash."""
    _keepers.append(keeper)


def is_kept(sha256: str) -> bool:
    """Whether any who registered keeps this file."""
    return any(keeper(sha256) for keeper in _keepers)


def path_of(sha256: str) -> Path:
    """The place of a content, two levels down: `ab/cd/abcd...`."""
    return Path(settings.ATTACHMENT_ROOT) / sha256[:2] / sha256[2:4] / sha256


def store(content: bytes) -> str:
    """Put a content in its place, durably and at once; its hash.

    What is already there is written anew: that heals a damaged copy, and makes an orphan
    young again before the row that adopts it commits.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    place = path_of(sha256)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".incoming-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(place.parent)
    return sha256


def fetch(sha256: str) -> bytes | None:
    """A content, byte for byte; None where it is missing or no longer what it was."""
    try:
        content = path_of(sha256).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def files_older_than(seconds: float) -> Iterator[Path]:
    """Everything in the vault that nobody has written lately, unfinished files included."""
    limit = time.time() - seconds
    for path in sorted(Path(settings.ATTACHMENT_ROOT).glob("??/??/*")):
        if path.is_file() and path.stat().st_mtime < limit:
            yield path


def _sync_directory(directory: Path) -> None:
    """A rename is durable once its directory is."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
