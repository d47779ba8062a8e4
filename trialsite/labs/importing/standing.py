"""What stands in the casebook of one site about the people of a file: a few queries for all."""

from __future__ import annotations

import datetime as dt
import uuid
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from django.db.models import Q

from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    Subject,
    Visit,
    VisitStatus,
)
from trialsite.labs.codes import FORM_OID
from trialsite.labs.importing.stamps import stamp_of, subjects_named
from trialsite.labs.models import Laboratory, LabPanel, LabResult
from trialsite.labs.people import Person, people_of
from trialsite.labs.selectors import plain

Series = list[tuple[dt.datetime, Decimal]]


@dataclass(slots=True)
class StandingDraw:
    """A draw in the casebook that lines of the file speak of."""

    panel: LabPanel
    results: dict[str, LabResult] = field(default_factory=dict)


class Standing:
    """The site's subjects that the file names, with what is on record about them.

    Subjects of other sites are not looked for: to a person of this site they do not exist.
    """

    def __init__(self, laboratory: Laboratory, labels: Collection[str]) -> None:
        self.laboratory = laboratory
        self.labels = sorted(labels)
        #: Taken before anything is read: what is read is never older than it.
        self.stamp = stamp_of(laboratory, self.labels)
        self._by_label: dict[str, set[uuid.UUID]] = defaultdict(set)
        self.subjects: dict[uuid.UUID, Subject] = {}
        rows = subjects_named(laboratory.site_id, self.labels)
        for subject in rows.select_related("site"):
            self.subjects[subject.pk] = subject
            for label in {subject.screening_number, subject.number} - {None, ""}:
                self._by_label[str(label)].add(subject.pk)

    def subject(self, label: str) -> Subject | None:
        """The one subject of this number; a number that two carry is nobody's."""
        found = self._by_label.get(label, set())
        return self.subjects[next(iter(found))] if len(found) == 1 else None

    def person(self, subject: Subject) -> Person:
        """Sex and age as far as the forms say them."""
        return self._people[subject.pk]

    @cached_property
    def _people(self) -> dict[uuid.UUID, Person]:
        return people_of(list(self.subjects))

    @property
    def moved(self) -> bool:
        """Whether anything that was read has changed since."""
        return stamp_of(self.laboratory, self.labels) != self.stamp

    @cached_property
    def draws(self) -> dict[tuple[uuid.UUID, dt.datetime], list[StandingDraw]]:
        """The draws of this laboratory, or of none yet stated, by subject and minute."""
        panels = LabPanel.objects.filter(
            Q(laboratory=self.laboratory) | Q(laboratory=None),
            subject__in=self.subjects,
            collected_at__isnull=False,
            record__voided_at=None,
        ).select_related("record__visit", "laboratory")
        found = {panel.pk: StandingDraw(panel) for panel in panels}
        rows = LabResult.objects.filter(panel__in=found, voided_at=None)
        for row in rows.iterator(5000):
            found[row.panel_id].results[row.analyte] = row
        grouped: dict[tuple[uuid.UUID, dt.datetime], list[StandingDraw]] = defaultdict(list)
        for each in sorted(found.values(), key=lambda one: one.panel.record.repeat_key):
            grouped[each.panel.subject_id, minute(each.panel.collected_at)].append(each)
        return grouped

    @cached_property
    def _series(self) -> dict[tuple[uuid.UUID, str], Series]:
        rows = LabResult.objects.filter(
            subject__in=self.subjects,
            voided_at=None,
            panel__record__voided_at=None,
            panel__collected_at__isnull=False,
            comparator="",
            canonical__isnull=False,
        ).values_list("subject_id", "analyte", "panel__collected_at", "canonical")
        found: dict[tuple[uuid.UUID, str], Series] = defaultdict(list)
        for subject_id, analyte, moment, canonical in rows.iterator(5000):
            if moment is not None:
                found[subject_id, analyte].append((moment, plain(canonical) or Decimal(0)))
        for series in found.values():
            series.sort()
        return found

    def before(self, subject_id: uuid.UUID, analyte: str, moment: dt.datetime) -> Decimal | None:
        """The last exact canonical value before a moment, of the casebook or of the file."""
        series = self._series.get((subject_id, analyte), [])
        at = bisect_left(series, moment, key=lambda one: one[0])
        return series[at - 1][1] if at else None

    def follow(
        self, subject_id: uuid.UUID, analyte: str, moment: dt.datetime, canonical: Decimal
    ) -> None:
        """Let a value of the file be the one before for later ones."""
        insort(self._series[subject_id, analyte], (moment, canonical))

    @cached_property
    def _visits(self) -> dict[uuid.UUID, list[Visit]]:
        rows = Visit.objects.filter(
            subject__in=self.subjects,
            status__in=[VisitStatus.PLANNED, VisitStatus.OPEN, VisitStatus.ATTENDED],
        )
        found: dict[uuid.UUID, list[Visit]] = defaultdict(list)
        for visit in rows:
            found[visit.subject_id].append(visit)
        return found

    def visit_of(self, subject_id: uuid.UUID, day: dt.date) -> Visit | None:
        """The visit a draw of this day belongs to: the one attended then, else the only one
        still open whose window holds the day; where several could be meant, none."""
        visits = self._visits.get(subject_id, [])
        attended = [each for each in visits if each.attended_on == day]
        waiting = [
            each
            for each in visits
            if each.status != VisitStatus.ATTENDED
            and each.window_ends is not None
            and each.window_ends[0] <= day <= each.window_ends[1]
        ]
        found = attended or waiting
        return found[0] if len(found) == 1 else None

    @cached_property
    def expected(self) -> dict[uuid.UUID, list[CrfRecord]]:
        """Empty lab records that a visit expects, by visit, in their order."""
        rows = CrfRecord.objects.standing().filter(
            subject__in=self.subjects,
            form_oid=FORM_OID,
            status=RecordStatus.NOT_STARTED,
            visit__isnull=False,
            lab_panel=None,
        )
        found: dict[uuid.UUID, list[CrfRecord]] = defaultdict(list)
        for record in rows.order_by("repeat_key"):
            assert record.visit_id is not None
            found[record.visit_id].append(record)
        return found


def minute(moment: dt.datetime) -> dt.datetime:
    """To the minute: by it draws are recognised."""
    return moment.replace(second=0, microsecond=0)


def is_closed(subject: Subject, record: CrfRecord | None, visit: Visit | None) -> bool:
    """Whether nothing can be entered for this person, at this visit or into this record."""
    return (
        subject.lock_state != LockState.OPEN
        or subject.consent_state == ConsentState.WITHDRAWN
        or (record is not None and (record.is_closed or record.status == RecordStatus.NOT_DONE))
        or (visit is not None and visit.lock_state != LockState.OPEN)
    )
