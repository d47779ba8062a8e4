"""What a person chooses for the pages themselves: the site the lists show, the colours."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from trialsite.access.http import SITE_KEY, StaffRequest, open_to_anyone, open_to_staff
from trialsite.dashboard.shell import THEME_COOKIE, THEMES, own_sites

_YEAR = 365 * 24 * 3600


def _back(request: HttpRequest) -> HttpResponse:
    """To the page the choice was made on, if it is one of ours."""
    target = request.POST.get("next", "")
    own = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(target if own else reverse("dashboard:today"))


@open_to_staff
@require_POST
def choose_site(request: StaffRequest) -> HttpResponse:
    """Lists show one of the person's own sites from now on, or all of them."""
    chosen = request.POST.get("site", "")
    own = {str(site.pk): site.pk for site in own_sites(request.user)}
    if chosen in own:
        request.session[SITE_KEY] = own[chosen]
    else:
        request.session.pop(SITE_KEY, None)
    return _back(request)


@open_to_anyone
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Light, dark, or as the device; kept on the device, since rooms differ more than people."""
    theme = request.POST.get("theme", "")
    response = _back(request)
    response.set_cookie(
        THEME_COOKIE,
        theme if theme in THEMES else "auto",
        max_age=_YEAR,
        httponly=True,
        samesite="Lax",
        secure=bool(settings.SESSION_COOKIE_SECURE),
    )
    return response
