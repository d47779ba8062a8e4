"""What everybody does with their own account."""

from __future__ import annotations

import time

from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.context import context_of
from trialsite.access.credentials import invitation_of, take_invitation
from trialsite.access.forms import NewPasswordForm, UnlockForm
from trialsite.access.http import (
    StaffRequest,
    open_behind_lock,
    open_to_anyone,
    open_to_staff,
)
from trialsite.access.lockout import record_success
from trialsite.access.models import Invitation, User
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import TransitionError

BACKEND = settings.AUTHENTICATION_BACKENDS[0]


def local_next(request: HttpRequest) -> str:
    """Where to go on to: a page of this server, else Today."""
    target: str = request.POST.get("next") or request.GET.get("next") or ""
    if target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        return target
    return reverse("dashboard:today")


@open_to_staff
@require_safe
def profile(request: StaffRequest) -> HttpResponse:
    """The person's own roles, training and means of signing in."""
    user = request.user
    return render(
        request,
        "access/profile.html",
        {
            "memberships": user.memberships.select_related("site").order_by("-valid_from"),
            "trainings": user.trainings.order_by("-trained_on"),
        },
    )


@open_to_anyone
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language, here and for the person, and return to the same page."""
    chosen = request.POST.get("language", "")
    response = redirect(local_next(request))
    if chosen not in dict(settings.LANGUAGES):
        return response
    if isinstance(request.user, User) and request.user.language != chosen:
        request.user.language = chosen
        request.user.save(update_fields=["language"])
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        chosen,
        max_age=365 * 24 * 3600,
        httponly=True,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        samesite="Lax",
    )
    return response


@open_behind_lock
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def unlock(request: StaffRequest) -> HttpResponse:
    """Open a session that has idled: the same person, the same page, the password."""
    if not request.session.get("locked"):
        return redirect(local_next(request))
    form = UnlockForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        request.session.pop("locked")
        request.session["seen_at"] = int(time.time())
        note_act("unlocked")
        return redirect(local_next(request))
    return render(request, "access/unlock.html", {"form": form, "next": local_next(request)})


@open_to_anyone
@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, signed: str) -> HttpResponse:
    """Take an invitation: a password of one's own, then the second factor."""
    found = invitation_of(signed)
    if found is None:
        return render(request, "access/invitation_closed.html")
    with translation.override(_language_for(request, found.user)):
        form = NewPasswordForm(request.POST or None, user=found.user)
        if request.method == "POST" and form.is_valid():
            try:
                return _take(request, found, form.cleaned_data["password1"])
            except TransitionError:
                return render(request, "access/invitation_closed.html")
        return render(request, "access/invitation.html", {"form": form, "person": found.user})


def _language_for(request: HttpRequest, user: User) -> str | None:
    """The language chosen on this device, else the invited person's own."""
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
        return translation.get_language()
    return user.language


def _take(request: HttpRequest, found: Invitation, password: str) -> HttpResponse:
    with acting(context_of(found.user, Channel.UI)):
        user = take_invitation(invitation=found, password=password)
        login(request, user, backend=BACKEND)
        record_authentication(request, user, method="password", reauthenticated=True)
        record_success(user, request)
    return redirect("mfa_activate_totp")
