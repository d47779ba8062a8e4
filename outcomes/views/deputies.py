"""Who stands in for whom with the reports of a site."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from outcomes.models import Deputy
from outcomes.sae_forms import DeputyForm
from outcomes.selectors.people import holders_at
from outcomes.services.deputies import end_deputy, name_deputy
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site, User
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError


def _may(request: StaffRequest, site: Site) -> bool:
    user = request.user
    return user.can(Capability.MANAGE_SAFETY, site=site) or user.can(
        Capability.SIGN_FORM, site=site
    )


@requires(Capability.VIEW_SAFETY)
@require_http_methods(["GET", "HEAD", "POST"])
def deputies(request: StaffRequest) -> HttpResponse:
    """The deputies of a site; an investigator or the safety officer names one."""
    seen = Site.objects.filter(pk__in=request.user.access.sites(Capability.VIEW_SAFETY))
    sites = list(seen.order_by("code"))
    asked = request.POST.get("site") or request.GET.get("site", "")
    site = next((each for each in sites if each.code == asked), sites[0] if sites else None)
    form, today = None, None
    if site is not None and _may(request, site):
        today = trial_today(site.time_zone)
        form = DeputyForm(
            request.POST if request.method == "POST" else None,
            people=holders_at(site, Capability.SIGN_FORM),
            deputies=holders_at(site, Capability.REPORT_SAE),
            initial={"first_day": today},
        )
        if request.method == "POST" and form.is_valid() and _named(request, form, site):
            messages.success(request, _("The deputy is named and will be reminded too."))
            return redirect(f"{request.path}?site={site.code}")
    rows = Deputy.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    context = {
        "sites": sites,
        "may_reconcile": request.user.access.study_wide(Capability.MANAGE_SAFETY),
        "site": site,
        "form": form,
        "today": today or (trial_today(site.time_zone) if site else None),
        "deputies": rows.filter(site=site)
        .select_related("person", "deputy", "named_by")
        .order_by("-first_day", "-named_at"),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "outcomes/deputies.html", context, status=status)


def _named(request: StaffRequest, form: DeputyForm, site: Site) -> Deputy | None:
    data = form.cleaned_data
    people = User.objects.in_bulk([int(data["person"]), int(data["deputy"])])
    try:
        return name_deputy(
            site=site,
            person=people[int(data["person"])],
            deputy=people[int(data["deputy"])],
            first_day=data["first_day"],
            last_day=data["last_day"],
            reason=data["reason"],
            by=request.user,
        )
    except NotPermittedError:
        raise
    except DomainError as refused:
        form.add_error(None, str(refused))
    return None


@requires(Capability.VIEW_SAFETY)
@require_POST
def end(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """End a deputy's time early."""
    rows = Deputy.objects.visible_to(request.user, Capability.VIEW_SAFETY)
    found = get_object_or_404(rows.select_related("site"), pk=pk)
    try:
        end_deputy(deputy=found, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
    return redirect(f"{reverse('outcomes:deputies')}?site={found.site.code}")
