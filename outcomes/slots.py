"""What outcomes put into the pages of the apps below."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from outcomes.models import (
    AdverseEvent,
    AdverseEventOrigin,
    Death,
    Disposition,
    EventMedication,
    Outcome,
    SaeCase,
    SurvivalContact,
    SurvivalStatus,
    Transplantation,
)
from outcomes.selectors.deaths import death_record
from outcomes.services.survival import contact_of
from screening.models.forms.medication import Medication
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core import slots
from trialsite.crf.models import stored
from trialsite.crf.registry import RECORD_ACTIONS
from visits.models import Complication
from visits.models.session_rows import COMPLICATION_ACTIONS
from visits.models.sessions import FORM_OID as SESSION


def event_of_complication(request: HttpRequest, complication: Complication) -> str:
    """On a complication: its adverse event with the state, or the button that makes one."""
    origin = _origins(request, complication).get(complication.pk)
    context: dict[str, Any] = {
        "complication": complication,
        "origin": origin,
        "may_report": _may(request, complication, Capability.REPORT_SAE),
    }
    if origin is None and not _may(request, complication, Capability.ENTER_DATA):
        return ""
    return render_to_string("outcomes/_of_complication.html", context, request=request)


def _may(request: HttpRequest, complication: Complication, capability: Capability) -> bool:
    person = request.user
    return (
        isinstance(person, User)
        and complication.stands
        and person.can(capability, site=complication.site_id)
    )


def _origins(request: HttpRequest, complication: Complication) -> dict[Any, AdverseEventOrigin]:
    """The events of all complications of the sheet, read once for a page."""
    known: dict[Any, dict[Any, AdverseEventOrigin]] = request.__dict__.setdefault(
        "_events_of_complications", {}
    )
    if complication.record_id not in known:
        standing = AdverseEventOrigin.objects.filter(
            complication__record=complication.record_id, ended_at=None
        )
        known[complication.record_id] = {
            origin.complication_id: origin for origin in standing.select_related("record")
        }
    return known[complication.record_id]


def way_to_events(request: HttpRequest, record: CrfRecord) -> str:
    """On a session, an adverse event, a death: the list; on an event, the session it is of."""
    if record.form_oid not in {SESSION, AdverseEvent.form_oid, Death.form_oid}:
        return ""
    address = reverse("outcomes:adverse_events", args=[record.subject_id])
    way = format_html('<a class="btn btn-quiet" href="{}">{}</a>', address, _("Adverse events"))
    if record.form_oid == Death.form_oid:
        return way + _ways_to_fatal(record)
    if record.form_oid != AdverseEvent.form_oid:
        return way
    way += _way_to_case(request, record)
    way += _way_to_death(request, record)
    way += _ways_to_medicines(record)
    origin = AdverseEventOrigin.objects.filter(record=record, session__isnull=False)
    session = origin.values_list("session_id", flat=True).first()
    if session is None:
        return way
    return way + format_html(
        '<a class="btn btn-quiet" href="{}">{}</a>',
        reverse("crf:record", args=[session]),
        _("The session"),
    )


def _link(address: str, words: object) -> SafeString:
    return format_html('<a class="btn btn-quiet" href="{}">{}</a>', address, words)


def _ways_to_fatal(record: CrfRecord) -> SafeString:
    """On a death: the events that were fatal."""
    fatal = stored(AdverseEvent).filter(
        subject=record.subject_id, record__voided_at=None, outcome=Outcome.FATAL
    )
    ways = SafeString("")
    for event in fatal.select_related("record").order_by("record__repeat_key"):
        words = _("Fatal: %(event)s") % {"event": event.term or event.record}
        ways += _link(reverse("crf:record", args=[event.record_id]), words)
    return ways


def _way_to_death(request: HttpRequest, record: CrfRecord) -> SafeString:
    """On a fatal event: the record of the death, or the way to begin it."""
    fatal = stored(AdverseEvent).filter(record=record.pk, outcome=Outcome.FATAL)
    if record.voided_at is not None or not fatal.exists():
        return SafeString("")
    death = death_record(record.subject)
    if death is not None:
        return _link(reverse("crf:record", args=[death.pk]), _("The death"))
    if not _may_enter(request, record):
        return SafeString("")
    return _link(
        reverse("outcomes:adverse_events", args=[record.subject_id]), _("Record the death")
    )


def _ways_to_medicines(record: CrfRecord) -> SafeString:
    """On an event: the medicines that were given for it."""
    numbers = stored(EventMedication).filter(record=record.pk, voided_at=None)
    found = stored(Medication).filter(
        record__subject=record.subject_id,
        record__voided_at=None,
        record__repeat_key__in=numbers.values("medication"),
    )
    ways = SafeString("")
    for given in found.select_related("record").order_by("record__repeat_key"):
        words = _("Medication %(number)d: %(name)s") % {
            "number": given.record.repeat_key,
            "name": given.treatment or "–",
        }
        ways += _link(reverse("crf:record", args=[given.record_id]), words)
    return ways


def way_from_medicine(request: HttpRequest, record: CrfRecord) -> str:  # noqa: ARG001
    """On a medication: the events for which it was given."""
    if record.form_oid != Medication.form_oid:
        return ""
    rows = stored(EventMedication).filter(
        subject=record.subject_id,
        medication=record.repeat_key,
        voided_at=None,
        record__voided_at=None,
    )
    events = stored(AdverseEvent).filter(record__in=rows.values("record"))
    ways = SafeString("")
    for event in events.order_by("record__repeat_key"):
        words = _("Given for: %(event)s") % {"event": event.term or "–"}
        ways += _link(reverse("crf:record", args=[event.record_id]), words)
    return ways


#: The forms whose pages lead back to the outcome of their subject.
_OF_OUTCOME = (SurvivalContact.form_oid, Transplantation.form_oid, Disposition.form_oid)


def way_to_outcome(request: HttpRequest, record: CrfRecord) -> str:
    """On a contact, a transplantation, an ending, a death: the outcome; what a contact told of."""
    if record.form_oid not in {*_OF_OUTCOME, Death.form_oid}:
        return ""
    address = reverse("outcomes:outcome", args=[record.subject_id])
    way = format_html('<a class="btn btn-quiet" href="{}">{}</a>', address, _("Outcome"))
    if record.form_oid != SurvivalContact.form_oid or not _may_enter(request, record):
        return way
    contact = contact_of(record)
    if contact is None or not (contact.transplanted_since or contact.status == SurvivalStatus.DEAD):
        return way
    context = {"record": record, "contact": contact, "dead": SurvivalStatus.DEAD}
    return way + render_to_string("outcomes/_told.html", context, request=request)


def _may_enter(request: HttpRequest, record: CrfRecord) -> bool:
    person = request.user
    return (
        isinstance(person, User)
        and record.voided_at is None
        and person.can(Capability.ENTER_DATA, site=record.site_id)
    )


def _way_to_case(request: HttpRequest, record: CrfRecord) -> SafeString:
    """On a serious event: its reporting, or how to report it."""
    seen = SaeCase.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    case = seen.filter(record=record).values_list("pk", flat=True).first()
    if case is None:
        return SafeString("")
    return format_html(
        '<a class="btn btn-quiet" href="{}">{}</a>',
        reverse("outcomes:sae_case", args=[case]),
        _("Safety report"),
    )


slots.fill(COMPLICATION_ACTIONS, event_of_complication)
slots.fill(RECORD_ACTIONS, way_to_events)
slots.fill(RECORD_ACTIONS, way_from_medicine)
slots.fill(RECORD_ACTIONS, way_to_outcome)
