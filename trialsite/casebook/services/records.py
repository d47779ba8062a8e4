"""Records: expected, opened, voided, not done."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.following import follow_void
from trialsite.casebook.models import CrfRecord, ProtocolVersion, RecordStatus, Subject, Visit
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError


@transaction.atomic
def open_record(
    *,
    subject: Subject,
    form_oid: str,
    by: User,
    visit_id: uuid.UUID | None = None,
    protocol_version: ProtocolVersion | None = None,
) -> CrfRecord:
    """One more record of a repeating form; its repeat key was never used before."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    at_visit = Q(visit=None) if visit_id is None else Q(visit_id=visit_id)
    taken = CrfRecord.objects.filter(at_visit, subject=subject, form_oid=form_oid).order_by(
        "-repeat_key"
    )
    last = taken.values_list("repeat_key", flat=True).first() or 0
    return CrfRecord.objects.create(
        site_id=subject.site_id,
        subject=subject,
        visit_id=visit_id,
        form_oid=form_oid,
        repeat_key=last + 1,
        protocol_version=protocol_version or subject.protocol_version,
    )


@transaction.atomic
def void_record(*, record: CrfRecord, reason: str, by: User) -> CrfRecord:
    """Take a record out of the casebook; it and its number stay in the trail for ever."""
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=record.pk)
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if record.voided_at is not None:
        raise TransitionError(_("This record is already voided."))
    if record.is_closed:
        raise TransitionError(_("This record is locked."))
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    # After the record, as each save of what others follow: they may change the subject.
    Subject.objects.select_for_update(no_key=True).only("pk").get(pk=record.subject_id)
    with because(reason):
        CrfRecord.objects.filter(pk=record.pk).update(
            voided_at=TrialNow(), void_reason=reason, version=record.version + 1
        )
        record.refresh_from_db()
        follow_void(record, by)
    if record.visit_id is not None:
        _expect_again(record)
    return record


def _expect_again(voided: CrfRecord) -> None:
    """The visit still expects the form: an empty record under the next repeat key."""
    others = CrfRecord.objects.filter(visit=voided.visit, form_oid=voided.form_oid)
    if others.exclude(pk=voided.pk).standing().exists():
        return
    last = others.order_by("-repeat_key").values_list("repeat_key", flat=True).first()
    CrfRecord.objects.create(
        site_id=voided.site_id,
        subject_id=voided.subject_id,
        visit_id=voided.visit_id,
        form_oid=voided.form_oid,
        repeat_key=(last or 0) + 1,
        protocol_version_id=voided.protocol_version_id,
    )


@transaction.atomic
def mark_not_done(*, record: CrfRecord, reason: str, by: User) -> CrfRecord:
    """State that a whole form was not done, and why; possible only while it is empty."""
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=record.pk)
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if record.is_closed:
        raise TransitionError(_("This record is locked."))
    if record.status != RecordStatus.NOT_STARTED:
        raise TransitionError(_("This form has data. Void it, or give the reason item by item."))
    if not reason.strip():
        raise DomainError(_("A form that was not done needs its reason."))
    record.status = RecordStatus.NOT_DONE
    record.not_done_reason = reason
    record.version += 1
    record.save(update_fields=["status", "not_done_reason", "version"])
    return record


def expect_records(*, visit: Visit, form_oids: Iterable[str]) -> None:
    """The empty records of the forms expected at a visit, so that what is missing counts."""
    expect_records_of([(visit, form_oids)])


def expect_records_of(expected: Iterable[tuple[Visit, Iterable[str]]]) -> None:
    """The same of several visits, in one statement; what is there already stays as it is."""
    rows = [
        CrfRecord(
            site_id=visit.site_id,
            subject_id=visit.subject_id,
            visit=visit,
            form_oid=form_oid,
            repeat_key=1,
            protocol_version_id=visit.protocol_version_id,
        )
        for visit, form_oids in expected
        for form_oid in dict.fromkeys(form_oids)
    ]
    CrfRecord.objects.bulk_create(rows, ignore_conflicts=True)
