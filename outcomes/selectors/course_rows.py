"""What courses are made of, read in one statement: so every figure is of one moment."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from outcomes.models import Disposition, SurvivalContact, Transplantation
from screening.models import Consent, Enrolment, Withdrawal
from screening.models.consent import Scope
from trialsite.access.models import Site
from trialsite.casebook.evidence import evidence
from trialsite.casebook.models import CrfRecord, Subject, Visit, VisitMode
from visits.models import TreatmentSession

(
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

#: Evidence that has no form: what `Course.last_alive_by` says of them.
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
    #: scope, reason, ended_on of each disposition.
    dispositions: list[tuple[str | None, str | None, str]]


def course_rows(sites: Collection[int], *, on: dt.date | None = None) -> Iterator[CourseRow]:
    """The enrolled subjects of these sites, by site and number; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT.format(evidence=_evidence()), [on, sorted(sites)])
        names = [column.name for column in cursor.description or ()]
        for values in cursor.fetchall():
            yield CourseRow(**_known(dict(zip(names, values, strict=True))))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    day, _space, kind = (row.pop("alive") or "").partition(" ")
    return row | {
        "alive_on": dt.date.fromisoformat(day) if day else None,
        "alive_by": kind,
        "transplanted_on": row["transplanted_on"] or [],
        "contacts": [tuple(each) for each in row["contacts"] or []],
        "dispositions": [tuple(each) for each in row["dispositions"] or []],
    }


def _evidence() -> str:
    """Every dated observation of the living: those of the registry, and visits.

    A telephone visit proves nothing by itself, as a contact does not: whom one reached, and
    what was told, stands in the contact (`last_alive_on`).
    """
    visits = (
        f"SELECT v.subject_id, to_char(v.attended_on, 'YYYY-MM-DD'), '{VISIT}', NULL::uuid "
        f"FROM {VISITS} v "
        f"WHERE v.attended_on IS NOT NULL AND v.mode <> '{VisitMode.TELEPHONE}'"
    )
    return " UNION ALL ".join([*(each.select for each in evidence()), visits])


#: A day known to the month proves life from the first of that month on, no later.
_FIRST_DAY = "left(e.day || '-01-01', 10)"
_STANDING = f"JOIN {RECORDS} r ON r.id = {{0}}.record_id AND r.voided_at IS NULL"

_STATEMENT = f"""
WITH enrolled AS (
  SELECT s.id AS subject, t.code AS site, coalesce(s.number, s.screening_number) AS number,
    d.today, d.cut_on, e.enrolled_on, s.day_zero, s.died_on, w.withdrawn_on
  FROM {ENROLMENTS} e
  JOIN {SUBJECTS} s ON s.id = e.subject_id
  JOIN {SITES} t ON t.id = s.site_id
  CROSS JOIN LATERAL (
    SELECT p.today, least(%s::date, p.today) AS cut_on
    FROM (SELECT (trialsite.now() AT TIME ZONE t.time_zone)::date AS today) p
  ) d
  LEFT JOIN LATERAL (
    SELECT min(a.withdrawn_at)::date AS withdrawn_on
    FROM {WITHDRAWALS} a {_STANDING.format("a")}
    WHERE a.subject_id = s.id AND '{Scope.ALL_DATA}' = ANY (a.scopes)
      AND NOT EXISTS (
        SELECT FROM {CONSENTS} c JOIN {RECORDS} cr ON cr.id = c.record_id
        WHERE c.subject_id = s.id AND cr.voided_at IS NULL
          AND '{Scope.ALL_DATA}' = ANY (c.resumes)
          AND (c.signed_at, c.recorded_at) > (a.withdrawn_at, a.recorded_at)
      )
    HAVING min(a.withdrawn_at)::date <= d.cut_on
  ) w ON true
  WHERE e.voided_at IS NULL AND e.site_id = ANY (%s) AND e.enrolled_on <= d.cut_on
), seen AS (
  SELECT e.subject_id, max({_FIRST_DAY} || ' ' || e.form COLLATE "C") AS alive
  FROM ({{evidence}}) e JOIN enrolled n ON n.subject = e.subject_id
  WHERE {_FIRST_DAY} COLLATE "C"
    <= to_char(least(n.cut_on, n.withdrawn_on), 'YYYY-MM-DD') COLLATE "C"
  GROUP BY e.subject_id
), dosed AS (
  SELECT x.subject_id, min(x.started_at)::date AS dosed_on
  FROM {SESSIONS} x
  WHERE x.voided_at IS NULL AND x.started_at IS NOT NULL
  GROUP BY x.subject_id
), transplanted AS (
  SELECT x.subject_id, jsonb_agg(x.transplanted_on ORDER BY x.transplanted_on) AS transplanted_on
  FROM {TRANSPLANTATIONS} x {_STANDING.format("x")}
  WHERE x.transplanted_on IS NOT NULL
  GROUP BY x.subject_id
), contacted AS (
  SELECT x.subject_id, jsonb_agg(
    jsonb_build_array(x.contact_on, x.status, x.last_alive_on, x.transplanted_since)
    ORDER BY x.contact_on, r.repeat_key) AS contacts
  FROM {CONTACTS} x {_STANDING.format("x")} JOIN enrolled n ON n.subject = x.subject_id
  WHERE x.contact_on <= n.cut_on
  GROUP BY x.subject_id
), ended AS (
  SELECT x.subject_id, jsonb_agg(
    jsonb_build_array(x.scope, x.reason, x.ended_on) ORDER BY x.ended_on) AS dispositions
  FROM {DISPOSITIONS} x {_STANDING.format("x")}
  WHERE x.ended_on IS NOT NULL
  GROUP BY x.subject_id
)
SELECT n.*, seen.alive, dosed.dosed_on, transplanted.transplanted_on, contacted.contacts,
  ended.dispositions
FROM enrolled n
LEFT JOIN seen ON seen.subject_id = n.subject
LEFT JOIN dosed ON dosed.subject_id = n.subject
LEFT JOIN transplanted ON transplanted.subject_id = n.subject
LEFT JOIN contacted ON contacted.subject_id = n.subject
LEFT JOIN ended ON ended.subject_id = n.subject
ORDER BY n.site COLLATE "C", n.number COLLATE "C"
"""
