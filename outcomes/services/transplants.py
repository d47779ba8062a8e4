"""The one record of a participant's way to a transplantation."""

from __future__ import annotations

from django.db import transaction

from outcomes.models.transplants import FORM_OID
from outcomes.selectors.outcome import record_of
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record


@transaction.atomic
def open_transplantation(*, subject: Subject, by: User) -> CrfRecord:
    """The record of the subject's transplantation, opened where there is none that stands."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    found = record_of(subject, FORM_OID)
    return found or open_record(subject=subject, form_oid=FORM_OID, by=by)
