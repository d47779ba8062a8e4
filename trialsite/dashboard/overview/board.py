"""The whole overview, read once for the page and the API alike."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.selectors import current_version
from trialsite.dashboard.overview.conduct import (
    Samples,
    Screening,
    Treatment,
    VisitLine,
    samples_of,
    screening_of,
    treatment_of,
    visits_of,
)
from trialsite.dashboard.overview.enrolment import Enrolled, enrolled_of
from trialsite.dashboard.overview.harm import Outcomes, Safety, outcomes_of, safety_of
from trialsite.dashboard.overview.scope import Number, Scope, Tally
from trialsite.protocol import Protocol
from trialsite.review.assumptions import confirmed_protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Every section, and every number on it."""

    now: dt.datetime
    protocol: Protocol | None
    anchor_open: bool
    enrolled: Enrolled
    screening: Screening
    visits: list[VisitLine]
    treatment: Treatment
    outcomes: Outcomes | None
    safety: Safety
    samples: Samples
    numbers: list[Number]

    def number(self, figure: str, part: str = "") -> Number | None:
        """A number of all the sites together."""
        matching = (
            each
            for each in self.numbers
            if (each.figure, each.part, each.site) == (figure, part, "")
        )
        return next(matching, None)


def board_of(scope: Scope) -> Board:
    """The overview of a scope; a constant number of queries, whatever the study holds."""
    tally = Tally(scope)
    protocol = _protocol()
    return Board(
        now=scope.now,
        protocol=protocol,
        anchor_open=bool(protocol and protocol.assumptions_under("anchor")),
        enrolled=enrolled_of(tally, protocol),
        screening=screening_of(tally),
        visits=visits_of(tally),
        treatment=treatment_of(tally),
        outcomes=outcomes_of(tally, protocol) if protocol else None,
        safety=safety_of(tally),
        samples=samples_of(tally),
        numbers=tally.numbers,
    )


def _protocol() -> Protocol | None:
    try:
        return confirmed_protocol(current_version().pk)
    except ProtocolVersion.DoesNotExist:
        return None
