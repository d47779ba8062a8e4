"""What samples put into the pages of the apps below."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from samples.selectors.plan import samples_of_visit
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Visit
from trialsite.core import slots
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


slots.fill(VISIT_SAMPLES, samples_on_visit)
