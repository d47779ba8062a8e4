"""Recorded deaths that no fatal serious adverse event tells of, with the clocks they start."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, Grade, Outcome, To, UnreportedDeath
from outcomes.sae_words import said_span
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.models import stored
from trialsite.protocol.reporting import Awareness, Reportable, SafetyReporting

_FATAL = Q(results_in_death=True) | Q(outcome=Outcome.FATAL) | Q(grade=Grade.DEATH)


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
    def zone(self) -> str:
        return self.death.site.time_zone

    @property
    def next_clock(self) -> DeathClock | None:
        return min(self.clocks, key=lambda clock: clock.due_at, default=None)

    @property
    def recipients(self) -> str:
        """To whom a report is owed, in words."""
        return ", ".join(str(clock.recipient.label) for clock in self.clocks)


def open_deaths(
    ids: Iterable[uuid.UUID] | None = None,
) -> QuerySet[UnreportedDeath, UnreportedDeath]:
    """The standing deaths that nothing has answered: no fatal serious event, no word that none
    is owed."""
    fatal = stored(AdverseEvent).filter(
        _FATAL, subject=OuterRef("subject"), serious=True, record__voided_at=None
    )
    rows = UnreportedDeath.objects.filter(
        ~Exists(fatal), settled_at=None, record__voided_at=None
    ).exclude(subject__died_on="")
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


def death_lines(
    user: User, now: dt.datetime, sites: Iterable[int] | None = None
) -> list[DeathLine]:
    """What the board shows above the cases, what presses most first."""
    rows = open_deaths().filter(
        pk__in=UnreportedDeath.objects.visible_to(user, Capability.VIEW_SAFETY).values("pk")
    )
    if sites is not None:
        rows = rows.filter(site__in=sites)
    return [
        DeathLine(death=each, clocks=clocks_of(each, now)) for each in rows.order_by("known_at")
    ]


def death_known_at(event: AdverseEvent) -> dt.datetime | None:
    """Of a fatal event: when the subject's recorded death was first known here."""
    fatal = event.results_in_death or event.outcome == Outcome.FATAL or event.grade == Grade.DEATH
    if not fatal:
        return None
    rows = UnreportedDeath.objects.filter(subject=event.subject_id, record__voided_at=None)
    return rows.order_by("known_at").values_list("known_at", flat=True).first()
