"""Subjects, their visits and the records expected of them."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import (
    CrfRecord,
    NumberSequence,
    ProtocolVersion,
    RecordStatus,
    Subject,
)
from trialsite.casebook.protocols import version_in_force
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.core.ids import with_check


def next_number(site: Site, kind: str) -> int:
    """The next number of a gap-free sequence at a site; it waits for whoever takes one now."""
    sequence, _made = NumberSequence.objects.get_or_create(site=site, kind=kind)
    sequence = NumberSequence.objects.select_for_update(no_key=True).get(pk=sequence.pk)
    sequence.last += 1
    sequence.save(update_fields=["last"])
    return sequence.last


@transaction.atomic
def add_subject(*, site: Site, by: User, on: dt.date | None = None) -> Subject:
    """Enter a person into the casebook under a new screening number of the site."""
    by.require(Capability.ADD_SUBJECT, site=site)
    version = version_in_force(site, on=on)
    number = with_check(f"{site.code}-S{next_number(site, 'screening'):03d}")
    return Subject.objects.create(site=site, screening_number=number, protocol_version=version)


@transaction.atomic
def open_record(
    *,
    subject: Subject,
    form_oid: str,
    by: User,
    visit_id: object = None,
    protocol_version: ProtocolVersion | None = None,
) -> CrfRecord:
    """One more record of a repeating form; its repeat key was never used before."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    taken = CrfRecord.objects.filter(
        subject=subject, form_oid=form_oid, visit_id=visit_id
    ).order_by("-repeat_key")
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
    with because(reason):
        CrfRecord.objects.filter(pk=record.pk).update(
            voided_at=TrialNow(), void_reason=reason, version=record.version + 1
        )
    record.refresh_from_db()
    return record


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
