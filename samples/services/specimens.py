"""Specimens: labelled, collected, received, centrifuged, aliquoted, described."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from samples.models import Aliquot, CustodyKind, Specimen, SpecimenState
from samples.services.consenting import require_collection
from samples.services.expectations import collected_after_all
from samples.services.facts import SpecimenFacts, describe
from samples.services.holding import already, demand, expect_collected, fresh, held_for
from samples.services.log import Happening, enter, wall_now
from samples.services.planning import plan_of, tubes_planned
from samples.services.refusing import sample_refusals
from samples.services.withdrawals import follow_late_entry
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ConsentState, Subject, Visit, VisitStatus
from trialsite.casebook.moments import future_problem
from trialsite.casebook.services.subjects import next_number
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.core.ids import with_check
from trialsite.crf.violations import ImpossibleError
from trialsite.protocol.samples import SamplePlan, SpecimenDef
from visits.models import TreatmentSession

#: Under which name numbers of specimens are counted at a site.
_SEQUENCE = "specimen"


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
    specimen = held_for(specimen, by)
    if specimen.state != SpecimenState.PREPARED:
        return already(specimen)
    zone = specimen.site.time_zone
    wall = at or wall_now(zone)
    if problem := future_problem(wall, zone):
        raise ImpossibleError({"happened_at": [problem]})
    require_collection(specimen, wall, zone)
    enter(specimen, CustodyKind.COLLECTED, by, Happening(at=wall, zone=zone))
    if facts is not None:
        describe(specimen, facts)
    collected_after_all(specimen, by)
    follow_late_entry(specimen.subject, by)
    return fresh(specimen)


@transaction.atomic
def receive_specimen(*, specimen: Specimen, by: User, at: dt.datetime | None = None) -> Specimen:
    """The laboratory has the tube; again changes nothing."""
    specimen = held_for(specimen, by)
    if specimen.received_at is not None:
        return already(specimen)
    expect_collected(specimen)
    enter(specimen, CustodyKind.RECEIVED, by, Happening(at=at))
    return fresh(specimen)


@transaction.atomic
def centrifuge_specimen(
    *, specimen: Specimen, by: User, at: dt.datetime | None = None, facts: SpecimenFacts
) -> Specimen:
    """The tube was centrifuged, at so many g for so long; again changes nothing."""
    specimen = held_for(specimen, by)
    if specimen.centrifuged_at is not None:
        return already(specimen)
    expect_collected(specimen)
    enter(specimen, CustodyKind.PROCESSED, by, Happening(at=at))
    describe(specimen, facts)
    return fresh(specimen)


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
    specimen = held_for(specimen, by)
    if specimen.state == SpecimenState.ALIQUOTED:
        return list(specimen.aliquots.select_related("site").order_by("number"))
    expect_collected(specimen)
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
    specimen = held_for(specimen, by)
    if specimen.version != base_version:
        raise StaleError(
            _("Somebody else changed this specimen. Read it again."),
            current={"version": specimen.version},
            version=specimen.version,
        )
    expect_collected(specimen, ended=True)
    demand(reason)
    with because(reason.strip()):
        describe(specimen, facts)
    return fresh(specimen)


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
