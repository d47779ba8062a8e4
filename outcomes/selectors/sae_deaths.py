"""Deaths that no fatal serious adverse event tells of, with the clocks they start."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, To, UnreportedDeath
from outcomes.sae_words import said_span
from outcomes.selectors.survival import last_alive
from outcomes.selectors.told_deaths import FATAL, TELLS, telling
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.models import stored
from trialsite.crf.registry import form
from trialsite.protocol.reporting import Awareness, Reportable, SafetyReporting


@dataclass(frozen=True, slots=True, kw_only=True)
class DeathClock:
    """By when one recipient is owed the report of a death."""

    recipient: To
    due_at: dt.datetime
    now: dt.datetime

    @property
    def overdue(self) -> bool:
        return self.now > self.due_at

    @property
    def tone(self) -> str:
        return "danger" if self.overdue else "warning"

    @property
    def word(self) -> str:
        span = said_span(abs(self.due_at - self.now))
        if self.overdue:
            return _("Overdue by %(span)s") % {"span": span}
        return _("%(span)s left") % {"span": span}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeathLine:
    """One death without its event, as the board shows it."""

    death: UnreportedDeath
    clocks: tuple[DeathClock, ...]

    @property
    def told_by(self) -> str:
        """The form of the record that told of it first."""
        return str(form(self.death.record.form_oid).title)

    @property
    def zone(self) -> str:
        return self.death.site.time_zone

    @property
    def next_clock(self) -> DeathClock | None:
        return min(self.clocks, key=lambda clock: clock.due_at, default=None)

    @property
    def recipients(self) -> str:
        """To whom a report is owed, in words."""
        return ", ".join(str(clock.recipient.label) for clock in self.clocks)


def deaths_of(subject: Subject) -> QuerySet[UnreportedDeath, UnreportedDeath]:
    """Every record of a subject that tells of the death now, the first awareness first."""
    return UnreportedDeath.objects.filter(telling("record"), subject=subject)


def first_awareness(subject: Subject) -> dt.datetime | None:
    """When the site first knew of a death of the subject, by whatever is entered of it.

    What was taken back counts: it may be entered anew. It counts no longer once the subject
    was proven alive on a later day, or once a person said that it is no death to report.
    """
    rows = UnreportedDeath.objects.filter(subject=subject)
    counting = rows.filter(telling("record") | Q(settled_at=None)).select_related("site")
    told = set(deaths_of(subject).values_list("pk", flat=True))
    proven = last_alive([subject.pk]).get(subject.pk)
    return min(
        (
            each.known_at
            for each in counting
            if each.pk in told or proven is None or proven.proven <= _day_of(each)
        ),
        default=None,
    )


def _day_of(death: UnreportedDeath) -> dt.date:
    return death.known_at.astimezone(ZoneInfo(death.site.time_zone)).date()


def open_deaths(
    ids: Iterable[uuid.UUID] | None = None,
) -> QuerySet[UnreportedDeath, UnreportedDeath]:
    """The standing deaths that nothing has answered: no fatal serious event, no word that none
    is owed. Of each subject the record by which it was known first."""
    fatal = stored(AdverseEvent).filter(
        FATAL, subject=OuterRef("subject"), serious=True, record__voided_at=None
    )
    settled = UnreportedDeath.objects.filter(
        telling("record"), subject=OuterRef("subject"), settled_at__isnull=False
    )
    first = UnreportedDeath.objects.filter(
        telling("record"), ~Exists(fatal), ~Exists(settled)
    ).order_by("subject_id", "known_at", "record__first_entered_at", "pk")
    rows = UnreportedDeath.objects.filter(pk__in=first.distinct("subject_id").values("pk"))
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    return rows.select_related("site", "subject", "record")


def plan_of(death: UnreportedDeath) -> SafetyReporting | None:
    return protocol_of(death.record.protocol_version_id).safety_reporting


def clocks_of(death: UnreportedDeath, now: dt.datetime) -> tuple[DeathClock, ...]:
    """The clocks that the protocol starts for every serious event, from when it was known."""
    plan = plan_of(death)
    zone = ZoneInfo(death.site.time_zone)
    rules = plan.of(Awareness.INVESTIGATOR) if plan else ()
    return tuple(
        DeathClock(
            recipient=To(rule.recipient.value), due_at=rule.due(death.known_at, zone), now=now
        )
        for rule in rules
        if rule.events is Reportable.EVERY
    )


def deaths_seen(
    user: User, sites: Iterable[int] | None = None
) -> QuerySet[UnreportedDeath, UnreportedDeath]:
    """The open deaths a person may see, of these sites where they are given."""
    seen = UnreportedDeath.objects.visible_to(user, Capability.VIEW_SAFETY).values("pk")
    rows = open_deaths().filter(pk__in=seen)
    return rows if sites is None else rows.filter(site__in=sites)


def deaths_at(sites: Iterable[int]) -> QuerySet[UnreportedDeath, UnreportedDeath]:
    """The open deaths of these sites, which the caller has the right to count."""
    return open_deaths().filter(site__in=sites)


def death_lines(
    deaths: QuerySet[UnreportedDeath, UnreportedDeath], now: dt.datetime
) -> list[DeathLine]:
    """What the board shows above the cases, what presses most first."""
    rows = deaths.order_by("known_at")
    return [DeathLine(death=each, clocks=clocks_of(each, now)) for each in rows]


def death_known_at(event: AdverseEvent) -> dt.datetime | None:
    """Of a fatal event: when the subject's recorded death was first known here."""
    if not TELLS[AdverseEvent](event):
        return None
    return first_awareness(event.subject)
