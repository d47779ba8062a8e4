"""A study of two sites that has something of everything the overview counts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from screening.models import EligibilityEvaluation
from screening.models.eligibility import CriterionAnswer, CriterionState, Decided
from screening.models.log import Reason
from screening.selectors.funnel import Place
from tests.dashboard.conftest import inclusive
from tests.factories import Cast, given, make_protocol, make_record, make_visit
from tests.outcomes.conftest import complicated, save_event, treated
from tests.outcomes.sae.conftest import first_word
from tests.screening.test_funnel import KINDS, rows_of
from trialsite.access.models import Site
from trialsite.casebook.models import Subject, VisitStatus
from trialsite.core.clock import trial_today
from trialsite.core.partial_dates import PartialDate
from visits.models.session_codes import StopReason


@given
def histories(cast: Cast, *, times: int = 1) -> None:
    """One person of every kind at our site, and one more enrolled at the other."""
    version = make_protocol(cast.site, cast.other_site)
    rows = [(place, True, ["EX04", "IN03"], [Reason.DIED]) for place in KINDS] * times
    rows_of(cast, version, [*rows, *[(Place.ON_STUDY, False, ["EX04"], [Reason.DIED])] * times])


@given
def subject_in(site: Site, status: str) -> Subject:
    """The subject of this status at a site that was made first."""
    found = Subject.objects.filter(site=site, status=status).order_by("screening_number")
    return found[0]


@given
def evaluated(
    cast: Cast, subject: Subject, decision: str, number: int = 1, **states: str
) -> EligibilityEvaluation:
    """A signed evaluation with its verdicts, as rows."""
    record = make_record(subject, "F.IE", repeat_key=number)
    eligible = decision == Decided.ELIGIBLE
    evaluation = EligibilityEvaluation.objects.create(
        record=record,
        site_id=subject.site_id,
        subject=subject,
        number=number,
        protocol_version_id=subject.protocol_version_id,
        engine="1",
        evaluated_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
        facts="{}",
        verdicts="{}",
        decision=decision,
        against=[] if eligible else ["EX04"],
        content_hash="0" * 64,
        signed_by=cast.investigator,
    )
    for place, (criterion, state) in enumerate(states.items()):
        CriterionAnswer.objects.create(
            site_id=subject.site_id,
            subject=subject,
            evaluation=evaluation,
            criterion=criterion,
            position=place,
            inclusion=criterion.startswith("IN"),
            judged=False,
            state=state,
        )
    return evaluation


def of_everything(cast: Cast) -> None:
    """What each figure counts is there at our site; at the other, one treated subject."""
    histories(cast)
    enrolled = subject_in(cast.site, "enrolled")
    candidate = subject_in(cast.site, "screening")
    failed = subject_in(cast.site, "screen_failed")
    met, unmet = CriterionState.MET, CriterionState.NOT_MET
    evaluated(cast, candidate, Decided.INELIGIBLE, 1, IN03=unmet, EX04=met)
    evaluated(cast, candidate, Decided.ELIGIBLE, 2, IN03=met, EX04=unmet)
    evaluated(cast, failed, Decided.INELIGIBLE, 1, IN03=met, EX04=met)
    session = treated(enrolled, cast.nurse)
    treated(enrolled, cast.nurse, "2026-03-07T10:00", stop_reason=StopReason.CLOTTING,
            ended_at=dt.datetime.fromisoformat("2026-03-07T12:30"))  # fmt: skip
    treated(subject_in(cast.other_site, "enrolled"), cast.nurse)
    complicated(session, cast.nurse)
    save_event(make_record(enrolled, "F.AE", repeat_key=1), cast.nurse)
    first_word(enrolled, cast.nurse, aware_at=_noon(cast.site), started_on=_day(cast.site),
               started_time=None)  # fmt: skip
    visits_of(enrolled)


def _noon(site: Site) -> dt.datetime:
    return dt.datetime.combine(trial_today(site.time_zone), dt.time()) - dt.timedelta(hours=1)


def _day(site: Site) -> PartialDate:
    return PartialDate.parse(str(trial_today(site.time_zone) - dt.timedelta(days=1)))


@given
def visits_of(subject: Subject, **more: Any) -> None:
    """One visit kept without its samples, one overdue, one still to come."""
    today = trial_today(subject.site.time_zone)

    def window(first: int, last: int) -> Any:
        return inclusive(today + dt.timedelta(days=first), today + dt.timedelta(days=last))

    kept = today - dt.timedelta(days=20)
    make_visit(subject, "SE.D7", window=window(-21, -19), status=VisitStatus.ATTENDED,
               attended_on=kept, **more)  # fmt: skip
    make_visit(subject, "SE.D14", window=window(-9, -7), **more)
    make_visit(subject, "SE.D28", window=window(5, 9), **more)
