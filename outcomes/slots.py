"""What outcomes put into the pages of the apps below."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from outcomes.models import AdverseEventOrigin
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core import slots
from visits.models import Complication
from visits.models.session_rows import COMPLICATION_ACTIONS


def event_of_complication(request: HttpRequest, complication: Complication) -> str:
    """On a complication: its adverse event with the state, or the button that makes one."""
    origin = _origins(request, complication).get(complication.pk)
    context: dict[str, Any] = {"complication": complication, "origin": origin}
    if origin is None and not _may_make(request, complication):
        return ""
    return render_to_string("outcomes/_of_complication.html", context, request=request)


def _may_make(request: HttpRequest, complication: Complication) -> bool:
    person = request.user
    return (
        isinstance(person, User)
        and complication.stands
        and person.can(Capability.ENTER_DATA, site=complication.site_id)
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


slots.fill(COMPLICATION_ACTIONS, event_of_complication)
