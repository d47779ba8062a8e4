"""Reading about deaths."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from outcomes.models import Death
from trialsite.casebook.models import CrfRecord, Subject
from visits.models import TreatmentSession


def death_record(subject: Subject) -> CrfRecord | None:
    """The standing record of a subject's death, filled in or not."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=Death.form_oid)
    return records.order_by("-repeat_key").first()


def hours_after_session(death: Death) -> float | None:
    """The hours from the end of the last session to the death, the fewest the date allows.

    A death in a running session, or one whose day or month leaves the moment open, counts
    as early as it may have been. None where no session preceded it.
    """
    assert death.died_on is not None
    zone = ZoneInfo(death.time_zone)
    latest = dt.datetime.combine(death.died_on.latest, dt.time.max)
    if death.died_time is not None:
        latest = dt.datetime.combine(death.died_on.latest, death.died_time)
    sessions = TreatmentSession.objects.started().filter(
        subject_id=death.subject_id, started_at__lte=latest
    )
    session = sessions.order_by("-started_at").first()
    if session is None:
        return None
    ended = session.ended_at or latest
    earliest = latest if death.died_time else dt.datetime.combine(death.died_on.earliest, dt.time())
    died = max(earliest, min(ended, latest))
    passed = died.replace(tzinfo=zone) - ended.replace(tzinfo=zone)
    return max(passed / dt.timedelta(hours=1), 0.0)
