"""Sites: where the trial takes place, and on whose clock."""

from __future__ import annotations

import zoneinfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from trialsite.access import services
from trialsite.access.capabilities import Capability
from trialsite.access.forms import SiteForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site, User

manages_people = requires(Capability.MANAGE_PEOPLE)


def _visible(by: User) -> list[Site]:
    if by.access.study_wide(Capability.MANAGE_PEOPLE):
        return list(Site.objects.all())
    return list(Site.objects.filter(pk__in=by.access.sites(Capability.MANAGE_PEOPLE)))


def _zones() -> list[str]:
    return sorted(name for name in zoneinfo.available_timezones() if "/" in name)


@manages_people
@require_safe
def sites(request: StaffRequest) -> HttpResponse:
    """Every site the person manages."""
    return render(
        request,
        "access/sites.html",
        {
            "sites": _visible(request.user),
            "may_add": request.user.access.study_wide(Capability.MANAGE_PEOPLE),
        },
    )


@manages_people
@require_http_methods(["GET", "POST"])
def add(request: StaffRequest) -> HttpResponse:
    """Open a site."""
    form = SiteForm(request.POST or None, initial={"time_zone": "Asia/Shanghai", "active": True})
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        fields.pop("active")
        site = services.add_site(by=request.user, **fields)
        messages.success(request, _("Site %(code)s is open.") % {"code": site.code})
        return redirect("access:sites")
    return render(request, "access/site.html", {"form": form, "zones": _zones()})


@manages_people
@require_http_methods(["GET", "POST"])
def change(request: StaffRequest, pk: int) -> HttpResponse:
    """Correct a site's names, time zone or state."""
    visible = {site.pk for site in _visible(request.user)}
    site = get_object_or_404(Site, pk=pk, pk__in=visible)
    form = SiteForm(request.POST or None, instance=site)
    if request.method == "POST" and form.is_valid():
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        try:
            services.change_site(by=request.user, site=site, **fields)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Site %(code)s is saved.") % {"code": site.code})
            return redirect("access:sites")
    return render(request, "access/site.html", {"form": form, "site": site, "zones": _zones()})
