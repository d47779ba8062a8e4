"""Refusals. Each message is written for the person who caused it."""

from __future__ import annotations


class DomainError(Exception):
    """A rule of the trial refuses this act; the message says which and what to do."""


class NotPermittedError(DomainError):
    """The person's delegated roles do not include this act here."""


class TransitionError(DomainError):
    """The thing is no longer in the state this act starts from."""


class StaleError(DomainError):
    """Somebody else saved first; `current` holds what stands now, by item."""

    def __init__(self, message: str, *, current: dict[str, object], version: int) -> None:
        super().__init__(message)
        self.current = current
        self.version = version


class MissingContextError(DomainError):
    """Code reached protected data without saying on whose behalf and why."""


class MissingRolesError(DomainError):
    """The database server lacks roles that the guards stand on."""
