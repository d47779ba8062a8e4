"""Stamps let the second start skip what has not changed."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from trialsite.launcher.storage import write_atomically


def digest_of_text(*parts: str) -> str:
    """Return one digest of several strings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """Return a digest of names and contents, the same in every checkout."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes() if path.is_file() else b"absent")
        digest.update(b"\0")
    return digest.hexdigest()


def digest_of_listing(directories: Iterable[Path], suffixes: tuple[str, ...] = ()) -> str:
    """Return a digest of names, sizes and times below some directories, without reading them."""
    digest = hashlib.sha256()
    for directory in sorted(directories):
        for folder, folders, names in os.walk(directory):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                if not suffixes or name.endswith(suffixes):
                    path = Path(folder, name)
                    status = path.stat()
                    entry = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"
                    digest.update(entry.encode())
    return digest.hexdigest()


class Stamp:
    """Remembers the digest of the inputs a step was last finished with."""

    def __init__(self, path: Path) -> None:
        """Keep the digest in the given file."""
        self._path = path

    def matches(self, digest: str) -> bool:
        """Tell whether the step was finished with exactly these inputs."""
        try:
            return self._path.read_text(encoding="ascii").strip() == digest
        except OSError:
            return False

    def write(self, digest: str) -> None:
        """Record that the step is finished."""
        write_atomically(self._path, f"{digest}\n")

    def clear(self) -> None:
        """Forget the step, so that it runs again."""
        self._path.unlink(missing_ok=True)
