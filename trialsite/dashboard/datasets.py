"""The datasets as a page: what one may export, and the addresses that give it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site, User
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


@dataclass(frozen=True, slots=True)
class Group:
    """The datasets of one area, as a part of the page with a place to jump to."""

    key: str
    title: str | Promise
    lines: list[Line]


#: Under which heading the page lists the datasets of which makers, in this order. The first
#: that is the beginning of the maker's name counts.
_AREAS: tuple[tuple[str, Promise, tuple[str, ...]], ...] = (
    (
        "casebook",
        gettext_lazy("Subjects, visits, records, audit trail"),
        ("trialsite.exports.casebook.spine", "trialsite.dashboard."),
    ),
    ("screening", gettext_lazy("Screening, consent, eligibility"), ("screening.",)),
    (
        "forms",
        gettext_lazy("Forms and their rows"),
        ("trialsite.exports.casebook.entered", "trialsite.exports.codings."),
    ),
    ("laboratory", gettext_lazy("Laboratory"), ("trialsite.labs.",)),
    ("treatment", gettext_lazy("Treatment and cell product"), ("visits.",)),
    ("outcomes", gettext_lazy("Outcomes and safety"), ("outcomes.",)),
    ("samples", gettext_lazy("Samples"), ("samples.",)),
    ("conduct", gettext_lazy("Conduct, signatures, reminders"), ("",)),
)


def _groups(user: User) -> list[Group]:
    """The datasets that are this person's to export, by area; an empty area is left out."""
    lines: dict[str, list[Line]] = {key: [] for key, _title, _makers in _AREAS}
    for maker, each in registry.made_by():
        if user.can(each.needs):
            line = Line(each.name, each.title, len(each.columns), f"{API}datasets/{each.name}/")
            lines[_area(maker)].append(line)
    return [Group(key, title, lines[key]) for key, title, _makers in _AREAS if lines[key]]


def _area(maker: str) -> str:
    return next(key for key, _title, starts in _AREAS if maker.startswith(starts))


@requires(Capability.EXPORT)
@require_safe
def datasets(request: StaffRequest) -> HttpResponse:
    """The datasets the person may export, each with its files."""
    user = request.user
    context = {
        "groups": _groups(user),
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
