"""What was measured of many subjects: as many queries for all of them as for one.

Results and grades count as soon as they are saved, unless voided; what is dated after the
data cut, or after the use of the data was taken back, is left out.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from outcomes.changes.readings import Person, Reading, Window
from outcomes.endpoints.course import Course
from screening.models.forms.examination import Examination, Grade
from trialsite.access.models import Site
from trialsite.casebook.models import Visit
from trialsite.crf.models import stored
from trialsite.labs.selectors import fact_of, standing_results
from visits.models import TreatmentSession

#: West Haven, counted.
GRADES = {grade.value: Decimal(place) for place, grade in enumerate(Grade)}

BySubject = Mapping[uuid.UUID, list[Reading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """When a treatment session was."""

    number: int
    record_id: uuid.UUID
    started_at: dt.datetime
    ended_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One subject with everything beside the values that a change or a trend needs."""

    course: Course
    person: Person
    sessions: tuple[Session, ...] = ()

    @property
    def key(self) -> uuid.UUID:
        return self.course.subject

    def keeps(self, moment: dt.datetime) -> bool:
        """Whether something of this moment is inside the data cut and may be used."""
        day = self.person.day_of(moment)
        taken_back = self.course.withdrawn_on
        return day <= self.course.cut_on and (taken_back is None or day <= taken_back)


def followed(courses: Iterable[Course]) -> list[Followed]:
    """The subjects of these courses, with sessions, windows and zones; three queries."""
    chosen = list(courses)
    ids = [course.subject for course in chosen]
    zones = {site.code: ZoneInfo(site.time_zone) for site in Site.objects.all()}
    sessions, windows = _sessions(ids), _windows(ids)
    return [
        _one(course, zones[course.site], sessions[course.subject], windows[course.subject])
        for course in chosen
    ]


def _one(
    course: Course, zone: ZoneInfo, sessions: list[Session], windows: dict[str, Window]
) -> Followed:
    known = [each for each in sessions if each.started_at.astimezone(zone).date() <= course.cut_on]
    ends = [each for each in (course.withdrawn_on, course.study_ended_on) if each]
    person = Person(
        zone=zone,
        treated_at=known[0].started_at if known else None,
        died_on=course.died_on,
        transplanted_on=course.transplanted_on,
        left_on=min(ends, default=None),
        windows=windows,
    )
    return Followed(course=course, person=person, sessions=tuple(known))


def _sessions(ids: list[uuid.UUID]) -> Mapping[uuid.UUID, list[Session]]:
    found: dict[uuid.UUID, list[Session]] = defaultdict(list)
    for row in TreatmentSession.objects.started().filter(subject_id__in=ids):
        assert row.started_at is not None
        zone = ZoneInfo(row.time_zone)
        found[row.subject_id].append(
            Session(
                number=row.number,
                record_id=row.pk,
                started_at=row.started_at.replace(tzinfo=zone),
                ended_at=row.ended_at.replace(tzinfo=zone) if row.ended_at else None,
            )
        )
    for each in found.values():
        each.sort(key=lambda session: session.started_at)
    return found


def _windows(ids: list[uuid.UUID]) -> Mapping[uuid.UUID, dict[str, Window]]:
    found: dict[uuid.UUID, dict[str, Window]] = defaultdict(dict)
    rows = Visit.objects.filter(subject_id__in=ids, window__isnull=False, repeat_key=1)
    for visit in rows.only("subject_id", "event_oid", "window"):
        ends = visit.window_ends
        assert ends is not None
        found[visit.subject_id][visit.event_oid] = Window(first=ends[0], last=ends[1])
    return found


def lab_readings(
    people: Collection[Followed], analytes: Iterable[str]
) -> dict[str, Mapping[uuid.UUID, list[Reading]]]:
    """Analyte -> subject -> its standing results in the protocol's unit; one query."""
    by_key = {each.key: each for each in people}
    keys = list(analytes)
    found: dict[str, dict[uuid.UUID, list[Reading]]] = {key: defaultdict(list) for key in keys}
    rows = standing_results().filter(
        subject_id__in=list(by_key),
        analyte__in=keys,
        panel__collected_at__isnull=False,
        canonical__isnull=False,
    )
    for row in rows.select_related("panel__laboratory", "panel__record__visit"):
        reading = _of_result(row)
        if by_key[row.subject_id].keeps(reading.at):
            found[row.analyte][row.subject_id].append(reading)
    return dict(found)


def _of_result(row: Any) -> Reading:
    fact, visit = fact_of(row), row.panel.record.visit
    return Reading(
        at=fact.collected_at,
        text=fact.text,
        number=None if fact.censored else fact.canonical,
        limit=fact.canonical if fact.censored else None,
        comparator=fact.comparator,
        unit=fact.canonical_unit,
        event_oid=visit.event_oid if visit else "",
        record_id=fact.record_id,
        hours=fact.hours_since_purification,
        routine_care=fact.routine_care,
        laboratory=fact.laboratory,
    )


def grade_readings(people: Collection[Followed]) -> BySubject:
    """The West Haven grades of each subject, counted 0 to 4; one query."""
    by_key = {each.key: each for each in people}
    found: dict[uuid.UUID, list[Reading]] = defaultdict(list)
    rows = stored(Examination).filter(
        subject_id__in=list(by_key),
        record__voided_at=None,
        grade__isnull=False,
        assessed_at__isnull=False,
    )
    for row in rows.select_related("record__visit"):
        one = by_key[row.subject_id]
        reading = Reading(
            at=row.assessed_at.replace(tzinfo=ZoneInfo(row.time_zone)),
            text=row.grade,
            number=GRADES[row.grade],
            event_oid=row.record.visit.event_oid if row.record.visit else "",
            record_id=row.record_id,
        )
        if one.keeps(reading.at):
            found[row.subject_id].append(reading)
    return found
