"""Log files: appended to, and turned over before they grow without end."""

import os
from datetime import UTC, datetime
from pathlib import Path

from trialsite.launcher.errors import RUN_MARK

MAX_BYTES = 20 * 1024 * 1024


def open_log(path: Path, title: str) -> int:
    """Open a log for a child to write to, marking where this run begins."""
    if path.exists() and path.stat().st_size > MAX_BYTES:
        path.replace(path.with_suffix(".1.log"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    os.write(descriptor, f"{RUN_MARK}{moment} {title}\n".encode())
    return descriptor
