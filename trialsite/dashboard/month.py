"""One month of one site: each visit on its day, where its window opens and closes, and the
treatment sessions. Two queries, whatever the month holds."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections import defaultdict
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject, Visit, VisitStatus
from trialsite.casebook.windows import STANDING, Window
from trialsite.dashboard.study import visit_name, window_margins
from visits.models import TreatmentSession

_DAY = dt.timedelta(days=1)
_TYPED = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])")


class Kind(models.TextChoices):
    """What stands on a day; in the order in which a day shows it."""

    SESSION = "session", _("Treatment session")
    TARGET = "target", _("Target day")
    ATTENDED = "attended", _("Attended")
    MISSED = "missed", _("Missed")
    LAST = "last", _("Last window day")
    FIRST = "first", _("First window day")


_ORDER = list(Kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a day."""

    kind: Kind
    subject: Subject
    name: str
    visit: Visit | None = None
    session: TreatmentSession | None = None
    overdue: bool = False


@dataclass(slots=True)
class Day:
    """One day of the table."""

    date: dt.date
    inside: bool
    today: bool
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Month:
    """The weeks of a month, Monday first, with the days of its neighbours around it."""

    first: dt.date
    weeks: list[list[Day]]

    @property
    def previous(self) -> str:
        return f"{self.first - _DAY:%Y-%m}"

    @property
    def next(self) -> str:
        return f"{self.first + 31 * _DAY:%Y-%m}"

    @property
    def empty(self) -> bool:
        return not any(day.entries for week in self.weeks for day in week)


def first_of(text: str, *, today: dt.date) -> dt.date:
    """The first day of the month typed as YYYY-MM; of this month where it is none.

    Years far outside any trial are none: the calendar must end before time does.
    """
    found = _TYPED.fullmatch(text)
    year, month = (int(part) for part in found.groups()) if found else (today.year, today.month)
    return dt.date(year, month, 1)


def month_of(user: User, site: Site, first: dt.date, *, now: dt.datetime) -> Month:
    """The month that begins on a day, as the person may see it at the site."""
    today = now.astimezone(ZoneInfo(site.time_zone)).date()
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    start, end = weeks[0][0], weeks[-1][-1]
    entries: dict[dt.date, list[Entry]] = defaultdict(list)
    for visit in _visits(user, site, start, end):
        for date, entry in _of_visit(visit, today):
            entries[date].append(entry)
    for session in _sessions(user, site, start, end):
        entries[_day_of(session, site)].append(
            Entry(Kind.SESSION, session.subject, str(session.number), session=session)
        )
    return Month(
        first,
        [
            [Day(date, date.month == first.month, date == today, _sorted(entries[date]))
             for date in week]
            for week in weeks
        ],
    )  # fmt: skip


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (_ORDER.index(entry.kind), entry.subject.label))


def _visits(user: User, site: Site, start: dt.date, end: dt.date) -> list[Visit]:
    before, after = window_margins()
    near = Q(target_on__range=(start - after, end + before)) | Q(attended_on__range=(start, end))
    visits = Visit.objects.visible_to(user).at([site.pk]).filter(near)
    expected = visits.exclude(status=VisitStatus.NOT_REQUIRED).select_related("subject")
    return list(expected.order_by("target_on", "subject__screening_number", "visit_number"))


def _of_visit(visit: Visit, today: dt.date) -> list[tuple[dt.date, Entry]]:
    """The days on which a visit stands: one that took place on its own, else its target day
    and the ends of its window."""
    name = visit_name(visit)
    if visit.attended_on is not None:
        return [(visit.attended_on, Entry(Kind.ATTENDED, visit.subject, name, visit))]
    window, target = Window.of(visit), visit.target_on
    if target is None:
        return []
    if visit.status == VisitStatus.MISSED:
        return [(target, Entry(Kind.MISSED, visit.subject, name, visit))]
    late = visit.status in STANDING and window is not None and window.last < today
    found = [(target, Entry(Kind.TARGET, visit.subject, name, visit, overdue=late))]
    if window is not None and window.first != window.last:
        ends = ((window.first, Kind.FIRST), (window.last, Kind.LAST))
        found += [
            (date, Entry(kind, visit.subject, name, visit, overdue=late)) for date, kind in ends
        ]
    return found


def _sessions(user: User, site: Site, start: dt.date, end: dt.date) -> list[TreatmentSession]:
    """Sessions that started in these days, and those prepared in them and not yet started."""
    sessions = TreatmentSession.objects.visible_to(user).at([site.pk]).filter(voided_at=None)
    zone = ZoneInfo(site.time_zone)
    walls = [dt.datetime.combine(day, dt.time()) for day in (start, end + _DAY)]
    moments = [wall.replace(tzinfo=zone) for wall in walls]
    started = Q(started_at__gte=walls[0], started_at__lt=walls[1])
    prepared = Q(started_at=None, planned_at__gte=moments[0], planned_at__lt=moments[1])
    return list(sessions.filter(started | prepared).select_related("subject"))


def _day_of(session: TreatmentSession, site: Site) -> dt.date:
    started: dt.datetime | None = session.started_at
    if started is not None:
        return started.date()
    return session.planned_at.astimezone(ZoneInfo(site.time_zone)).date()
