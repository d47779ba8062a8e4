"""The datasets as a page: what one may export, and the addresses that give it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.exports import registry

#: Where the API stands (trialsite.urls); its addresses have no names.
API = "/api/v1/"


@dataclass(frozen=True, slots=True)
class Line:
    """One dataset with the addresses of its files."""

    name: str
    title: str | Promise
    columns: int
    href: str


@requires(Capability.EXPORT)
@require_safe
def datasets(request: StaffRequest) -> HttpResponse:
    """The datasets the person may export, each with its files."""
    user = request.user
    lines = [
        Line(each.name, each.title, len(each.columns), f"{API}datasets/{each.name}/")
        for each in registry.datasets().values()
        if user.can(each.needs)
    ]
    context = {
        "lines": lines,
        "sites": Site.objects.filter(pk__in=user.access.sites(Capability.EXPORT)),
        "codebook": f"{API}metadata/codebook.csv",
        "odm": f"{API}metadata/odm/",
    }
    return render(request, "dashboard/datasets.html", context)
