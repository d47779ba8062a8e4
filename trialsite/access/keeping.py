"""What must be remembered although the request that caused it is rolled back."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest


def keep(request: HttpRequest, act: Callable[[], None]) -> None:
    """Do something now, and once more should the request's transaction be rolled back."""
    act()
    kept(request).append(act)


def kept(request: HttpRequest) -> list[Callable[[], None]]:
    """Everything this request wants remembered, in order."""
    found: list[Callable[[], None]] | None = getattr(request, "_kept", None)
    if found is None:
        found = []
        request._kept = found  # type: ignore[attr-defined]
    return found
