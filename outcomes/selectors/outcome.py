"""How a participant's way through the study stands: survival, transplantation, endings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from outcomes.models import (
    AdverseEvent,
    Death,
    Disposition,
    EndReason,
    SurvivalContact,
    Transplantation,
)
from outcomes.models import Scope as Ending
from outcomes.models.codes import Outcome
from outcomes.models.follow_up_codes import SurvivalStatus
from outcomes.selectors.deaths import death_record
from outcomes.selectors.survival import (
    Attempts,
    Sighting,
    attempts_of,
    contacts_of,
    last_alive,
)
from screening.models.consent import Scope
from screening.selectors.consent import standing_of
from trialsite.casebook.models import CrfRecord, Subject, SubjectStatus, VisitStatus
from trialsite.casebook.protocols import event_of, protocol_of
from trialsite.core.clock import trial_today
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.models import stored
from trialsite.protocol import EventRole
from visits.models import TreatmentSession


def record_of(subject: Subject, form_oid: str) -> CrfRecord | None:
    """The standing record of a form that a subject has once, filled in or not."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=form_oid)
    return records.order_by("-repeat_key").first()


def transplantation_of(subject: Subject) -> Transplantation | None:
    """What stands of a subject's transplantation, once anything was entered."""
    rows = stored(Transplantation).filter(subject=subject, record__voided_at=None)
    found: Transplantation | None = rows.order_by("-record__repeat_key").first()
    return found


