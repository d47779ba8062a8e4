"""What samples put into the pages of the apps below."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from samples.selectors.plan import samples_of_visit
from samples.selectors.recall import samples_reached
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Visit
from trialsite.core import slots
from visits.selectors.products import LOT_RECALL, Recall
from visits.selectors.visits import VISIT_SAMPLES


def samples_on_visit(request: HttpRequest, visit: Visit) -> str:
    """On a visit: each kind of the sample plan with what there is of it, and the way there."""
    person, found = request.user, samples_of_visit(visit)
    if not found.kinds or not isinstance(person, User):
        return ""
    context = {
        "visit": visit,
        "samples": found,
        "may_handle": person.can(Capability.HANDLE_SAMPLES, site=visit.site_id),
    }
    return render_to_string("samples/_of_visit.html", context, request=request)


def samples_of_lot(request: HttpRequest, recall: Recall) -> str:
    """On the recall of a lot: the samples of who was treated with it, and where they are."""
    person = request.user
    if not isinstance(person, User) or not person.can(Capability.VIEW_CASEBOOK):
        return ""
    reached = samples_reached(recall, person)
    if not reached:
        return ""
    return render_to_string("samples/_of_lot.html", {"reached": reached}, request=request)


slots.fill(VISIT_SAMPLES, samples_on_visit)
slots.fill(LOT_RECALL, samples_of_lot)
