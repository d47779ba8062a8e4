"""Text that a spreadsheet would run as a formula is made harmless, reversibly."""

from __future__ import annotations

#: OWASP ASVS 1.2.10, with the full-width forms that Chinese input methods produce.
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def neutralise(text: str) -> str:
    """Put an apostrophe before text that starts like a formula; NUL characters go."""
    text = text.replace("\x00", "")
    return f"'{text}" if text.startswith(TRIGGERS) or text.startswith("'") else text


def restore(text: str) -> str:
    """Undo `neutralise`."""
    return text.removeprefix("'")
