"""Specimens: labelled, collected, received, centrifuged, aliquoted, ended, voided."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from samples.models import (
    OVER,
    Aliquot,
    CustodyEvent,
    CustodyKind,
    NotCollected,
    Specimen,
    SpecimenState,
)
from samples.services.freezing import judge_freezing
from samples.services.log import Happening, enter, held_specimen, wall_now
from samples.services.refusing import sample_refusals
from samples.services.withdrawals import demand_witness, follow_late_entry
from screening.models.consent import Scope
from screening.selectors.consent import standing_of
from screening.services.consent import ProcedureRefusedError, note_refused_procedure
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ConsentState, Subject, Visit, VisitStatus
from trialsite.casebook.moments import day_problem, future_problem
from trialsite.casebook.protocols import event_of, protocol_of
from trialsite.casebook.services.subjects import next_number
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.core.ids import with_check
from trialsite.crf.violations import ImpossibleError
from trialsite.protocol.samples import SamplePlan, SpecimenDef
from visits.models import TreatmentSession

#: Under which name numbers of specimens are counted at a site.
_SEQUENCE = "specimen"


def plan_of(visit: Visit) -> SamplePlan:
    """The sample plan under which a visit was laid out."""
    plan = protocol_of(visit.protocol_version_id).samples
    if plan is None:
        raise DomainError(_("This protocol plans no samples."))
    return plan


def tubes_planned(visit: Visit, kind: str) -> int:
    """How many tubes of a kind the protocol plans at most at a visit; 0 where it plans none."""
    event = event_of(visit)
    planned = kind in event.samples or kind in event.optional_samples
    return int(plan_of(visit).specimen(kind).tubes.high or 0) if planned else 0


@transaction.atomic
def prepare_specimens(
    *,
    visit: Visit,
    kind: str,
    count: int,
    by: User,
    session: TreatmentSession | None = None,
    extra_reason: str = "",
) -> list[Specimen]:
    """Give numbers to tubes that are about to be collected, so that labels can be printed.

    More than the protocol plans needs the reason. A number is never given twice.
    """
    by.require(Capability.HANDLE_SAMPLES, site=visit.site_id)
    subject = _held_subject(visit.subject)
    definition = _defined(visit, kind)
    if visit.status in {VisitStatus.MISSED, VisitStatus.NOT_REQUIRED}:
        raise TransitionError(_("This visit did not take place: nothing is collected at it."))
    if session is not None and session.subject_id != subject.pk:
        raise DomainError(_("This session is another subject’s."))
    if not 1 <= count <= 50:
        raise ImpossibleError({"count": [_("1 to 50 tubes at a time.")]})
    session = session or _session_of(visit)
    standing = Specimen.objects.standing().filter(visit=visit, kind=kind)
    beyond = standing.count() + count > tubes_planned(visit, kind)
    if beyond and not extra_reason.strip():
        raise ImpossibleError(
            {"extra_reason": [_("This is more than the protocol plans here: say why.")]}
        )
    return [
        _labelled(visit, subject, definition, by, session, extra_reason.strip() if beyond else "")
        for _n in range(count)
    ]


def _session_of(visit: Visit) -> TreatmentSession | None:
    """The treatment session of a visit, where it had just one."""
    found = list(TreatmentSession.objects.standing().filter(record__visit=visit)[:2])
    return found[0] if len(found) == 1 else None


def _labelled(
    visit: Visit,
    subject: Subject,
    definition: SpecimenDef,
    by: User,
    session: TreatmentSession | None,
    extra_reason: str,
) -> Specimen:
    number = next_number(subject.site, _SEQUENCE)
    specimen = Specimen(
        id=uuid.uuid4(),
        site_id=subject.site_id,
        subject=subject,
        visit=visit,
        session=session,
        kind=definition.key,
        matrix=definition.matrix,
        tube_type=definition.tube_type,
        freeze_within=definition.freeze_within_minutes,
        amount_unit=definition.amount_unit,
        code=with_check(f"S{subject.site.code}-{number:06d}"),
        extra_reason=extra_reason[:300],
        time_zone=subject.site.time_zone,
        prepared_by=by,
        prepared_at=TrialNow(),
    )
    with because(extra_reason), sample_refusals(Specimen):
        specimen.save(force_insert=True)
    specimen.site = subject.site
    return specimen


def aliquot_code(specimen: Specimen, number: int) -> str:
    """The code of an aliquot, known before it is made so that its label can be printed."""
    body, _hyphen, _check = specimen.code.rpartition("-")
    return with_check(f"{body}-{number:02d}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenFacts:
    """What people say of a specimen beside its times; None says nothing."""

    amount: Decimal | None = None
    draw_site: str | None = None
    fasting: bool | None = None
    on_ice: bool | None = None
    bristol: int | None = None
    blood_seen: bool | None = None
    laxatives: bool | None = None
    antibiotics: bool | None = None
    urine_method: str | None = None
    dipstick: str | None = None
    centrifuge_g: int | None = None
    centrifuge_minutes: int | None = None
    centrifuge_celsius: int | None = None
    remark: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What is said, by column."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in every.items() if value is not None}


@transaction.atomic
def collect_specimen(
    *,
    specimen: Specimen,
    by: User,
    at: dt.datetime | None = None,
    facts: SpecimenFacts | None = None,
) -> Specimen:
    """A tube was filled; again for the same tube changes nothing.

    Refused before consent, after a withdrawal of samples, after death (decisions C3-C5,
    C10). `at` is the clock at the site.
    """
    specimen = _for(specimen, by)
    if specimen.state != SpecimenState.PREPARED:
        return _already(specimen)
    wall = at or wall_now(specimen.time_zone)
    if problem := future_problem(wall, specimen.time_zone):
        raise ImpossibleError({"happened_at": [problem]})
    _refuse_collection(specimen, wall)
    enter(specimen, CustodyKind.COLLECTED, by, Happening(at=wall))
    if facts is not None:
        _describe(specimen, facts)
    NotCollected.objects.standing().filter(visit=specimen.visit_id, kind=specimen.kind).update(
        voided_at=trial_now(), voided_by=by, void_reason=_("It was collected after all.")
    )
    follow_late_entry(specimen.subject, by)
    return _fresh(specimen)


def _refuse_collection(specimen: Specimen, wall: dt.datetime) -> None:
    subject = specimen.subject
    if problem := day_problem(subject, wall.date()):
        raise ImpossibleError({"happened_at": [problem]})
    moment = wall.replace(tzinfo=ZoneInfo(specimen.time_zone))
    standing = standing_of(subject)
    fact = standing.fact
    if fact is None or moment < fact.given_at:
        raise ImpossibleError({"happened_at": [_("This is before the consent.")]})
    withdrawal = standing.withdrawn_by.get(Scope.SAMPLES)
    refusals = standing.refusals(Scope.SAMPLES)
    # What was drawn before the withdrawal was drawn with consent, however late it is entered.
    if refusals and (withdrawal is None or moment >= withdrawal.at):
        reason = " ".join(refusals)
        name = specimen.kind_name
        raise ProcedureRefusedError(
            reason,
            partial(note_refused_procedure, subject=subject, procedure=name, reason=reason),
        )


@transaction.atomic
def receive_specimen(*, specimen: Specimen, by: User, at: dt.datetime | None = None) -> Specimen:
    """The laboratory has the tube; again changes nothing."""
    specimen = _for(specimen, by)
    if specimen.received_at is not None:
        return _already(specimen)
    _expect_collected(specimen)
    enter(specimen, CustodyKind.RECEIVED, by, Happening(at=at))
    return _fresh(specimen)


@transaction.atomic
def centrifuge_specimen(
    *, specimen: Specimen, by: User, at: dt.datetime | None = None, facts: SpecimenFacts
) -> Specimen:
    """The tube was centrifuged, at so many g for so long; again changes nothing."""
    specimen = _for(specimen, by)
    if specimen.centrifuged_at is not None:
        return _already(specimen)
    _expect_collected(specimen)
    enter(specimen, CustodyKind.PROCESSED, by, Happening(at=at))
    _describe(specimen, facts)
    return _fresh(specimen)


@transaction.atomic
def aliquot_specimen(
    *,
    specimen: Specimen,
    by: User,
    at: dt.datetime | None = None,
    count: int | None = None,
    volume: Decimal | None = None,
) -> list[Aliquot]:
    """The specimen was divided into so many aliquots; without a count into as many as planned.

    Again for the same specimen gives the aliquots that were made.
    """
    specimen = _for(specimen, by)
    if specimen.state == SpecimenState.ALIQUOTED:
        return list(specimen.aliquots.select_related("site").order_by("number"))
    _expect_collected(specimen)
    plan, definition = plan_of(specimen.visit), specimen.definition
    if specimen.matrix == "blood" and plan.centrifuge_g and specimen.centrifuged_at is None:
        raise TransitionError(_("Centrifuge it first."))
    count = definition.aliquots if count is None else count
    if not 1 <= count <= 20:
        raise ImpossibleError({"count": [_("1 to 20 aliquots.")]})
    if volume is not None:
        _refuse_too_much(specimen, count, volume)
    enter(specimen, CustodyKind.ALIQUOTED, by, Happening(at=at))
    made = [_aliquot(specimen, n, volume, plan, by) for n in range(1, count + 1)]
    follow_late_entry(specimen.subject, by)
    return made


def _refuse_too_much(specimen: Specimen, count: int, volume: Decimal) -> None:
    if volume <= 0:
        raise ImpossibleError({"volume": [_("An amount is more than nothing.")]})
    if specimen.amount is not None and volume * count > specimen.amount:
        raise ImpossibleError({"volume": [_("This is more than was collected.")]})


def _aliquot(
    specimen: Specimen, number: int, volume: Decimal | None, plan: SamplePlan, by: User
) -> Aliquot:
    aliquot = Aliquot(
        id=uuid.uuid4(),
        site=specimen.site,
        subject_id=specimen.subject_id,
        specimen=specimen,
        number=number,
        code=aliquot_code(specimen, number),
        volume=volume,
        thaws_at_most=plan.thaws_at_most,
        time_zone=specimen.time_zone,
        made_by=by,
        made_at=TrialNow(),
    )
    with sample_refusals(Aliquot):
        aliquot.save(force_insert=True)
    return aliquot


@transaction.atomic
def describe_specimen(
    *, specimen: Specimen, facts: SpecimenFacts, reason: str, by: User, base_version: int
) -> Specimen:
    """Add or correct what is said of a collected specimen, with the reason."""
    specimen = _for(specimen, by)
    if specimen.version != base_version:
        raise StaleError(
            _("Somebody else changed this specimen. Read it again."),
            current={"version": specimen.version},
            version=specimen.version,
        )
    _expect_collected(specimen, ended=True)
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})
    with because(reason.strip()):
        _describe(specimen, facts)
    return _fresh(specimen)


#: How a specimen can end before it was aliquoted.
ENDS = (CustodyKind.DISCARDED, CustodyKind.DESTROYED, CustodyKind.LOST)


@transaction.atomic
def end_specimen(
    *,
    specimen: Specimen,
    kind: CustodyKind,
    reason: str,
    by: User,
    at: dt.datetime | None = None,
    witness: User | None = None,
) -> Specimen:
    """A specimen was discarded, destroyed or lost before it was aliquoted. A second person
    witnesses destroying, and discarding once the consent for samples is withdrawn."""
    specimen = _for(specimen, by)
    if kind not in ENDS:
        raise DomainError(_("A specimen is discarded, destroyed or lost."))
    if specimen.state == kind:
        return specimen
    _demand(reason)
    seen_by = demand_witness(specimen, kind, by=by, at=at, witness=witness)
    said = Happening(at=at, reason=reason, witness=seen_by)
    enter(specimen, kind, by, said)
    return _fresh(specimen)


@transaction.atomic
def find_specimen(
    *, specimen: Specimen, reason: str, by: User, at: dt.datetime | None = None
) -> Specimen:
    """A lost specimen was found again; it is as far as it was when it was lost."""
    specimen = _for(specimen, by)
    _demand(reason)
    enter(specimen, CustodyKind.FOUND, by, Happening(at=at, reason=reason))
    follow_late_entry(specimen.subject, by)
    return _fresh(specimen)


@transaction.atomic
def correct_time(*, event: CustodyEvent, at: dt.datetime, reason: str, by: User) -> CustodyEvent:
    """Put the time of an event right; the event and its correction both stay.

    Whether the specimen was frozen in time is judged anew.
    """
    by.require(Capability.HANDLE_SAMPLES, site=event.site_id)
    _demand(reason)
    sample = event.aliquot or event.specimen
    if event.kind == CustodyKind.COLLECTED:
        specimen = held_specimen(event.specimen)
        _refuse_collection(specimen, at)
    correction = enter(
        sample,
        CustodyKind.CORRECTED,
        by,
        Happening(at=at, zone=event.time_zone, reason=reason, corrects=event),
    )
    with because(reason.strip()):
        judge_freezing(_fresh(event.specimen))
    return correction


@transaction.atomic
def void_specimen(*, specimen: Specimen, reason: str, by: User) -> Specimen:
    """Take out a specimen that was never so; it keeps its number.

    One with aliquots that are still somewhere is not voided: they are discarded first.
    """
    specimen = _for(specimen, by)
    _demand(reason)
    if specimen.aliquots.exclude(state__in=OVER).exists():
        raise TransitionError(
            _("Aliquots of it are still kept. Discard them first, with the reason.")
        )
    specimen.voided_at, specimen.voided_by = trial_now(), by
    specimen.void_reason = reason.strip()[:500]
    with because(specimen.void_reason), sample_refusals(Specimen):
        specimen.save(update_fields=["voided_at", "voided_by", "void_reason"])
    return specimen


def _for(specimen: Specimen, by: User) -> Specimen:
    """The specimen under its lock, for somebody who may handle it."""
    by.require(Capability.HANDLE_SAMPLES, site=specimen.site_id)
    held = held_specimen(specimen)
    if held.voided_at is not None:
        raise TransitionError(
            _("This specimen has been voided: %(why)s") % {"why": held.void_reason}
        )
    return held


def _held_subject(subject: Subject) -> Subject:
    """The subject under a row lock; a locked casebook does not stop the freezer (H4)."""
    waiting = Subject.objects.select_for_update(no_key=True, of=("self",)).select_related("site")
    found = waiting.get(pk=subject.pk)
    if found.consent_state == ConsentState.WITHDRAWN:
        raise DomainError(_("The subject has withdrawn consent for all data."))
    return found


def _defined(visit: Visit, kind: str) -> SpecimenDef:
    try:
        return plan_of(visit).specimen(kind)
    except LookupError as unknown:
        raise ImpossibleError({"kind": [_("The protocol has no such specimen.")]}) from unknown


def _describe(specimen: Specimen, facts: SpecimenFacts) -> None:
    said = facts.said
    if not said:
        return
    changed = Specimen.objects.get(pk=specimen.pk)
    for name, value in said.items():
        setattr(changed, name, value)
    changed.version += 1
    with sample_refusals(Specimen):
        changed.save(update_fields=[*said, "version"])


def _expect_collected(specimen: Specimen, *, ended: bool = False) -> None:
    if specimen.state == SpecimenState.PREPARED:
        raise TransitionError(_("It has not been collected."))
    if not (ended or specimen.is_live):
        raise TransitionError(
            _("This specimen is “%(state)s”.") % {"state": specimen.get_state_display()}
        )


def _already(specimen: Specimen) -> Specimen:
    """The same scan again is no error; one of a sample that has ended is."""
    if specimen.state in {SpecimenState.DISCARDED, SpecimenState.DESTROYED, SpecimenState.LOST}:
        raise TransitionError(
            _("This specimen is “%(state)s”.") % {"state": specimen.get_state_display()}
        )
    return specimen


def _demand(reason: str) -> None:
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})


def _fresh(specimen: Specimen) -> Specimen:
    return Specimen.objects.select_related("site", "subject__site", "visit").get(pk=specimen.pk)
