"""Reading about deaths."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from outcomes.models import Death
from outcomes.selectors.survival import last_alive
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.clock import trial_now
from visits.models import TreatmentSession


def death_record(subject: Subject) -> CrfRecord | None:
    """The standing record of a subject's death, filled in or not."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=Death.form_oid)
    return records.order_by("-repeat_key").first()


def hours_after_session(death: Death) -> float | None:
    """The hours from the end of the last session to the death, the fewest the date allows.

    A death in a running session, or one whose day or month leaves the moment open, counts
    as early as it may have been; one whose date is not known, after the last sign of life.
    None where no session preceded it.
    """
    zone = ZoneInfo(death.time_zone)
    first, latest = _span(death, zone)
    sessions = TreatmentSession.objects.started().filter(
        subject_id=death.subject_id, started_at__lte=latest
    )
    session = sessions.order_by("-started_at").first()
    if session is None:
        return None
    ended = session.ended_at or latest
    earliest = latest if death.died_time else first
    died = max(earliest, min(ended, latest))
    passed = died.replace(tzinfo=zone) - ended.replace(tzinfo=zone)
    return max(passed / dt.timedelta(hours=1), 0.0)


def _span(death: Death, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Between which times on the clock at the site it was."""
    if death.died_on is None:
        seen = last_alive([death.subject_id]).get(death.subject_id)
        day = seen.proven if seen else dt.date.min
        return dt.datetime.combine(day, dt.time()), trial_now().astimezone(zone).replace(
            tzinfo=None
        )
    time = death.died_time or dt.time.max
    first = dt.datetime.combine(death.died_on.earliest, dt.time())
    return first, dt.datetime.combine(death.died_on.latest, time)
