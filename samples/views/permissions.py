"""Permissions to let human material leave the country."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.models import ExportPermission
from samples.selectors.shipping import permission_lines, plan_at
from samples.services.shipments import record_permission, revoke_permission
from samples.shipment_forms import PermissionForm
from samples.views.acting import GET_AND_POST, act_page, typed
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.core.exceptions import DomainError
from trialsite.protocol.samples import SamplePlan


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def permissions(request: StaffRequest) -> HttpResponse:
    """The export permissions of the person's sites, and what has gone under each."""
    context = {
        "shipping": True,
        "lines": permission_lines(request.user),
        "may_record": request.user.can(Capability.CONFIGURE_STUDY),
    }
    return render(request, "samples/permissions.html", context)


def _plan(sites: list[Site]) -> SamplePlan | None:
    """The kinds of specimens to choose from; none where no protocol is in force yet."""
    try:
        return plan_at(sites[0]) if sites else None
    except DomainError:
        return None


@requires(Capability.CONFIGURE_STUDY)
@require_http_methods(GET_AND_POST)
def record(request: StaffRequest) -> HttpResponse:
    """Record a permission as its paper says it."""
    own = request.user.access.sites(Capability.CONFIGURE_STUDY)
    sites = list(Site.objects.filter(pk__in=own, active=True).order_by("code"))
    form = PermissionForm(typed(request), sites=sites, plan=_plan(sites))
    return act_page(
        request,
        form=form,
        act=lambda: record_permission(by=request.user, **form.said),
        done=_("The permission is recorded."),
        heading=_("Record an export permission"),
        back=reverse("samples:permissions"),
    )


@requires(Capability.CONFIGURE_STUDY)
@require_http_methods(GET_AND_POST)
def revoke(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A permission counts no longer."""
    seen = ExportPermission.objects.visible_to(request.user, Capability.CONFIGURE_STUDY)
    found = get_object_or_404(seen.select_related("site"), pk=pk)
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: revoke_permission(
            by=request.user, permission=found, reason=form.cleaned_data["reason"]
        ),
        done=_("The permission counts no longer."),
        heading=_("It counts no longer"),
        back=reverse("samples:permissions"),
        facts=[(_("Export permission"), str(found)), (_("Site"), found.site)],
        danger=True,
    )
