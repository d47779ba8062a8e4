"""Failures the launcher explains to the person at the keyboard."""

from pathlib import Path

TAIL_LINES = 25


class LauncherError(Exception):
    """Something the reader can act on; the text is printed as it stands, without a traceback."""


def log_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, indented, for use inside an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
