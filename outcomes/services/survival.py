"""Survival follow-up: looking for a participant, and what a contact that was made changes."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import ContactWay, SurvivalContact, SurvivalStatus
from outcomes.models.survival import FORM_OID
from outcomes.services.drafts import propose_draft
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import (
    CrfRecord,
    RecordStatus,
    Subject,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.moments import death_problem
from trialsite.casebook.protocols import event_of
from trialsite.casebook.services import open_record, take_back_visit
from trialsite.core.clock import trial_today
from trialsite.core.context import reason_given
from trialsite.core.exceptions import DomainError
from trialsite.crf.models import stored
from trialsite.crf.violations import ImpossibleError
from trialsite.protocol import EventRole
from visits.services.visits import attend, contact_problem, plan_contact

#: How the casebook calls a visit that such a contact was.
_MODES = {ContactWay.IN_PERSON: VisitMode.ON_SITE, ContactWay.HOME: VisitMode.HOME}


@transaction.atomic
def start_contact(*, subject: Subject, by: User, stands_for: Visit | None = None) -> CrfRecord:
    """The record in which attempts are written down until the participant is found.

    For a milestone nobody was seen at it hangs on a planned survival contact, so that it
    waits on Today. One that has found nobody yet is answered again, never a second one. Who
    has withdrawn from contact is not asked after any more (decisions C5).
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    found = _unfinished(subject, stands_for)
    if found is not None:
        return found
    today = trial_today(subject.site.time_zone)
    if problem := contact_problem(subject, today):
        raise DomainError(problem)
    if stands_for is None:
        record = open_record(subject=subject, form_oid=FORM_OID, by=by)
    else:
        visit = plan_contact(subject=subject, stands_for=stands_for, by=by)
        record = _record_at(visit, by=by)
    texts = {"contact_on": today.isoformat(), "mode": ContactWay.TELEPHONE.value}
    propose_draft(record, texts, by=by)
    return record


def _unfinished(subject: Subject, stands_for: Visit | None) -> CrfRecord | None:
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=FORM_OID)
    open_ones = records.exclude(status__in=[RecordStatus.COMPLETE, RecordStatus.NOT_DONE])
    if stands_for is None:
        return open_ones.filter(visit=None).order_by("repeat_key").last()
    waiting = open_ones.filter(visit__stands_for=stands_for)
    return waiting.exclude(visit__status=VisitStatus.NOT_REQUIRED).order_by("repeat_key").last()


def _record_at(visit: Visit, *, by: User) -> CrfRecord:
    """The record that the protocol expects at the contact; else one more."""
    expected = CrfRecord.objects.standing().filter(visit=visit, form_oid=FORM_OID)
    found = expected.order_by("repeat_key").last()
    return found or open_record(subject=visit.subject, form_oid=FORM_OID, visit_id=visit.pk, by=by)


def follow_contact(contact: SurvivalContact, by: User) -> None:
    """Let the visit that the contact is follow it: found alive, it took place that day.

    Nobody is alive on a day after the recorded death: that is refused, beside the date. Who
    was not reached, or whose record is voided, still has to be found.
    """
    subject = Subject.objects.select_related("site").get(pk=contact.subject_id)
    alive = contact.stands and contact.status == SurvivalStatus.ALIVE and contact.contact_on
    changed = contact.changed & {"status", "contact_on"}
    if alive and changed and (problem := death_problem(subject, contact.contact_on)):
        raise ImpossibleError({"contact_on": [problem]})
    visit = contact.record.visit
    if visit is None or event_of(visit).role is not EventRole.SURVIVAL_CONTACT:
        return
    if alive:
        _attended(visit, contact, by=by)
    elif not contact.stands or contact.status == SurvivalStatus.UNKNOWN:
        _not_yet(visit, by=by)


def _attended(visit: Visit, contact: SurvivalContact, *, by: User) -> None:
    assert contact.contact_on is not None
    mode = _MODES.get(ContactWay(contact.mode), VisitMode.TELEPHONE) if contact.mode else ""
    said = (visit.attended_on, visit.mode)
    if visit.status == VisitStatus.ATTENDED and said == (contact.contact_on, mode or visit.mode):
        return
    attend(
        visit=visit,
        on=contact.contact_on,
        mode=mode or VisitMode.TELEPHONE,
        by=by,
        reason=reason_given() or _("As the record of the contact says"),
    )


def _not_yet(visit: Visit, *, by: User) -> None:
    if visit.status == VisitStatus.ATTENDED:
        reason = reason_given() or _("The participant was not reached")
        take_back_visit(visit=visit, reason=reason, by=by)


def contact_of(record: CrfRecord) -> SurvivalContact | None:
    """What a record of a contact says, once it says anything."""
    found: SurvivalContact | None = stored(SurvivalContact).filter(pk=record.pk).first()
    return found
