"""Today's visits: what waits for a person, most urgent first.

What is read is what is near: visits not yet attended whose target day is close or past, by
the index on it, and attended visits that still owe a form, by `OwedForm`. The number of
queries is constant, and the rest of the study is not touched.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from outcomes.models import Transplantation
from samples.selectors.plan import samples_of_visits
from trialsite.access.capabilities import Capability
from trialsite.access.models import SiteScopedQuerySet, User
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    SubjectStatus,
    Visit,
    VisitStatus,
)
from trialsite.casebook.protocols import in_order_of_visit, protocol_of
from trialsite.casebook.windows import COMING_DAYS, STANDING, Bar, Lane, Window
from trialsite.crf.models import stored
from trialsite.dashboard.models import OwedForm
from trialsite.dashboard.study import form_title, visit_name, window_margins
from trialsite.labs.codes import FORM_OID as LAB_FORM
from trialsite.labs.models import LabPanel

DONE = (RecordStatus.COMPLETE, RecordStatus.NOT_DONE)
#: Subjects of whom no visit is expected any more.
FINISHED = (SubjectStatus.SCREEN_FAILED, SubjectStatus.COMPLETED, SubjectStatus.DIED)
#: A work list longer than this is no list for a day: the rest is in the list behind it.
MOST = 100
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One visit with work left."""

    visit: Visit
    name: str
    today: dt.date
    window: Window | None
    done: int
    expected: int
    labs_done: int
    labs_expected: int
    samples_done: int
    samples_expected: int
    missing: tuple[CrfRecord, ...]
    may_enter: bool

    @property
    def bar(self) -> Bar | None:
        return Bar.of(self.window, self.today) if self.window else None

    @property
    def next_record(self) -> CrfRecord | None:
        """The form to open next: one already begun, else the first."""
        begun = (each for each in self.missing if each.status == RecordStatus.IN_PROGRESS)
        return next(iter([*begun, *self.missing]), None)

    @property
    def next_title(self) -> str:
        return form_title(self.next_record.form_oid) if self.next_record else ""

    @property
    def missing_titles(self) -> list[str]:
        """What is still to be entered, for the list on paper."""
        return [form_title(record.form_oid) for record in self.missing]

    @property
    def attended(self) -> bool:
        """The visit took place; what is left are its forms."""
        return self.visit.status == VisitStatus.ATTENDED

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
        """A visit without a window is open from its day on."""
        if self.window is not None:
            return self.window.lane(self.today)
        day = self.visit.target_on
        if day is None or day <= self.today or self.attended:
            return Lane.OPEN
        return Window(day, day).lane(self.today)


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
    #: There are more than the rows shown here.
    cut: bool = False


def lanes_of(user: User, *, now: dt.datetime, site_id: int | None = None) -> list[LaneOfToday]:
    """The visits with work left at the person's sites, by urgency."""
    lanes = {key: LaneOfToday(key, *words) for key, words in LANES.items()}
    for row in rows_of(user, waiting_visits(user, now=now, site_id=site_id), now=now):
        if row.lane is not None:
            lanes[row.lane].rows.append(row)
    for lane in lanes.values():
        lane.rows.sort(key=lambda row: row.window.last if row.window else dt.date.max)
        lane.cut = len(lane.rows) > MOST
        del lane.rows[MOST:]
    return list(lanes.values())


def waiting_visits(user: User, *, now: dt.datetime, site_id: int | None = None) -> list[Visit]:
    """Visits that are overdue, open or near, and attended ones with forms left.

    Each part ends at its own limit, so that many overdue visits never crowd out today's.
    The dates have a day of margin for the zones of the sites; the lanes are exact.
    """
    visits = Visit.objects.visible_to(user).filter(
        lock_state=LockState.OPEN, subject__lock_state=LockState.OPEN
    )
    if site_id is not None:
        visits = visits.at([site_id])
    visits = visits.exclude(subject__consent_state=ConsentState.WITHDRAWN)
    expected = visits.filter(status__in=STANDING).exclude(subject__status__in=FINISHED)
    parts = (
        _overdue(expected, now.date()),
        _near(expected, now.date()),
        *_undated(expected, now.date()),
        _owing(visits, user, site_id),
    )
    found = {visit.pk: visit for part in parts for visit in _prepared(part)}
    return list(found.values())


def _overdue(visits: SiteScopedQuerySet[Visit], day: dt.date) -> SiteScopedQuerySet[Visit]:
    past = visits.filter(last_day__lte=day)
    return past.order_by("last_day")[: MOST + 1]


def _near(visits: SiteScopedQuerySet[Visit], day: dt.date) -> SiteScopedQuerySet[Visit]:
    before, after = window_margins()
    latest = day + dt.timedelta(days=COMING_DAYS + 1)
    close = visits.filter(
        target_on__range=(day - after, latest + before),
        last_day__gte=day - _DAY,
        first_day__lte=latest,
    )
    return close.order_by("target_on")[: 4 * MOST]


