"""PostgreSQL refuses to run as root, so root lends it an unprivileged account."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialsite.launcher.errors import LauncherError

CANDIDATES = ("postgres", "_postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """An account another process is started under."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` start a child under this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can(self, test: str, path: Path) -> bool:
        """Ask the kernel whether the account may read (-r), write (-w) or execute (-x) a path."""
        command = ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)]
        return subprocess.run(command, cwd="/", check=False, **self.popen_options()).returncode == 0

    def own(self, path: Path) -> None:
        """Give one file or directory to the account."""
        os.chown(path, self.uid, self.gid)


def unprivileged_account(data: Path) -> Account | None:
    """Return the account for PostgreSQL, or None when the launcher itself is unprivileged.

    Data that exist keep their owner: PostgreSQL serves nobody else's files.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        status = data.stat()
        return Account(f"account {status.st_uid}", status.st_uid, status.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LauncherError(
        "PostgreSQL does not run as root, and this machine has none of the accounts "
        f"{', '.join(CANDIDATES)} to run it under.\nStart Trialsite as an ordinary user, "
        "or give DATABASE_URL of an existing server."
    )
