"""The first line of the overview: what a person wants to know before anything else."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from outcomes.selectors.sae_board import Look
from trialsite.casebook.models import SubjectStatus
from trialsite.dashboard.compliance import Kept
from trialsite.dashboard.overview.board import Board
from trialsite.dashboard.overview.flow import Box, Stand
from trialsite.dashboard.overview.scope import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure of the first line; `tone` where any of it asks for an act."""

    title: str | Promise
    number: Number
    of: int | None = None
    tone: str = ""


def tiles_of(board: Board) -> list[Tile]:
    """The tiles, each one of the numbers further down the page."""
    places: list[tuple[str, str, str | Promise, str]] = [
        ("flow", Box.CONSENTED.value, _("Consented"), ""),
        ("enrolled", "", _("Enrolled, of the study's target"), ""),
        ("flow", Box.TREATED.value, _("Treated"), ""),
        ("flow", Stand.ON_STUDY.value, _("In follow-up"), ""),
        ("flow", Stand.DIED.value, SubjectStatus.DIED.label, ""),
        ("visits", Kept.OVERDUE.value, _("Visits overdue"), "warning"),
        ("cases", Look.OPEN.value, _("Serious events, open"), ""),
        ("cases", Look.OVERDUE.value, _("Reports overdue"), "urgent"),
        ("samples", "", _("Samples missing"), "warning"),
    ]
    found = ((board.number(key, part), title, tone) for key, part, title, tone in places)
    return [
        Tile(
            title=title,
            number=number,
            of=board.enrolled.target if number.figure == "enrolled" else None,
            tone=tone,
        )
        for number, title, tone in found
        if number is not None
    ]
