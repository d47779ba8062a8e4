"""The path of a request: language, session limits, policy, and the database's context."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.reauthentication import suspend_request
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from trialsite.access.api_tokens import bearer_of, mark_used, note_use, token_of
from trialsite.access.context import context_of
from trialsite.access.errors import refusal
from trialsite.access.http import Audience, Policy, policy_of, reads_one_moment
from trialsite.access.keeping import kept
from trialsite.access.models import ApiToken, User
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, Context, acting
from trialsite.core.exceptions import NotPermittedError

#: Methods that change nothing (RFC 9110 9.2.1).
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

GetResponse = Callable[[HttpRequest], HttpResponse]


class PersonLanguage(LocaleMiddleware):
    """The language switched to on this device, else the person's own, else the browser's."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        chosen = settings.LANGUAGE_COOKIE_NAME in request.COOKIES
        if not chosen and isinstance(request.user, User):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()


def _looks_on(request: HttpRequest) -> bool:
    """Whether a page asks by itself, without anybody there: no sign of a person."""
    return request.headers.get("X-Looking-On") == "1"


class ApiTokens:
    """A program shows its key instead of a session; whatever session it also sends is nobody's.

    Behind it stand the same policies and the same row-level security as before a person.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.api_token = None  # type: ignore[attr-defined]
        shown = request.headers.get("Authorization", "")
        if shown and request.path.startswith("/api/"):
            token = token_of(shown)
            request.session = SessionStore()
            request.user = bearer_of(token) if token else AnonymousUser()
            request.api_token = token  # type: ignore[attr-defined]
        return self.get_response(request)


class SessionLimits:
    """Idle sessions are locked, not ended; after the absolute limit they end.

    NIST SP 800-63B-4, decisions P4: what was typed is a draft on the server already, and
    the same person opens the same page again with the password.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.api_token is None:  # type: ignore[attr-defined]
            now = int(time.time())
            started = request.session.setdefault("started_at", now)
            seen = request.session.setdefault("seen_at", now)
            if now - started > settings.ABSOLUTE_SESSION_SECONDS:
                logout(request)
            elif now - seen > settings.IDLE_LOCK_SECONDS:
                request.session["locked"] = True
            elif now - seen > 30 and not request.session.get("locked") and not _looks_on(request):
                request.session["seen_at"] = now
        return self.get_response(request)


class Guardrail:
    """No view runs without a policy, and none outside its person's database context.

    The transaction is the view's: an exception or an error answer rolls it back, so
    nothing is half-written (decisions D1). Refusals are noted after that, in their own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4()  # type: ignore[attr-defined]
        response = self.get_response(request)
        if request.user.is_authenticated:
            add_never_cache_headers(response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase:
        policy = policy_of(view, request.method or "GET")
        turned_away = self._turn_away(request, policy)
        if turned_away is not None:
            return turned_away
        return self._run(request, view, args, kwargs)

    def _turn_away(self, request: HttpRequest, policy: Policy | None) -> HttpResponseBase | None:
        if policy is None:
            self._note(request, "refused", {"why": "no policy"})
            return refusal(request, 403)
        if policy.audience is Audience.ANYONE:
            return None
        if isinstance(request.user, AnonymousUser):
            return refusal(request, 401)
        if request.session.get("locked") and policy.audience is not Audience.LOCKED:
            return refusal(request, 423)
        if policy.audience is Audience.STAFF and not request.user.has_second_factor:
            return self._to_enrolment(request)
        token = request.api_token  # type: ignore[attr-defined]
        if token is not None and token.read_only and request.method not in SAFE:
            return refusal(request, 403, _("This token may only read."))
        if not policy.admits(request.user):
            self._note(request, "refused", {"capability": str(policy.capability)})
            return refusal(request, 403)
        return None

    def _to_enrolment(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith("/api/"):
            return refusal(request, 403)
        return redirect(reverse("mfa_activate_totp"))

    def _run(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase:
        try:
            response = self._answer(request, view, args, kwargs)
        except (NotPermittedError, PermissionDenied) as error:
            self._note(request, "refused", {"why": str(error)})
            response = refusal(request, 403, str(error))
        except Http404:
            self._note(request, "not_found")
            response = refusal(request, 404)
        except ReauthenticationRequired:
            suspended: HttpResponseBase = suspend_request(
                request, reverse("account_reauthenticate")
            )
            return suspended
        except Exception:
            self._remember(request)
            raise
        if response.status_code >= 400:
            self._remember(request)
        return response

    def _answer(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase:
        """The view's answer, from within its person's context and transaction."""
        token = request.api_token  # type: ignore[attr-defined]
        if token is not None:
            self._mark_used(request, token)
        with acting(self._context(request), one_moment=reads_one_moment(view)):
            if token is not None and request.method not in SAFE:
                note_use(token)
            try:
                response: HttpResponseBase = view(request, *args, **kwargs)
            except ImmediateHttpResponse as immediate:
                response = immediate.response
            if callable(getattr(response, "render", None)):
                response = response.render()  # type: ignore[attr-defined]
            if response.status_code >= 400:
                transaction.set_rollback(True)
        if response.status_code in {403, 404} and request.user.is_authenticated:
            self._note(request, "refused" if response.status_code == 403 else "not_found")
        return response

    def _mark_used(self, request: HttpRequest, token: ApiToken) -> None:
        """In a transaction of its own: two that read one moment must not meet at this row."""
        if token.last_used_on != timezone.now().date():
            with acting(self._context(request)):
                mark_used(token)

    def _context(self, request: HttpRequest) -> Context:
        return context_of(
            request.user,
            Channel.API if request.path.startswith("/api/") else Channel.UI,
            request_id=request.request_id,  # type: ignore[attr-defined]
        )

    def _remember(self, request: HttpRequest) -> None:
        """Failed sign-ins and the like outlive the transaction in which they happened."""
        if kept(request):
            with acting(self._context(request)):
                for act in kept(request):
                    act()

    def _note(self, request: HttpRequest, act: str, details: dict[str, str] | None = None) -> None:
        with acting(self._context(request)):
            note_act(
                act, details={"path": request.path, "method": request.method, **(details or {})}
            )
