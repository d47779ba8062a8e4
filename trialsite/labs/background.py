"""What the scores of a draw need to know beyond the draw; an app above says it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A subject at the moment of a draw. None: not on record."""

    dialysis: bool | None = None
    alcoholic_or_biliary: bool | None = None


_tellers: list[Callable[[uuid.UUID, dt.datetime], Background]] = []


def tell_background(teller: Callable[[uuid.UUID, dt.datetime], Background]) -> None:
    """Register who knows it: a function of subject id and aware moment."""
    _tellers[:] = [teller]


def background_of(subject_id: uuid.UUID, at: dt.datetime) -> Background:
    """What is on record about a subject at a moment."""
    return _tellers[0](subject_id, at) if _tellers else Background()
