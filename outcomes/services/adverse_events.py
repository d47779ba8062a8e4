"""Adverse events: one made of a complication, and what follows from voiding one."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, AdverseEventOrigin
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import TransitionError
from trialsite.crf.entry import Entry, read_values
from trialsite.crf.services import save_crf
from visits.models import Complication
from visits.models.session_codes import ComplicationCode


@transaction.atomic
def record_from_complication(*, complication: Complication, by: User) -> CrfRecord:
    """The adverse event of a complication, begun with what is known; made once.

    Whoever asks again, at the same moment too, is given the event that stands. Severity,
    seriousness and cause are left to the investigator.
    """
    by.require(Capability.ENTER_DATA, site=complication.site_id)
    # The subject's lock puts two clicks in order; every other save of the subject waits too.
    subject = Subject.objects.select_for_update(no_key=True).get(pk=complication.subject_id)
    complication = Complication.objects.select_related("record").get(pk=complication.pk)
    found = event_of(complication)
    if found is not None:
        return found.record
    if not complication.stands:
        raise TransitionError(_("This row has been voided."))
    record = open_record(subject=subject, form_oid=AdverseEvent.form_oid, by=by)
    save_crf(record=record, entry=_known_of(complication), by=by, base_version=0)
    AdverseEventOrigin.objects.create(
        record=record,
        site_id=record.site_id,
        subject=subject,
        session_id=complication.record_id,
        complication=complication,
    )
    record.refresh_from_db()
    return record


def event_of(complication: Complication) -> AdverseEventOrigin | None:
    """The standing adverse event that was made of a complication."""
    standing = AdverseEventOrigin.objects.filter(complication=complication, ended_at=None)
    return standing.select_related("record").first()


def _known_of(complication: Complication) -> Entry:
    """What the complication says already, in the person's language."""
    term, comment = complication.get_code_display() or "", complication.comment or ""
    if complication.code == ComplicationCode.OTHER and comment:
        term = comment
    values = {"term": " ".join(term.split())[:200], "description": comment}
    if complication.onset_at is not None:
        values["started_on"] = complication.onset_at.date().isoformat()
        values["started_time"] = complication.onset_at.strftime("%H:%M")
    return read_values(AdverseEvent, values=values, missing={}, confirmed={}, units={})


def follow_event(event: AdverseEvent, _by: User) -> None:
    """A voided event gives its complication free: another may be made of it."""
    if not event.stands:
        for origin in AdverseEventOrigin.objects.filter(record_id=event.pk, ended_at=None):
            origin.ended_at = trial_now()
            origin.save(update_fields=["ended_at"])