def _undated(
    visits: SiteScopedQuerySet[Visit], day: dt.date
) -> tuple[SiteScopedQuerySet[Visit], SiteScopedQuerySet[Visit]]:
    """Visits without a window: those of a day, and opened ones."""
    latest = day + dt.timedelta(days=COMING_DAYS + 1)
    of_a_day = visits.filter(window=None, target_on__lte=latest)
    opened = visits.filter(window=None, target_on=None, status=VisitStatus.OPEN)
    return of_a_day.order_by("-target_on")[: 2 * MOST], opened.order_by("pk")[:MOST]


def _owing(
    visits: SiteScopedQuerySet[Visit], user: User, site_id: int | None
) -> SiteScopedQuerySet[Visit]:
    owed = OwedForm.objects.visible_to(user).filter(owed=True)
    owed = owed if site_id is None else owed.at([site_id])
    keys = owed.values("visit_id")
    # After a death or the end of the study, what took place is still to be entered (C10).
    return (
        visits.filter(pk__in=keys, status=VisitStatus.ATTENDED)
        .exclude(subject__status=SubjectStatus.SCREEN_FAILED)
        .order_by("attended_on")[: MOST + 1]
    )


def _prepared(visits: SiteScopedQuerySet[Visit]) -> Iterable[Visit]:
    return visits.select_related("subject", "site")


def rows_of(user: User, visits: list[Visit], *, now: dt.datetime) -> Iterable[Row]:
    """The visits with what is missing of each; those with nothing left are passed over."""
    entering = user.access.sites(Capability.ENTER_DATA)
    records = _records_of(visits)
    drawn = _panels_drawn(visits)
    spared = _without_labs(visits)
    samples = samples_of_visits(visits)
    for visit in visits:
        expected = [
            record
            for record in records[visit.pk]
            if visit.pk not in spared or record.form_oid != LAB_FORM or record.version
        ]
        mine = in_order_of_visit(expected, visit.event_oid)
        missing = [record for record in mine if record.status not in DONE]
        if not missing and visit.status == VisitStatus.ATTENDED:
            continue
        panels = _panels_expected(visit) if visit.pk not in spared else set()
        yield Row(
            visit=visit,
            name=visit_name(visit),
            today=now.astimezone(ZoneInfo(visit.site.time_zone)).date(),
            window=Window.of(visit),
            done=len(mine) - len(missing),
            expected=len(mine),
            labs_done=len(panels & drawn[visit.pk]),
            labs_expected=len(panels),
            samples_done=samples[visit.pk].done,
            samples_expected=samples[visit.pk].expected,
            missing=tuple(missing),
            may_enter=visit.site_id in entering,
        )


def _records_of(visits: list[Visit]) -> dict[uuid.UUID, list[CrfRecord]]:
    found: dict[uuid.UUID, list[CrfRecord]] = defaultdict(list)
    for record in CrfRecord.objects.standing().filter(visit__in=[each.pk for each in visits]):
        assert record.visit_id is not None
        found[record.visit_id].append(record)
    return found


def _without_labs(visits: list[Visit]) -> set[uuid.UUID]:
    """Visits after a transplantation, where the protocol asks for no laboratory tests then.

    Nothing is read unless the protocol of a visit says so.
    """
    asking = [visit for visit in visits if not labs_go_on(visit.protocol_version_id)]
    if not asking:
        return set()
    rows = stored(Transplantation).filter(
        subject__in={visit.subject_id for visit in asking},
        record__voided_at=None,
        transplanted_on__isnull=False,
    )
    when = {row.subject_id: row.transplanted_on.latest for row in rows}
    return {
        visit.pk
        for visit in asking
        for day in [visit.attended_on or visit.target_on]
        if day is not None and visit.subject_id in when and day > when[visit.subject_id]
    }


def labs_go_on(version_id: int) -> bool:
    """Whether the protocol expects laboratory tests after a transplantation."""
    rule = protocol_of(version_id).follow_up
    return rule is None or rule.labs_after_transplantation


def _panels_expected(visit: Visit) -> set[str]:
    event = protocol_of(visit.protocol_version_id).schedule.event(visit.event_oid)
    return set(event.lab_panels)


def _panels_drawn(visits: list[Visit]) -> dict[uuid.UUID, set[str]]:
    """The laboratory panels that a finished draw of the visit was for."""
    rows = LabPanel.objects.filter(
        record__visit__in=[each.pk for each in visits],
        record__voided_at=None,
        record__status__in=DONE,
    )
    found: dict[uuid.UUID, set[str]] = defaultdict(set)
    for visit_id, panels in rows.values_list("record__visit_id", "panels"):
        assert visit_id is not None
        found[visit_id] |= set(panels)
    return found
