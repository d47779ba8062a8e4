"""How the visits keep their windows, per site and event: every dated visit in one place.

The boxes add up: total = due + not yet due, due = in the window + out of it + missed +
overdue. What is not required is counted beside them and belongs to none.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Case, Count, DurationField, F, Q, QuerySet, Value, When
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site
from trialsite.casebook.models import Visit, VisitStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.protocol import Schedule


class Kept(models.TextChoices):
    """Where a dated visit stands against its window on a day."""

    IN_WINDOW = "in_window", _("In the window")
    OUT_OF_WINDOW = "out_of_window", _("Out of the window")
    MISSED = "missed", _("Missed")
    OVERDUE = "overdue", _("Overdue")
    NOT_YET_DUE = "not_yet_due", _("Not yet due")
    NOT_REQUIRED = "not_required", _("Not required")


#: Of these a due visit is one.
DUE = (Kept.IN_WINDOW, Kept.OUT_OF_WINDOW, Kept.MISSED, Kept.OVERDUE)


@dataclass(frozen=True, slots=True)
class Definition:
    """A column of the table and what it counts, in one sentence."""

    key: str
    title: Promise
    says: Promise


DEFINITIONS = (
    Definition(
        "due",
        _("Due"),
        _(
            "Visits that took place, were stated as missed, or whose last window day has passed "
            "by the date of their site."
        ),
    ),
    Definition(
        Kept.IN_WINDOW,
        _("In the window"),
        _("Due visits attended on a day of their window, first and last day included."),
    ),
    Definition(
        Kept.OUT_OF_WINDOW,
        _("Out of the window"),
        _("Due visits attended on a day before or after their window."),
    ),
    Definition(
        "days",
        _("Days out, median (farthest)"),
        _(
            "Of the visits out of the window: the median of the days to the nearest window day, "
            "and the farthest, with + for late and - for early."
        ),
    ),
    Definition(Kept.MISSED, _("Missed"), _("Due visits stated as missed, with a reason.")),
    Definition(
        Kept.OVERDUE,
        _("Overdue"),
        _("Due visits whose last window day has passed, neither attended nor stated as missed."),
    ),
    Definition(
        "percent",
        _("In the window, %"),
        _("In the window divided by due; a dash where nothing is due."),
    ),
    Definition(
        Kept.NOT_YET_DUE,
        _("Not yet due"),
        _("Visits whose last window day is today or later, not yet attended."),
    ),
    Definition(
        Kept.NOT_REQUIRED,
        _("Not required"),
        _("Visits that a death, a withdrawal or an early end has closed; in no other column."),
    ),
)


@dataclass(slots=True)
class Figures:
    """The counts of one line: visits by where they stand, and days outside by their number."""

    counts: Counter[str] = field(default_factory=Counter)
    days_out: Counter[int] = field(default_factory=Counter)

    def add(self, kept: str, days: int, count: int) -> None:
        self.counts[kept] += count
        if kept == Kept.OUT_OF_WINDOW:
            self.days_out[days] += count

    def include(self, other: Figures) -> None:
        self.counts.update(other.counts)
        self.days_out.update(other.days_out)

    @property
    def due(self) -> int:
        return sum(self.counts[kept] for kept in DUE)

    @property
    def total(self) -> int:
        return self.due + self.counts[Kept.NOT_YET_DUE]

    @property
    def percent(self) -> Decimal | None:
        """Of the due visits those in their window, to one decimal; None where nothing is due."""
        if not self.due:
            return None
        share = Decimal(100 * self.counts[Kept.IN_WINDOW]) / self.due
        return share.quantize(Decimal("0.1"), ROUND_HALF_UP)

    @property
    def days_median(self) -> Decimal | None:
        if not self.days_out:
            return None
        return Decimal(statistics.median(abs(days) for days in self.days_out.elements()))

    @property
    def days_extreme(self) -> int | None:
        """The farthest day outside; late before early where both are as far."""
        return max(self.days_out, key=lambda days: (abs(days), days), default=None)


@dataclass(frozen=True, slots=True)
class Line:
    """One event at one site, or all of them together."""

    site: Site | None
    event_oid: str
    title: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one site, or of all, and their sum."""

    site: Site | None
    lines: list[Line]
    sum: Line


