"""What courses are made of, read in one statement: so every figure is of one moment."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from outcomes.models import AdverseEvent, Disposition, SurvivalContact, Transplantation
from outcomes.models.codes import Outcome
from outcomes.models.follow_up_codes import EndReason
from screening.models import Consent, Enrolment, Withdrawal
from screening.models.consent import Scope
from trialsite.access.models import Site
from trialsite.casebook.evidence import evidence
from trialsite.casebook.models import CrfRecord, Subject, Visit, VisitMode
from visits.models import TreatmentSession

(
    ADVERSE_EVENTS,
    CONSENTS,
    CONTACTS,
    DISPOSITIONS,
    ENROLMENTS,
    RECORDS,
    SESSIONS,
    SITES,
    SUBJECTS,
    TRANSPLANTATIONS,
    VISITS,
    WITHDRAWALS,
) = (
    model._meta.db_table
    for model in (
        AdverseEvent,
        Consent,
        SurvivalContact,
        Disposition,
        Enrolment,
        CrfRecord,
        TreatmentSession,
        Site,
        Subject,
        Transplantation,
        Visit,
        Withdrawal,
    )
)

#: Evidence without a form of its own: what `Course.last_alive_by` says of them.
VISIT, WITHDRAWAL = "visit", "withdrawal"


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseRow:
    """The facts about one enrolled subject as they stand, not yet made consistent."""

    subject: uuid.UUID
    site: str
    number: str
    today: dt.date
    cut_on: dt.date
    enrolled_on: dt.date
    day_zero: dt.date | None
    dosed_on: dt.date | None
    died_on: str
    withdrawn_on: dt.date | None
    #: The last dated evidence of life up to the cut and the withdrawal, and its kind.
    alive_on: dt.date | None
    alive_by: str
    transplanted_on: list[str]
    #: contact_on, status, last_alive_on, transplanted_since of each contact up to the cut.
    contacts: list[tuple[str, str | None, str | None, bool | None]]
    #: scope, reason, ended_on of each disposition; one by death may have no date.
    dispositions: list[tuple[str | None, str | None, str | None]]
    #: started_on, ended_on of each fatal adverse event.
    fatal: list[tuple[str | None, str | None]]


#: A day known to the month proves life from the first of that month on, no later.
_FIRST_DAY = "left(e.day || '-01-01', 10) COLLATE \"C\""
_STANDING = f"JOIN {RECORDS} r ON r.id = x.record_id AND r.voided_at IS NULL"

#: Since when all data are withdrawn without a break, up to the cut.
_WITHDRAWN = f"""
SELECT x.subject_id, min(x.withdrawn_at)::date AS withdrawn_on
FROM {WITHDRAWALS} x {_STANDING}
WHERE '{Scope.ALL_DATA}' = ANY (x.scopes) AND NOT EXISTS (
  SELECT FROM {CONSENTS} c JOIN {RECORDS} cr ON cr.id = c.record_id
  WHERE c.subject_id = x.subject_id AND cr.voided_at IS NULL
    AND '{Scope.ALL_DATA}' = ANY (c.resumes)
    AND (c.signed_at, c.recorded_at) > (x.withdrawn_at, x.recorded_at))
