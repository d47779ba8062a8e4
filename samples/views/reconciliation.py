"""Expected against collected at one site, as a page and as a file."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from samples.selectors.reconciliation import reconcile, reconciliation_csv, visits_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site

#: Visits on a page.
PAGE = 25


def _sites(request: StaffRequest) -> list[Site]:
    own = request.user.access.sites(Capability.VIEW_CASEBOOK)
    return list(Site.objects.filter(pk__in=own).order_by("code"))


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def of_site(request: StaffRequest) -> HttpResponse:
    """The visits of a site that took place, with each planned kind; the latest visit first."""
    sites = _sites(request)
    asked = request.GET.get("site", "")
    chosen = next((each for each in sites if each.code == asked), sites[0] if sites else None)
    if chosen is None:
        raise Http404
    page = Paginator(visits_of(request.user, chosen), PAGE).get_page(request.GET.get("page"))
    context = {
        "sites": sites,
        "chosen": chosen,
        "page": page,
        "lines": reconcile(page.object_list),
        "reconciliation_tab": True,
        "may_handle": request.user.can(Capability.HANDLE_SAMPLES, site=chosen.pk),
    }
    return render(request, "samples/reconciliation.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def as_file(request: StaffRequest, code: str) -> HttpResponse:
    """The whole list of one site as CSV."""
    site = next((each for each in _sites(request) if each.code == code), None)
    if site is None:
        raise Http404
    content = reconciliation_csv(request.user, site)
    answer = HttpResponse(content, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="samples-{site.code}.csv"'
    return answer
