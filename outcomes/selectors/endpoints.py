"""The endpoints of a set of courses under a protocol: one reading for page, REST and files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from outcomes.endpoints.course import Course
from outcomes.endpoints.report import Endpoints, estimate
from trialsite.protocol import Protocol


def endpoints_of(
    courses: Sequence[Course], protocol: Protocol, on: dt.date | None = None
) -> Endpoints:
    """Every endpoint of these courses at the protocol's days; nothing of it is stored or typed.

    `courses` come from `outcomes.selectors.courses.courses_of`, cut at the same `on`.
    """
    return estimate(
        courses,
        anchor=protocol.anchor,
        survival_days=protocol.outcomes.survival_days,
        conversion_days=protocol.outcomes.conversion_days,
        on=on,
    )