GROUP BY x.subject_id
HAVING min(x.withdrawn_at)::date <= coalesce(%(on)s::date, 'infinity')
"""

#: What is read of each subject: the subject, and values as JSON.
_PARTS = {
    "enrolled": f"""s.id::text, jsonb_build_array(t.code, coalesce(s.number, s.screening_number),
        (trialsite.now() AT TIME ZONE t.time_zone)::date, x.enrolled_on, s.day_zero, s.died_on)
      FROM {ENROLMENTS} x JOIN {SUBJECTS} s ON s.id = x.subject_id
        JOIN {SITES} t ON t.id = s.site_id
      WHERE x.voided_at IS NULL AND x.site_id = ANY (%(sites)s)
        AND x.enrolled_on <= coalesce(%(on)s::date, 'infinity')""",
    "withdrawn": "w.subject_id::text, to_jsonb(w.withdrawn_on) FROM withdrawn w",
    "alive": f"""e.subject_id::text,
        to_jsonb(max({_FIRST_DAY} || ' ' || coalesce(r.form_oid, '{VISIT}')))
      FROM ({{evidence}}) e LEFT JOIN {RECORDS} r ON r.id = e.record_id
        LEFT JOIN withdrawn w ON w.subject_id = e.subject_id
      WHERE {_FIRST_DAY} <= to_char(
        least(coalesce(%(on)s::date, '9999-12-31'), w.withdrawn_on), 'YYYY-MM-DD') COLLATE "C"
      GROUP BY e.subject_id""",
    "dosed": f"""x.subject_id::text, to_jsonb(min(x.started_at)::date)
      FROM {SESSIONS} x WHERE x.voided_at IS NULL AND x.started_at IS NOT NULL
      GROUP BY x.subject_id""",
    "transplanted": f"""x.subject_id::text, to_jsonb(x.transplanted_on)
      FROM {TRANSPLANTATIONS} x {_STANDING} WHERE x.transplanted_on IS NOT NULL""",
    "contact": f"""x.subject_id::text,
        jsonb_build_array(x.contact_on, x.status, x.last_alive_on, x.transplanted_since)
      FROM {CONTACTS} x {_STANDING} WHERE x.contact_on <= coalesce(%(on)s::date, 'infinity')""",
    "ended": f"""x.subject_id::text, jsonb_build_array(x.scope, x.reason, x.ended_on)
      FROM {DISPOSITIONS} x {_STANDING}
      WHERE x.ended_on IS NOT NULL OR x.reason = '{EndReason.DEATH}'""",
    "fatal": f"""x.subject_id::text, jsonb_build_array(x.started_on, x.ended_on)
      FROM {ADVERSE_EVENTS} x {_STANDING} WHERE x.outcome = '{Outcome.FATAL}'""",
}


def course_rows(sites: Collection[int], *, on: dt.date | None = None) -> list[CourseRow]:
    """The enrolled subjects of these sites, by site and number; one statement.

    Its parts are put together here and not by joins: none needs another, and the planner,
    which cannot know how many subjects a person may see, would join them row by row.
    """
    # Keyed by text: that of an id is hashed once, an id anew each time it is asked for.
    found: dict[str, dict[str, list[Any]]] = {part: defaultdict(list) for part in _PARTS}
    with connection.cursor() as cursor:
        cursor.execute(_statement(), {"sites": sorted(sites), "on": on})
        for part, subject, values in cursor.fetchall():
            found[part][subject].append(json.loads(values))
    rows = [
        _row(
            uuid.UUID(subject),
            facts,
            {part: of.get(subject, ()) for part, of in found.items()},
            on,
        )
        for subject, (facts,) in found["enrolled"].items()
    ]
    return sorted(rows, key=lambda row: (row.site, row.number))


def _row(
    subject: uuid.UUID, facts: list[Any], parts: dict[str, Sequence[Any]], on: dt.date | None
) -> CourseRow:
    site, number, today, enrolled_on, day_zero, died_on = facts
    alive_on, _space, alive_by = (_only(parts["alive"]) or "").partition(" ")
    present = dt.date.fromisoformat(today)
    return CourseRow(
        subject=subject,
        site=site,
        number=number,
        today=present,
        cut_on=min(on, present) if on else present,
        enrolled_on=dt.date.fromisoformat(enrolled_on),
        day_zero=_day(day_zero),
        dosed_on=_day(_only(parts["dosed"])),
        died_on=died_on,
        withdrawn_on=_day(_only(parts["withdrawn"])),
        alive_on=_day(alive_on),
        alive_by=alive_by,
        transplanted_on=list(parts["transplanted"]),
        contacts=sorted((tuple(each) for each in parts["contact"]), key=lambda each: each[0]),
        dispositions=[tuple(each) for each in parts["ended"]],
        fatal=[tuple(each) for each in parts["fatal"]],
    )


def _only(values: Sequence[Any]) -> Any:
    return values[0] if values else None


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _statement() -> str:
    """All parts under one another: (part, subject, JSON)."""
    parts = (f"SELECT '{name}', {sql}" for name, sql in _PARTS.items())
    text = " UNION ALL ".join(parts).format(evidence=_evidence())
    return f"WITH withdrawn AS ({_WITHDRAWN}) {text}"


def _evidence() -> str:
    """Every dated observation of the living: those of the registry, and visits.

    A visit by telephone, or a contact that stands for a missed visit, proves nothing by its
    own date: on which day the person was known to live stands in the contact's record.
    """
    visits = (
        f"SELECT v.subject_id, to_char(v.attended_on, 'YYYY-MM-DD'), NULL, NULL::uuid "
        f"FROM {VISITS} v "
        f"WHERE v.attended_on IS NOT NULL AND v.mode <> '{VisitMode.TELEPHONE}' "
        "AND v.stands_for_id IS NULL"
    )
    return " UNION ALL ".join([*(each.select for each in evidence()), visits])
