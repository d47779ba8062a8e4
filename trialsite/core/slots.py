"""Named places that lower apps leave open and upper apps fill, when the process starts.

A page names a slot; whoever stands above fills it from `AppConfig.ready`. Imports stay
downward, and a test compares the slots that are declared with those that are filled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

#: Renders one filling for the object that the page shows; empty where there is nothing.
Filler = Callable[[HttpRequest, Any], str]

_slots: dict[str, list[Filler]] = {}


def declare(name: str) -> str:
    """Open a slot; its name is what the template and the filler say."""
    _slots.setdefault(name, [])
    return name


def fill(name: str, filler: Filler) -> None:
    """Fill a slot; raises KeyError for a name nobody has declared."""
    _slots[name].append(filler)


def fillings(name: str, request: HttpRequest, thing: Any) -> list[str]:
    """What the fillers of a slot show for this object."""
    return [text for filler in _slots[name] if (text := filler(request, thing))]


def declared() -> frozenset[str]:
    """Every slot somebody has opened."""
    return frozenset(_slots)
