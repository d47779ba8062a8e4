"""One subject's casebook as a grid: visits as columns, forms as rows, a state in each cell."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from outcomes.selectors.outcome import endings_of, transplantation_of
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    Subject,
    SubjectStatus,
    Visit,
    VisitStatus,
)
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.windows import STANDING, Lane, Window
from trialsite.crf.registry import forms
from trialsite.dashboard.study import form_title, visit_name
from trialsite.review.models import QueryStatus


@dataclass(frozen=True, slots=True)
class Column:
    """A visit as the head of a column."""

    visit: Visit
    name: str
    window: Window | None
    lane: Lane | None

    @property
    def overdue(self) -> bool:
        return self.lane is Lane.OVERDUE


@dataclass(frozen=True, slots=True)
class FormRow:
    """A form and its records by visit, in the order of the columns; no record: not expected."""

    form_oid: str
    title: str
    cells: list[list[CrfRecord]]


@dataclass(frozen=True, slots=True)
class Flag:
    """Something about the subject that everybody must see first."""

    word: Promise | str
    tone: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Casebook:
    """Everything the page of one subject shows."""

    subject: Subject
    today: dt.date
    columns: list[Column]
    rows: list[FormRow]
    #: Records that belong to no visit, by form.
    loose: list[FormRow]
    done: int
    expected: int
    flags: list[Flag] = field(default_factory=list)

    @property
    def day(self) -> int | None:
        """Days since day zero, which counts as 0 (the protocol's own count)."""
        zero = self.subject.day_zero
        return None if zero is None else (self.today - zero).days

    @property
    def consented(self) -> bool:
        return self.subject.consent_state == ConsentState.GIVEN


def casebook_of(subject: Subject, *, now: dt.datetime) -> Casebook:
    """The casebook of a subject whose site is loaded; five queries whatever its size."""
    today = now.astimezone(ZoneInfo(subject.site.time_zone)).date()
    visits = list(subject.visits.order_by("visit_number", "window", "event_oid", "repeat_key"))
    standing = CrfRecord.objects.standing().filter(subject=subject).select_related("visit")
    standing = standing.order_by("form_oid", "repeat_key", "pk")
    records = list(with_queries(standing))
    order = _order_of(subject)
    return Casebook(
        subject=subject,
        today=today,
        columns=[_column(visit, today) for visit in visits],
        rows=_rows([r for r in records if r.visit_id], [visit.pk for visit in visits], order),
        loose=_rows([r for r in records if not r.visit_id], [None], order),
        done=sum(record.status in {"complete", "not_done"} for record in records),
        expected=sum(not _waived(record) for record in records),
        flags=[*_flags(subject), *_outcome_flags(subject)],
    )


def _waived(record: CrfRecord) -> bool:
    """An empty form of a visit that is not required: nobody waits for it."""
    not_required = record.visit is not None and record.visit.status == VisitStatus.NOT_REQUIRED
    return not_required and record.status == RecordStatus.NOT_STARTED


def with_queries(records: QuerySet[CrfRecord]) -> QuerySet[CrfRecord]:
    """Records with the number of their queries nobody has closed, for their state."""
    unresolved = ~Q(queries__status=QueryStatus.CLOSED) & Q(queries__isnull=False)
    return records.annotate(open_queries=Count("queries", filter=unresolved))


def _column(visit: Visit, today: dt.date) -> Column:
    window = Window.of(visit)
    waiting = window is not None and visit.status in STANDING
    return Column(
        visit, visit_name(visit), window, window.lane(today) if waiting and window else None
    )


def _order_of(subject: Subject) -> list[str]:
    """Forms as the protocol's visits list them, from the first visit on; then all others."""
    schedule = protocol_of(subject.protocol_version_id).schedule
    planned = (oid for event in schedule.events for oid in event.forms)
    return list(dict.fromkeys((*planned, *forms())))


def _rows(records: list[CrfRecord], visits: list[object], known: list[str]) -> list[FormRow]:
    cells: dict[str, dict[object, list[CrfRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        cells[record.form_oid][record.visit_id].append(record)
    order = sorted(cells, key=lambda oid: (known.index(oid) if oid in known else len(known), oid))
    return [
        FormRow(oid, form_title(oid), [cells[oid].get(visit, []) for visit in visits])
        for oid in order
    ]


def _flags(subject: Subject) -> list[Flag]:
    signs = (
        (subject.lock_state == LockState.LOCKED, _("Casebook locked"), "accent"),
        (subject.lock_state == LockState.FROZEN, _("Casebook frozen"), "accent"),
        (subject.status == SubjectStatus.DIED, _("Died"), "danger"),
        (subject.status == SubjectStatus.WITHDRAWN, _("Withdrawn"), "danger"),
        (
            subject.consent_state == ConsentState.WITHDRAWN,
            _("Consent withdrawn, all data"),
            "danger",
        ),
        (subject.consent_state == ConsentState.RECONSENT_DUE, _("Re-consent due"), "warning"),
        (subject.consent_state == ConsentState.NONE, _("No consent yet"), "warning"),
    )
    return [Flag(word, tone) for holds, word, tone in signs if holds]


def _outcome_flags(subject: Subject) -> list[Flag]:
    """A transplantation and what has ended; the death is the subject's own status."""
    address = reverse("outcomes:outcome", args=[subject.pk])
    found = []
    graft = transplantation_of(subject)
    if graft is not None and graft.transplanted_on is not None:
        said = gettext("Transplanted on %(date)s") % {"date": graft.transplanted_on}
        found.append(Flag(said, "accent", address))
    for ending in endings_of(subject):
        said = f"{ending.get_scope_display()}: {ending.get_reason_display()}, {ending.ended_on}"
        found.append(Flag(said, "warning", address))
    return found


#: The line of time is drawn in percent of its width, whose narrowest is this many pixels.
_EDGE, _NARROWEST = 6, 640


@dataclass(frozen=True, slots=True)
class Mark:
    """One visit on the line of time."""

    x: float
    start: float
    width: float
    name: str
    done: bool
    date: dt.date
    labelled: bool


@dataclass(frozen=True, slots=True)
class TimeLine:
    """From the first window to the last, to scale, with today."""

    marks: list[Mark]
    now: float
    today: dt.date


def time_line(casebook: Casebook) -> TimeLine | None:
    """The subject's time in the trial; None before any visit has a date."""
    dated = [(column, column.window) for column in casebook.columns if column.window]
    if not dated:
        return None
    first = min(window.first for _c, window in dated)
    last = max(window.last for _c, window in dated)
    unit = (100 - 2 * _EDGE) / max(1, (last - first).days + 1)

    def at(date: dt.date, offset: float = 0.5) -> float:
        days = (min(max(date, first), last) - first).days
        return round(_EDGE + (days + offset) * unit, 2)

    marks: list[Mark] = []
    free_from = 0.0
    for column, window in dated:
        date = column.visit.attended_on or window.target or window.first
        name = _short(column.name)
        half = _label_width(name) / 2
        labelled = at(date) - half >= free_from
        free_from = at(date) + half + 1 if labelled else free_from
        start = at(window.first, 0)
        marks.append(
            Mark(
                x=at(date),
                start=start,
                width=round(max(0.3, at(window.last, 1) - start), 2),
                name=name,
                done=column.visit.attended_on is not None,
                date=date,
                labelled=labelled,
            )
        )
    return TimeLine(marks, at(casebook.today), casebook.today)


def _short(name: str) -> str:
    """A visit's name without what stands in brackets."""
    return re.split(r"\s*[(（]", name)[0]


def _label_width(name: str) -> float:
    """How much of the narrowest line a label takes; a Chinese sign is as wide as two others."""
    pixels = sum(12.5 if ord(sign) > 0x2E7F else 6.5 for sign in name)
    return 100 * pixels / _NARROWEST
