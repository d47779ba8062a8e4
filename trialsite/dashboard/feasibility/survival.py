"""A survival table of a time and a status through the engine of the study's endpoints."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from django.utils.translation import gettext as _

from outcomes.endpoints.course import Course, Span
from outcomes.endpoints.report import Endpoints, estimate
from trialsite.dashboard.feasibility.cells import Cells, coded
from trialsite.dashboard.feasibility.mapping import Ended, SurvivalColumns
from trialsite.dashboard.feasibility.result import Ending, Times
from trialsite.protocol import Protocol

#: Where the days of a file are counted from; only differences take part in an estimate.
_ZERO = dt.date(2000, 1, 1)
_LONGEST = 36_525


class EndingReader:
    """Makes a time in days and a cause of a row."""

    def __init__(self, columns: SurvivalColumns) -> None:
        self._columns, self._codes = columns, coded(columns.codes)

    def ending(self, line: int, cells: Cells) -> Ending | None:
        """The row's time and what ended it; None where both are blank."""
        columns = self._columns
        blank = [name for name in (columns.time, columns.status) if not cells.text(name)]
        if len(blank) == 1:
            cells.refuse(blank[0], _("Time and status are there together, or neither."))
        if blank:
            return None
        time, cause = cells.number(columns.time), self._cause(cells)
        if time is None or cause is None:
            return None
        days = (time * columns.unit.days).to_integral_value(ROUND_HALF_UP)
        if not 0 <= days <= _LONGEST:
            cells.refuse(columns.time, _("%(time)s is no time of observation.") % {"time": time})
            return None
        return Ending(line=line, days=int(days), cause=cause)

    def _cause(self, cells: Cells) -> str | None:
        """A number such as 1.0 is the code 1."""
        text = cells.text(self._columns.status)
        plain = text.removesuffix(".0") if text[:1].isdigit() else text
        codes = self._codes if plain == text else {**self._codes, text: self._codes.get(plain, "")}
        return cells.code(self._columns.status, codes, tuple(Ended))


def endpoints_of_times(times: Times, protocol: Protocol) -> Endpoints:
    """Every endpoint of a survival table, at the protocol's days and its own.

    A file with one status tells of nobody what came after a transplantation: there the
    observation of survival ends, and only what was seen is counted.
    """
    days = {*protocol.outcomes.survival_days, *times.days}
    return estimate(
        [_course(ending) for ending in times.endings],
        anchor=protocol.anchor,
        survival_days=sorted(days),
        conversion_days=sorted({*protocol.outcomes.conversion_days, *times.days}),
        on=None,
    )


def _course(ending: Ending) -> Course:
    """Time and status as the dates that the engine reads. Every day asked for has come: whose
    observation ended before is not known then."""
    on = _ZERO + dt.timedelta(days=ending.days)
    span = Span(earliest=on, latest=on)
    return Course(
        subject=UUID(int=ending.line),
        number=str(ending.line),
        site="",
        cut_on=_ZERO + dt.timedelta(days=2 * _LONGEST),
        enrolled_on=_ZERO,
        dosed_on=_ZERO,
        anchor_on=_ZERO,
        died_on=span if ending.cause == Ended.DEAD else None,
        transplanted_on=span if ending.cause == Ended.TRANSPLANTED else None,
        last_alive_on=None if ending.cause == Ended.DEAD else on,
    )


def years(day: int) -> Decimal:
    """A day as years with one decimal, for reading long tables."""
    return (Decimal(day) / Decimal("365.25")).quantize(Decimal("0.1"), ROUND_HALF_UP)
