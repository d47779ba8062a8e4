"""Today: what waits for a person, most urgent first. The number of queries is constant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Prefetch, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    SubjectStatus,
    Visit,
    VisitStatus,
)
from trialsite.casebook.protocols import in_order_of_visit
from trialsite.crf.models import Draft
from trialsite.dashboard.study import form_title, item_title, visit_name
from trialsite.dashboard.windows import COMING_DAYS, STANDING, Bar, Lane, Window
from trialsite.review.models import Query, QueryStatus

DONE = (RecordStatus.COMPLETE, RecordStatus.NOT_DONE)
#: Subjects of whom no visit is expected any more.
FINISHED = (SubjectStatus.SCREEN_FAILED, SubjectStatus.COMPLETED, SubjectStatus.DIED)
_MOST_VISITS = 500
_MOST_BESIDE = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One visit with work left."""

    visit: Visit
    name: str
    today: dt.date
    window: Window | None
    done: int
    expected: int
    next_record: CrfRecord | None
    may_enter: bool

    @property
    def bar(self) -> Bar | None:
        return Bar.of(self.window, self.today) if self.window else None

    @property
    def next_title(self) -> str:
        return form_title(self.next_record.form_oid) if self.next_record else ""

    @property
    def days_left(self) -> int | None:
        """Days until the last one; negative once it is past."""
        return (self.window.last - self.today).days if self.window else None

    @property
    def days_late(self) -> int:
        return max(0, -(self.days_left or 0))

    @property
    def days_ahead(self) -> int:
        return max(0, (self.window.first - self.today).days) if self.window else 0

    @property
    def lane(self) -> Lane | None:
        return self.window.lane(self.today) if self.window else Lane.OPEN


LANES: dict[Lane, tuple[Promise, Promise]] = {
    Lane.OVERDUE: (_("Overdue"), _("the window is past")),
    Lane.CLOSING: (_("Closing"), _("last day today or tomorrow")),
    Lane.OPEN: (_("Open now"), _("inside the window")),
    Lane.COMING: (_("Coming"), _("opens within 7 days")),
}


@dataclass(slots=True)
class LaneOfToday:
    """One column of the worklist."""

    key: Lane
    title: Promise
    hint: Promise
    rows: list[Row] = field(default_factory=list)


def lanes_of(user: User, *, now: dt.datetime, site_id: int | None = None) -> list[LaneOfToday]:
    """The visits with work left at the person's sites, by urgency."""
    lanes = {key: LaneOfToday(key, *words) for key, words in LANES.items()}
    for row in _rows(user, _visits(user, now, site_id), now):
        if row.lane is not None:
            lanes[row.lane].rows.append(row)
    for lane in lanes.values():
        lane.rows.sort(key=lambda row: row.window.last if row.window else dt.date.max)
    return list(lanes.values())


def _visits(user: User, now: dt.datetime, site_id: int | None) -> Iterable[Visit]:
    """Visits with a form missing, and those to which no form is laid out yet."""
    laid_out = CrfRecord.objects.standing().filter(visit=OuterRef("pk"))
    latest = now.date() + dt.timedelta(days=COMING_DAYS + 1)
    visits = (
        Visit.objects.visible_to(user)
        .filter(
            Exists(laid_out.exclude(status__in=DONE)) | Q(~Exists(laid_out), status__in=STANDING),
            status__in=[*STANDING, VisitStatus.ATTENDED],
            lock_state=LockState.OPEN,
            subject__lock_state=LockState.OPEN,
        )
        .exclude(subject__status__in=FINISHED)
        .exclude(subject__consent_state=ConsentState.WITHDRAWN)
        .exclude(window__startswith__gt=latest)
        .exclude(window=None, status=VisitStatus.PLANNED)
    )
    if site_id is not None:
        visits = visits.at([site_id])
    standing = CrfRecord.objects.standing()
    return (
        visits.select_related("subject", "site")
        .prefetch_related(Prefetch("records", standing, to_attr="standing_records"))
        .order_by("window", "subject__screening_number", "visit_number", "repeat_key")[
            :_MOST_VISITS
        ]
    )


def _rows(user: User, visits: Iterable[Visit], now: dt.datetime) -> Iterable[Row]:
    entering = user.access.sites(Capability.ENTER_DATA)
    for visit in visits:
        records = in_order_of_visit(visit.standing_records, visit.event_oid)  # type: ignore[attr-defined]
        missing = [record for record in records if record.status not in DONE]
        yield Row(
            visit=visit,
            name=visit_name(visit),
            today=now.astimezone(ZoneInfo(visit.site.time_zone)).date(),
            window=Window.of(visit),
            done=len(records) - len(missing),
            expected=len(records),
            next_record=_next_of(missing),
            may_enter=visit.site_id in entering,
        )


def _next_of(missing: list[CrfRecord]) -> CrfRecord | None:
    """The form to open next: one already begun, else the first."""
    begun = [record for record in missing if record.status == RecordStatus.IN_PROGRESS]
    return next(iter([*begun, *missing]), None)


@dataclass(frozen=True, slots=True)
class Left:
    """A form in which the person has typed something not yet saved."""

    draft: Draft
    title: str
    visit: str


def drafts_of(user: User) -> list[Left]:
    """The forms with drafts of the person's own, the latest first; a form may have several."""
    drafts = (
        Draft.objects.visible_to(user)
        .exclude(fields={})
        .filter(user=user, record__voided_at=None)
        .select_related("record__subject", "record__visit", "site")
        .order_by("record_id", "-saved_at")
        .distinct("record_id")
    )
    latest = sorted(drafts, key=lambda draft: draft.saved_at, reverse=True)[:_MOST_BESIDE]
    return [
        Left(
            draft,
            form_title(draft.record.form_oid),
            visit_name(draft.record.visit) if draft.record.visit else "",
        )
        for draft in latest
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that waits for this person, with the field's name."""

    query: Query
    form: str
    item: str


@dataclass(frozen=True, slots=True)
class Queries:
    """How many queries wait for the person, and the oldest of them."""

    count: int
    oldest: list[Asked]
    answering: bool
    #: Whether queries are this person's business at all.
    concerned: bool


def queries_of(user: User, *, site_id: int | None = None) -> Queries:
    """Open queries where the person answers them; answered ones where the person closes them."""
    answering = user.can(Capability.ANSWER_QUERY)
    capability = Capability.ANSWER_QUERY if answering else Capability.CLOSE_QUERY
    status = QueryStatus.OPEN if answering else QueryStatus.ANSWERED
    waiting = Query.objects.visible_to(user, capability).filter(
        status=status, record__voided_at=None
    )
    if site_id is not None:
        waiting = waiting.at([site_id])
    oldest = waiting.select_related("record__subject").order_by("raised_at")[:_MOST_BESIDE]
    return Queries(
        waiting.count(),
        [
            Asked(
                query,
                form_title(query.record.form_oid),
                item_title(query.record.form_oid, query.item_oid) if query.item_oid else "",
            )
            for query in oldest
        ],
        answering,
        answering or user.can(Capability.CLOSE_QUERY),
    )
