"""The adverse events of a person's sites on one page."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from outcomes.event_datasets import NAME
from outcomes.event_forms import EventFilter
from outcomes.models import CTCAE_VERSION
from outcomes.selectors.events import all_events, lines_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site

PAGE = 50
EXPORT = f"/api/v1/datasets/{NAME}/?format=csv"


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def events(request: StaffRequest) -> HttpResponse:
    """Every adverse event the person may see, narrowed by what is asked."""
    mine = request.user.access.sites(Capability.VIEW_CASEBOOK)
    asked = EventFilter(request.GET, sites=Site.objects.filter(pk__in=mine).order_by("code"))
    records = asked.narrow(all_events(request.user))
    page = Paginator(records, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": lines_of(list(page.object_list)),
        "filter": asked,
        "narrowed": any(asked.cleaned_data.values()),
        "ctcae": CTCAE_VERSION,
        "many": True,
        "export": EXPORT if request.user.can(Capability.EXPORT) else "",
    }
    return render(request, "outcomes/events.html", context)
