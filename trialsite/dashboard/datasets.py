"""The datasets as a page: what one may export, and the addresses that give it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.views.decorators.http import require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.core.exceptions import DomainError
from trialsite.exports import registry
from trialsite.exports.packages import packages_of, request_package

#: Where the API stands (trialsite.urls); its addresses have no names.
API = "/api/v1/"
#: How many packages the page tells of; the API tells of all.
_SHOWN = 10


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
        "packages": packages_of(user)[:_SHOWN],
        "packages_at": f"{API}packages/",
    }
    return render(request, "dashboard/datasets.html", context)


@requires(Capability.EXPORT)
@require_POST
def package(request: StaffRequest) -> HttpResponse:
    """Ask for an archive of everything; it is made in the background."""
    try:
        request_package(by=request.user)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("dashboard:datasets")
