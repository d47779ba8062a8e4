"""The files beside the database as one archive each, and back into their places."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from trialsite.exports.backups.manifest import BackupError

#: A document lies under the hash of its content, a package under its id.
DOCUMENT = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{64})")
PACKAGE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.zip")
#: How a file is called while it is written.
_MAKING = ".making-"


@dataclass(slots=True)
class Packed:
    """What went into an archive."""

    names: set[str] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)


def pack(root: Path, pattern: re.Pattern[str], target: Path) -> Packed:
    """Put every file of this pattern into an archive; what is no longer itself is only named.

    Both kinds are written once and never changed, so they are copied beside the running
    product; one that is removed meanwhile belongs to nothing in the snapshot.
    """
    packed = Packed()
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            name = path.relative_to(root).as_posix()
            if not pattern.fullmatch(name) or not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    if not _is_itself(file, name):
                        packed.damaged.append(name)
                        continue
                    info = archive.gettarinfo(arcname=name, fileobj=file)
                    info.uid = info.gid = 0
                    info.uname = info.gname = ""
                    archive.addfile(info, file)
            except FileNotFoundError:
                continue
            packed.names.add(name)
    return packed


def unpack(source: Path, root: Path, pattern: re.Pattern[str]) -> list[tuple[Path, Path]]:
    """Write every file of an archive beside its place; (where it lies, where it belongs).

    Nothing that was there is touched before `settle`. Raises BackupError for anything that
    does not belong into such an archive.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for name, temporary in _members(source, root, pattern):
            waiting.append((temporary, root / name))
    except BaseException:
        discard(waiting)
        raise
    return waiting


def settle(waiting: list[tuple[Path, Path]]) -> None:
    """Put the files into their places."""
    for temporary, place in waiting:
        temporary.replace(place)


def discard(waiting: list[tuple[Path, Path]]) -> None:
    """Remove what was unpacked and is not wanted."""
    for temporary, _place in waiting:
        temporary.unlink(missing_ok=True)


def remove_unfinished(root: Path) -> None:
    """Remove what a restore that was killed has left; nobody else may be at work there."""
    for path in root.rglob(f"{_MAKING}*") if root.is_dir() else ():
        path.unlink(missing_ok=True)


def _members(source: Path, root: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, Path]]:
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is None or not pattern.fullmatch(member.name):
                    raise BackupError(f"{source.name} holds {member.name!r}, which is foreign.")
                place = root / member.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                yield member.name, _written(content, place.parent)
    except tarfile.TarError as error:
        raise BackupError(f"{source.name} cannot be read: {error}") from error


def _written(content: IO[bytes], folder: Path) -> Path:
    """The content in a file that has no name yet; nothing where the disk does not hold it."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=_MAKING)
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(temporary).unlink()
        raise
    return Path(temporary)


def _is_itself(file: object, name: str) -> bool:
    """A document is what its name says; a package is checked against its row."""
    found = DOCUMENT.fullmatch(name)
    if found is None:
        return True
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)  # type: ignore[attr-defined]
    return digest == found[3] and name.startswith(f"{digest[:2]}/{digest[2:4]}/")
