"""A file that is not read, and why."""

from __future__ import annotations

from trialsite.core.exceptions import DomainError


class UnreadableFileError(DomainError):
    """Nothing is taken from this file; `line` and `column` say where it failed, if anywhere."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
