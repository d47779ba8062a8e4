"""What of an answer may be kept: its counts, under a name. Rows never are."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.endpoints.report import Endpoints
from outcomes.endpoints.survival import Point
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.dashboard.feasibility.result import Result, encoded
from trialsite.dashboard.feasibility.survival import endpoints_of_times
from trialsite.dashboard.models import SavedFeasibility
from trialsite.protocol import Protocol

LONGEST_NAME = 120


@transaction.atomic
def save_feasibility(
    *, name: str, site: Site, result: Result, protocol: Protocol, by: User
) -> SavedFeasibility:
    """Keep the counts of an answer for a site; never a row, nor the file it came from, nor a
    text of one of its cells.

    Raises DomainError for a name that is empty, too long, or taken at the site.
    """
    by.require(Capability.TRY_CRITERIA, site=site.pk)
    made = SavedFeasibility(
        site=site,
        name=" ".join(name.split()),
        saved_by=by,
        saved_at=trial_now(),
        sha256=result.sha256,
        protocol_version=result.protocol_version,
        protocol_hash=result.protocol_hash,
        rows=result.rows,
        mapping=result.mapping,
        counts=counts_of(result, protocol),
    )
    if not made.name or len(made.name) > LONGEST_NAME:
        raise DomainError(_("Give it a name of at most %(n)d characters.") % {"n": LONGEST_NAME})
    try:
        made.validate_constraints()
    except ValidationError as error:
        raise DomainError(" ".join(error.messages)) from error
    made.save(force_insert=True)
    return made


def counts_of(result: Result, protocol: Protocol) -> dict[str, Any]:
    """The answer without anything of a single row."""
    said = {
        "outcomes": {
            each: result.count(each) for each in ("eligible", "ineligible", "not_yet_known")
        },
        "possible": result.possible,
        "judged": len(result.people),
        "as_written": result.as_written,
        "age_when_judged": result.age_when_judged,
        "judged_for": result.judged_for,
        "set_aside": result.set_aside,
        "doubted": result.doubted,
        "tallies": [
            {k: v for k, v in encoded(each).items() if k != "needs"} for each in result.tallies
        ],
        "scores": [encoded(each) for each in result.scores],
    }
    if result.times is not None:
        said["survival"] = survival_counts(endpoints_of_times(result.times, protocol))
    return said


def survival_counts(found: Endpoints) -> dict[str, Any]:
    """The estimates at the days asked for, and how many stand where."""
    conversion = found.conversion
    return {
        "people": found.enrolled,
        "events": {
            "overall": found.overall.curve.events,
            "transplant_free": found.transplant_free.curve.events,
            "transplant": conversion.transplant.events,
            "death": conversion.death.events,
        },
        "overall": [_point(each) for each in found.overall.points],
        "transplant_free": [_point(each) for each in found.transplant_free.points],
        "transplant": [_point(conversion.transplant.at(day)) for day in found.survival_days],
        "death": [_point(conversion.death.at(day)) for day in found.survival_days],
        "milestones": [
            {
                "day": each.day,
                "states": {state.value: len(who) for state, who in each.subjects.items()},
            }
            for each in found.milestones
        ],
    }


def _point(point: Point) -> dict[str, Any]:
    """Six decimals: more say nothing about people."""
    limits = (point.interval.low, point.interval.high) if point.interval else (None, None)
    value, low, high = (None if n is None else f"{n:.6f}" for n in (point.value, *limits))
    return {"day": point.day, "at_risk": point.at_risk, "value": value, "low": low, "high": high}
