"""The directory PostgreSQL works in, placed where its account can reach it (decision D18)."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from trialsite.launcher import processes
from trialsite.launcher.account import Account
from trialsite.launcher.binaries import PostgresBinaries
from trialsite.launcher.progress import say
from trialsite.launcher.storage import write_atomically

OUTSIDE = (Path("/var/lib"), Path("/var/db"))


@dataclass(frozen=True)
class Home:
    """A directory that belongs to the account PostgreSQL runs under."""

    directory: Path
    account: Account | None

    def write(self, path: Path, text: str) -> None:
        """Write a file PostgreSQL may read and nobody else."""
        write_atomically(path, text, mode=0o600)
        if self.account:
            self.account.own(path)

    @contextmanager
    def private_file(self, path: Path, text: str) -> Iterator[None]:
        """Keep a file only for as long as it is needed."""
        self.write(path, text)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    @staticmethod
    def discard(path: Path) -> None:
        """Remove what an interrupted initialisation left."""
        if path.exists():
            shutil.rmtree(path)


def home_link(var: Path) -> Path:
    """Return where a cluster's home is, or is linked from."""
    return var / "postgres"


def settle(var: Path, account: Account | None, *, durable: bool) -> Home:
    """Return the home of a cluster: under `var`, or outside and linked from there.

    Root's own home is usually closed to the account PostgreSQL runs under. Opening it would
    change the machine, so the data go to a place the account can reach.
    """
    link = home_link(var)
    if link.is_symlink() or link.exists():
        directory = link.resolve()
    elif account is None or account.can("-x", var):
        directory = link
    else:
        directory = _outside(var)
        _make_way(directory, durable=durable)
        link.symlink_to(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    if account:
        account.own(directory)
    return Home(directory, account)


def reachable(binaries: PostgresBinaries, home: Home) -> PostgresBinaries:
    """Return programs the account can execute, copying them next to the data if need be."""
    account = home.account
    if account is None or account.can("-x", binaries.bin / "postgres"):
        return binaries
    return _copy(binaries, home)


def _copy(binaries: PostgresBinaries, home: Home) -> PostgresBinaries:
    if not binaries.trees:
        return binaries
    program = binaries.bin / "postgres"
    status = program.stat()
    version = f"{status.st_size:x}-{int(status.st_mtime):x}"
    target = home.directory / f"server-{binaries.major}-{version}"
    install, libraries = binaries.trees
    if not target.exists():
        partial = target.with_suffix(".partial")
        home.discard(partial)
        ignored = shutil.ignore_patterns("include", "pgxs", "doc", "pgbench", "ecpg")
        shutil.copytree(install, partial / "package" / install.name, ignore=ignored)
        shutil.copytree(libraries, partial / libraries.name)
        _open_for_reading(partial)
        # A file copied without its sibling libraries would not start: rename when complete.
        partial.rename(target)
    return replace(binaries, bin=target / "package" / install.name / "bin", trees=())


def _open_for_reading(tree: Path) -> None:
    """Undo a restrictive umask on the copy, which lies inside a closed directory anyway."""
    for folder, _, names in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if os.access(path, os.X_OK) else 0o444))


def _outside(var: Path) -> Path:
    name = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]
    parent = next((folder for folder in OUTSIDE if folder.is_dir()), OUTSIDE[0])
    return parent / f"trialsite-{name}"


def _make_way(directory: Path, *, durable: bool) -> None:
    """Set aside the database of a deleted checkout that lay at the same path.

    Its passwords went with the checkout, so it cannot be used as it is; but it may be the only
    copy of somebody's data, so only a disposable one is removed.
    """
    if not directory.exists():
        return
    processes.end_occupants(directory / "data", patience=3.0)
    if durable:
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = directory.with_name(f"{directory.name}-left-{moment}")
        directory.rename(aside)
        say(f"  The database of a former checkout at this path was set aside: {aside}")
    else:
        shutil.rmtree(directory)
