"""Identifiers of an entry: masked, corrected, shown after a reason, found, erased.

Identifiers come in by POST only and go out in the body of one answer that nobody keeps.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from screening.identity import FIELDS
from screening.identity_words import LABELS, fields_in_words, identity_context, lines_of
from screening.models import ScreeningEntry
from screening.services.identity import (
    IdentityError,
    UnknownIdentityError,
    ask_for_identity,
    check_identity,
    erase_identity,
    find_by_identifier,
    keep_identity,
    likely_duplicates,
    masked_identities,
    reveal_identity,
)
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import User
from trialsite.core.exceptions import TransitionError


def _entry(request: StaffRequest, entry_id: uuid.UUID) -> ScreeningEntry:
    mine = ScreeningEntry.objects.visible_to(request.user, Capability.VIEW_IDENTITY)
    return get_object_or_404(mine.select_related("site"), pk=entry_id)


@requires(Capability.VIEW_IDENTITY)
@sensitive_post_parameters()
def identity(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """The identifiers of an entry, masked; a POST keeps or corrects them."""
    entry = _entry(request, entry_id)
    if request.method == "POST":
        return _keep(request, entry)
    return _page(request, entry)


@sensitive_variables()
def _page(
    request: StaffRequest,
    entry: ScreeningEntry,
    *,
    status: int = 200,
    errors: dict[str, list[str]] | None = None,
    **shown: Any,
) -> HttpResponse:
    context = identity_context(entry, request.user)
    typed = _typed(request) if shown.pop("keeping", False) else {}
    context |= {
        "entry": entry,
        "lines": lines_of(context["identity"], typed, errors),
        "typed": typed,
        "reason_errors": (errors or {}).get("reason", []),
        "other_errors": (errors or {}).get("removing", []),
        **shown,
    }
    return render(request, "screening/identity.html", context, status=status)


@sensitive_variables()
def _typed(request: StaffRequest) -> dict[str, Any]:
    typed: dict[str, Any] = {name: request.POST.get(name, "") for name in (*FIELDS, "reason")}
    return typed | {"removing": [each for each in request.POST.getlist("remove") if each]}


@sensitive_variables()
def _keep(request: StaffRequest, entry: ScreeningEntry) -> HttpResponse:
    typed = _typed(request)
    said = {name: typed[name] for name in FIELDS}
    try:
        check_identity(entry_id=entry.pk, by=request.user, **_rest(typed), **said)
        if not request.POST.get("confirmed"):
            found = likely_duplicates(
                site=entry.site_id, by=request.user, apart_from=entry.pk, **said
            )
            if found:
                # Nothing is refused: the answer stays 200, so that the search stays in the trail.
                return _page(request, entry, keeping=True, duplicates=_matches(request.user, found))
        keep_identity(
            entry_id=entry.pk, site=entry.site_id, by=request.user, **_rest(typed), **said
        )
    except IdentityError as refused:
        return _page(request, entry, status=422, keeping=True, errors=refused.errors)
    except TransitionError as refused:
        return _page(request, entry, status=409, keeping=True, refusal=str(refused))
    messages.success(request, _("The identifiers are kept."))
    return redirect("screening:identity", entry.pk)


def _rest(typed: dict[str, Any]) -> dict[str, Any]:
    return {"reason": typed["reason"], "removing": typed["removing"]}


def _matches(user: User, found: dict[uuid.UUID, tuple[str, ...]]) -> list[dict[str, Any]]:
    """The entries found, by number, with what agrees and their masks."""
    entries = ScreeningEntry.objects.visible_to(user, Capability.VIEW_IDENTITY)
    masked = masked_identities(found, by=user)
    words = fields_in_words(found)
    return [
        {
            "entry": entry,
            "agrees": words[entry.pk],
            "lines": lines_of(masked.get(entry.pk)),
        }
        for entry in entries.filter(pk__in=found).order_by("site__code", "number")
    ]


@requires(Capability.VIEW_IDENTITY)
@require_POST
def ask(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Say why the identifiers must be seen; they are on the page this leads to."""
    entry = _entry(request, entry_id)
    reason = request.POST.get("reason", "")
    return _act(
        request,
        entry,
        lambda: redirect(
            "screening:identity_shown",
            ask_for_identity(entry_id=entry.pk, reason=reason, by=request.user),
        ),
        where="show",
    )


@requires(Capability.VIEW_IDENTITY)
@require_POST
def erase(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Destroy the identifiers of an entry, at the person's own request."""
    entry = _entry(request, entry_id)

    def erased() -> HttpResponse:
        erase_identity(entry_id=entry.pk, reason=request.POST.get("reason", ""), by=request.user)
        messages.success(request, _("The identifiers are erased."))
        return redirect("screening:identity", entry.pk)

    return _act(request, entry, erased, where="erase")


def _act(
    request: StaffRequest, entry: ScreeningEntry, act: Callable[[], HttpResponse], *, where: str
) -> HttpResponse:
    """An act that needs a reason; a refusal stands beside it, with what was typed."""
    try:
        return act()
    except IdentityError as refused:
        told: dict[str, Any] = {
            f"{where}_errors": refused.errors["reason"],
            f"{where}_reason": _reason(request),
        }
        return _page(request, entry, status=422, **told)
    except TransitionError as refused:
        return _page(request, entry, status=409, refusal=str(refused))
    except UnknownIdentityError as unknown:
        raise Http404 from unknown


def _reason(request: StaffRequest) -> str:
    return request.POST.get("reason", "")


@requires(Capability.VIEW_IDENTITY)
@require_safe
@never_cache
@sensitive_variables()
def shown(request: StaffRequest, disclosure_id: uuid.UUID) -> HttpResponse:
    """The identifiers in plain text: once, soon after the reason was given."""
    try:
        told = reveal_identity(disclosure=disclosure_id, by=request.user)
    except UnknownIdentityError as unknown:
        raise Http404 from unknown
    except TransitionError as refused:
        told_why = {"refusal": str(refused)}
        return render(request, "screening/identity_shown.html", told_why, status=409)
    people = User.objects.in_bulk({each.kept_by for each in told.earlier})
    context = {
        "entry": _entry(request, told.entry_id),
        "standing": [(LABELS[name], each.text) for name, each in told.standing.items()],
        "earlier": [(LABELS[each.field], each, people.get(each.kept_by)) for each in told.earlier],
    }
    return render(request, "screening/identity_shown.html", context)


@requires(Capability.VIEW_IDENTITY)
@sensitive_post_parameters()
@sensitive_variables()
def search(request: StaffRequest) -> HttpResponse:
    """Find entries by a whole name, phone or hospital number; by POST, never in an address."""
    sought = request.POST.get("text", "").strip() if request.method == "POST" else ""
    matches = []
    if sought:
        matches = _matches(request.user, find_by_identifier(text=sought, by=request.user))
    context = {"sought": bool(sought), "matches": matches}
    return render(request, "screening/identity_search.html", context)
