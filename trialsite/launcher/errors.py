"""Failures the launcher explains to the person at the keyboard."""

from pathlib import Path

TAIL_LINES = 25
RUN_MARK = "--- "


class LauncherError(Exception):
    """Something the reader can act on; the text is printed as it stands, without a traceback."""


def log_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of the latest run in a log, indented for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "    (no log)"
    latest = text.rpartition(f"\n{RUN_MARK}")[2]
    return "\n".join(f"    {line}" for line in latest.splitlines()[-lines:])