def endings_of(subject: Subject) -> list[Disposition]:
    """The standing records of how treatment and study ended, once they say when and why."""
    rows = stored(Disposition).filter(
        subject=subject,
        record__voided_at=None,
        scope__isnull=False,
        ended_on__isnull=False,
        reason__isnull=False,
    )
    return list(rows.order_by("-scope", "record__repeat_key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An ending that the casebook suggests; a person says it, or does not."""

    scope: Ending
    reason: EndReason
    on: PartialDate
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything the page of a subject's outcome shows."""

    subject: Subject
    today: dt.date
    sighting: Sighting | None
    attempts: Attempts
    contacts: list[SurvivalContact]
    transplantation: Transplantation | None
    transplantation_record: CrfRecord | None
    death: Death | None
    death_record: CrfRecord | None
    dispositions: list[Disposition]
    proposals: list[Proposal]
    milestones: list[Milestone]
    last_treatment: dt.date | None
    fatal: AdverseEvent | None

    @property
    def status(self) -> SurvivalStatus:
        """Dead by the casebook; alive where a sighting lies at or after the latest milestone
        that is past; else unknown."""
        if self.subject.died_on:
            return SurvivalStatus.DEAD
        if self.sighting is None or self.told_dead is not None:
            return SurvivalStatus.UNKNOWN
        unproven = [each for each in self.milestones if each.state == "unknown"]
        return SurvivalStatus.UNKNOWN if unproven else SurvivalStatus.ALIVE

    @property
    def told_dead(self) -> SurvivalContact | AdverseEvent | Disposition | None:
        """The contact, the fatal event or the ending that tells of a death which nobody has
        recorded yet."""
        if self.subject.died_on:
            return None
        contact = next((x for x in self.contacts if x.status == SurvivalStatus.DEAD), None)
        ended = next((x for x in self.dispositions if x.reason == EndReason.DEATH), None)
        return contact or self.fatal or ended

    @property
    def told_by_contact(self) -> bool:
        """Whether it is a contact that tells of it."""
        return self.told_dead in self.contacts

    @property
    def days_since(self) -> int | None:
        """Days since the participant was last known alive."""
        return (self.today - self.sighting.proven).days if self.sighting else None

    @property
    def sighted_by(self) -> SurvivalContact | None:
        """The contact on which the sighting rests, if it rests on one."""
        known = {each.pk: each for each in self.contacts}
        return known.get(self.sighting.record.pk) if self.sighting else None

    def ended(self, scope: Ending) -> Disposition | None:
        """The standing record of how this ended."""
        return next((each for each in self.dispositions if each.scope == scope), None)


@dataclass(frozen=True, slots=True)
class Milestone:
    """Survival on one day of the protocol, by the evidence there is: alive, dead, unknown,
    or not yet due."""

    day: int
    on: dt.date
    state: str


def overview_of(subject: Subject) -> Overview:
    """The outcome of a subject whose site is loaded."""
    today = trial_today(subject.site.time_zone)
    sighting = last_alive([subject.pk]).get(subject.pk)
    attempts = attempts_of(subject, sighting)
    transplantation = transplantation_of(subject)
    endings = stored(Disposition).filter(subject=subject, record__voided_at=None)
    dispositions = list(endings.select_related("record").order_by("record__repeat_key"))
    record = death_record(subject)
    contacts = contacts_of(subject)
    fatal = stored(AdverseEvent).filter(
        subject=subject, record__voided_at=None, outcome=Outcome.FATAL
    )
    event = fatal.order_by("record__repeat_key").first()
    told = event is not None or any(
        (
            *(each.status == SurvivalStatus.DEAD for each in contacts),
            *(each.reason == EndReason.DEATH for each in dispositions),
        )
    )
    treated = _last_treatment(subject)
    known = _Known(subject, today, attempts, transplantation, treated, told)
    said = {each.scope for each in dispositions}
    return Overview(
        subject=subject,
        today=today,
        sighting=sighting,
        attempts=attempts,
        contacts=contacts,
        transplantation=transplantation,
        transplantation_record=record_of(subject, Transplantation.form_oid),
        death=stored(Death).filter(pk=record.pk).first() if record else None,
        death_record=record,
        dispositions=dispositions,
        proposals=[each for each in _proposals(known) if each.scope not in said],
        milestones=_milestones(subject, sighting, today),
        last_treatment=treated,
        fatal=event,
    )


def _last_treatment(subject: Subject) -> dt.date | None:
    started = TreatmentSession.objects.started().filter(subject=subject)
    last = started.order_by("-started_at").values_list("started_at", flat=True).first()
    return last.date() if last else None


def _milestones(subject: Subject, sighting: Sighting | None, today: dt.date) -> list[Milestone]:
    if subject.day_zero is None:
        return []
    died = PartialDate.parse(subject.died_on) if subject.died_on else None
    found = []
    for day in protocol_of(subject.protocol_version_id).outcomes.survival_days:
        on = subject.day_zero + dt.timedelta(days=day)
        found.append(Milestone(day, on, _state_on(on, sighting, died, today)))
    return found


def _state_on(
    on: dt.date, sighting: Sighting | None, died: PartialDate | None, today: dt.date
) -> str:
    """A death later than the day proves life on it as a sighting does (decisions C11)."""
    if died is not None and died.latest <= on:
        return "dead"
    if died is not None and died.earliest > on:
        return "alive"
    if sighting is not None and sighting.proven >= on:
        return "alive"
    return "unknown" if on < today or died is not None else "not_due"


@dataclass(frozen=True, slots=True)
class _Known:
    subject: Subject
    today: dt.date
    attempts: Attempts
    transplantation: Transplantation | None
    treated: dt.date | None
    #: Whether anything told of the death: who is dead is not lost.
    told_dead: bool


def _proposals(known: _Known) -> Iterator[Proposal]:
    """At most one ending for each scope, the strongest reason first."""
    if known.subject.number is None:
        return
    for scope, found in (
        (Ending.TREATMENT, _of_treatment(known)),
        (Ending.STUDY, _of_study(known)),
    ):
        first = next(found, None)
        if first is not None:
            reason, on, why = first
            yield Proposal(scope=scope, reason=reason, on=_partial(on), why=why)


_Found = Iterator[tuple[EndReason, dt.date | PartialDate, str]]


def _partial(day: dt.date | PartialDate) -> PartialDate:
    return day if isinstance(day, PartialDate) else PartialDate.parse(day.isoformat())


def _died(known: _Known) -> _Found:
    if known.subject.died_on:
        day = PartialDate.parse(known.subject.died_on)
        yield EndReason.DEATH, day, _("The participant died on %(date)s.") % {"date": day}


def _of_treatment(known: _Known) -> _Found:
    yield from _died(known)
    since = standing_of(known.subject).withdrawn_since
    if Scope.TREATMENT in since:
        said = _("Consent to the treatment was withdrawn on %(date)s.")
        day = since[Scope.TREATMENT]
        yield EndReason.CONSENT_WITHDRAWN, day, said % {"date": day.isoformat()}
    graft = known.transplantation
    if graft is not None and graft.transplanted_on is not None:
        said = _("The participant was transplanted on %(date)s.")
        yield (
            EndReason.TRANSPLANTATION,
            graft.transplanted_on,
            said % {"date": graft.transplanted_on},
        )
    yield from _treated(known)


def _treated(known: _Known) -> _Found:
    """The planned treatment is over: its number is reached, or its days are past."""
    plan = protocol_of(known.subject.protocol_version_id).sessions
    zero, last = known.subject.day_zero, known.treated
    if plan is None or zero is None or last is None:
        return
    held = TreatmentSession.objects.started().filter(subject=known.subject).count()
    over = known.today > zero + dt.timedelta(days=plan.within_days)
    if held >= plan.sessions_at_most or over:
        said = _("The days of treatment are over; the last session was on %(date)s.")
        yield EndReason.COMPLETED, last, said % {"date": last.isoformat()}


def _of_study(known: _Known) -> _Found:
    yield from _died(known)
    since = standing_of(known.subject).withdrawn_since
    for scope in (Scope.ALL_DATA, Scope.CONTACT):
        if scope in since:
            said = _("Consent to contact or to all data was withdrawn on %(date)s.")
            yield (
                EndReason.CONSENT_WITHDRAWN,
                since[scope],
                said % {"date": since[scope].isoformat()},
            )
    if known.attempts.met and known.attempts.last_on is not None and not known.told_dead:
        said = _("The rule of loss to follow-up is met: %(made)d attempts on %(days)d days.")
        made = {"made": known.attempts.made, "days": known.attempts.days}
        yield EndReason.LOST, known.attempts.last_on, said % made
    if known.subject.status == SubjectStatus.ENROLLED:
        yield from _all_seen(known.subject)


def _all_seen(subject: Subject) -> _Found:
    """The last visit the protocol plans took place."""
    last = None
    for visit in subject.visits.filter(status=VisitStatus.ATTENDED):
        event = event_of(visit)
        day = event.target_day
        if event.role is EventRole.FOLLOW_UP and day is not None:
            last = max(last or (day, visit.attended_on), (day, visit.attended_on))
    planned = protocol_of(subject.protocol_version_id).schedule.with_role(EventRole.FOLLOW_UP)
    final = max((e.target_day for e in planned if e.target_day is not None), default=None)
    if last is not None and last[0] == final and last[1] is not None:
        said = _("The last planned visit took place on %(date)s.")
        yield EndReason.COMPLETED, last[1], said % {"date": last[1].isoformat()}
