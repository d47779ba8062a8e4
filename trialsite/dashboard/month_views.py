"""The month of a site as a page."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.dashboard.month import Kind, first_of, month_of
from trialsite.dashboard.shell import shell_of


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def calendar(request: StaffRequest) -> HttpResponse:
    """One site's visits, windows and sessions by day, for the month asked for."""
    frame = shell_of(request)
    own = request.user.access.sites(Capability.VIEW_CASEBOOK)
    sites = [site for site in frame.sites if site.pk in own]
    if not sites:
        raise Http404
    asked = request.GET.get("site", "")
    chosen = next((site for site in sites if site.code == asked), None)
    site = chosen or (frame.site if frame.site in sites else sites[0])
    now = frame.now
    first = first_of(request.GET.get("month", ""), today=now.date())
    context = {
        "site": site,
        "sites": sites,
        "month": month_of(request.user, site, first, now=now),
        "kinds": Kind,
    }
    return render(request, "dashboard/calendar.html", context)
