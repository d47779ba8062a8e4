"""A circuit that ran much shorter or longer than prescribed is proposed as a deviation."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.partial_dates import PartialDate
from visits.kinds import OFF_DURATION
from visits.models import TreatmentSession
from visits.selectors.sessions import minutes_of
from visits.services.session_store import plan_of


def propose_duration(session: TreatmentSession) -> None:
    """A circuit that ran much shorter or longer than prescribed (clinical 1b)."""
    plan, ran = plan_of(session), minutes_of(session).circuit
    if plan is None or ran is None or session.started_at is None:
        return
    off = ran - Decimal(session.planned_minutes)
    if abs(off) <= plan.duration_tolerance_minutes:
        end_deviation_cause(site=session.subject.site, key=f"{OFF_DURATION.code}:{session.pk}")
        return
    said = _(
        "Session %(number)d ran %(ran)s minutes; %(planned)d were prescribed, tolerance "
        "%(tolerance)d. It ended: %(why)s."
    )
    propose_deviation(
        site=session.subject.site,
        kind=OFF_DURATION.code,
        key=f"{OFF_DURATION.code}:{session.pk}",
        description=said
        % {
            "number": session.number,
            "ran": f"{ran.normalize():f}",
            "planned": session.planned_minutes,
            "tolerance": plan.duration_tolerance_minutes,
            "why": session.get_stop_reason_display(),
        },
        subject=session.subject,
        occurred_on=PartialDate.parse(session.started_at.date().isoformat()),
    )