def dated(visits: QuerySet[Visit], *, now: dt.datetime, sites: Iterable[Site]) -> QuerySet[Any]:
    """Visits that have a window, each with where it stands today at its site (`kept`) and by
    how much it was outside (`outside`, a duration)."""
    zones = defaultdict(list)
    for site in sites:
        zones[site.time_zone].append(site.pk)
    today = Case(
        *(
            When(site__in=keys, then=Value(now.astimezone(ZoneInfo(zone)).date()))
            for zone, keys in zones.items()
        ),
        output_field=models.DateField(),
    )
    attended = Q(status=VisitStatus.ATTENDED)
    early = attended & Q(first_day__gt=F("attended_on"))
    late = attended & Q(last_day__lt=F("attended_on"))
    return visits.filter(window__isnull=False).annotate(
        at_site=today,
        kept=Case(
            When(status=VisitStatus.NOT_REQUIRED, then=Value(Kept.NOT_REQUIRED.value)),
            When(status=VisitStatus.MISSED, then=Value(Kept.MISSED.value)),
            When(early | late, then=Value(Kept.OUT_OF_WINDOW.value)),
            When(attended, then=Value(Kept.IN_WINDOW.value)),
            When(last_day__lt=F("at_site"), then=Value(Kept.OVERDUE.value)),
            default=Value(Kept.NOT_YET_DUE.value),
            output_field=models.CharField(),
        ),
        outside=Case(
            When(early, then=F("attended_on") - F("first_day")),
            When(late, then=F("attended_on") - F("last_day")),
            default=Value(dt.timedelta()),
            output_field=DurationField(),
        ),
    )


def lines_of(visits: QuerySet[Visit], *, now: dt.datetime, sites: Iterable[Site]) -> list[Line]:
    """The figures of each site and event that has a dated visit; one query for the counts."""
    sites = list(sites)
    by_pk = {site.pk: site for site in sites}
    found: dict[tuple[int, str], Figures] = defaultdict(Figures)
    rows = (
        dated(visits, now=now, sites=sites)
        .order_by()
        .values_list("site_id", "event_oid", "kept", "outside")
        .annotate(n=Count("pk"))
    )
    for site_id, event_oid, kept, outside, count in rows:
        found[site_id, event_oid].add(kept, outside.days, count)
    schedule = protocol_of(current_version().pk).schedule if found else Schedule(events=())
    place = {event.oid: number for number, event in enumerate(schedule.events)}
    ordered = sorted(
        found, key=lambda key: (by_pk[key[0]].code, place.get(key[1], len(place)), key[1])
    )
    return [
        Line(by_pk[site_id], event_oid, _title(schedule, event_oid), found[site_id, event_oid])
        for site_id, event_oid in ordered
    ]


def _title(schedule: Schedule, event_oid: str) -> str:
    """The event in the words of the version in force; one that it dropped keeps its OID."""
    for event in schedule.events:
        if event.oid == event_oid:
            return event.name.in_language(get_language() or "en")
    return event_oid


def blocks_of(lines: list[Line]) -> list[Block]:
    """The lines by site with their sums; where there are several sites, all of them first."""
    by_site: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        assert line.site is not None
        by_site[line.site.pk].append(line)
    blocks = [Block(own[0].site, own, _sum(own[0].site, own)) for own in by_site.values()]
    if len(blocks) < 2:
        return blocks
    by_event: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_event[line.event_oid].append(line)
    together = [_sum(None, own, own[0].event_oid, own[0].title) for own in by_event.values()]
    return [Block(None, together, _sum(None, together)), *blocks]


def _sum(site: Site | None, lines: list[Line], event_oid: str = "", title: str = "") -> Line:
    figures = Figures()
    for line in lines:
        figures.include(line.figures)
    return Line(site, event_oid, title, figures)
