"""PostgreSQL's own programs, with the password beside the command line, never on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from trialsite.exports.backups.manifest import BackupError


def run_program(name: str, url: str, arguments: Sequence[str]) -> None:
    """Run pg_dump or pg_restore on a database; BackupError with what it says where it fails."""
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    password = parts.pop("password", "")
    command = [_program(name), f"--dbname={make_conninfo(**parts)}", "--no-password", *arguments]
    environment = {**os.environ, "PGPASSWORD": password, "LC_ALL": "C", "PGTZ": "UTC"}
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", errors="replace").strip().splitlines()[:8]
        raise BackupError(f"{name} failed:\n" + "\n".join(f"  {line}" for line in said))


def _program(name: str) -> str:
    """The program of POSTGRES_BIN, which the launcher names, else the system's."""
    chosen = os.environ.get("POSTGRES_BIN")
    path = shutil.which(name, path=str(Path(chosen))) if chosen else shutil.which(name)
    if path is None:
        raise BackupError(
            f"{name} is not found. Name the folder of PostgreSQL's programs: POSTGRES_BIN=..."
        )
    return path
