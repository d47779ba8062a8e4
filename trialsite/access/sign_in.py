"""allauth's views, picked one by one: each under its policy, none that signs up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account import views as account
from allauth.account.decorators import reauthentication_required
from allauth.mfa.adapter import get_adapter as mfa_adapter
from allauth.mfa.base import views as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.generic import FormView

from trialsite.access.http import open_to_anyone, open_to_staff, open_while_enrolling
from trialsite.access.models import User

View = Callable[..., HttpResponseBase]


def keep_session(request: HttpRequest) -> None:
    """This session goes on, under a new key, after a change that ends all others."""
    update_session_auth_hash(request, User.objects.get(email=request.user.get_username()))


class LogoutView(account.LogoutView):  # type: ignore[misc]
    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(*args, **kwargs)
        response["Clear-Site-Data"] = '"cache"'
        return response


class ActivateTOTPView(totp.ActivateTOTPView):  # type: ignore[misc]
    """The first factor ends every other session: they were begun without one."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        keep_session(self.request)
        return response


class ReplaceTOTPView(ActivateTOTPView):
    """A new phone: the new app's first code puts the old app out of use."""

    template_name = "mfa/totp/replace_form.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not Authenticator.objects.filter(user=request.user, type="totp").exists():
            return HttpResponseRedirect(reverse("mfa_activate_totp"))
        return self._dispatch(request, *args, **kwargs)

    @method_decorator(reauthentication_required(app="allauth.mfa"))
    def _dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """allauth's own would send whoever has an app already to switching it off."""
        return FormView.dispatch(self, request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        for old in Authenticator.objects.filter(user=self.request.user, type="totp"):
            old.delete()
        return super().form_valid(form)


class AddPasskeyView(webauthn.AddWebAuthnView):  # type: ignore[misc]
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        keep_session(self.request)
        return response


class RemovePasskeyView(webauthn.RemoveWebAuthnView):  # type: ignore[misc]
    """The last factor is replaced, never merely removed."""

    def form_valid(self, form: Any) -> HttpResponse:
        if not mfa_adapter().can_delete_authenticator(self.get_object()):
            messages.error(
                self.request, _("This is your only second factor. Add another one first.")
            )
            return HttpResponseRedirect(reverse("mfa_index"))
        response: HttpResponse = super().form_valid(form)
        return response


def _for(policy: Callable[[View], View], view: View) -> View:
    """A view of another package under a policy of ours, without touching the original."""

    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    wrapped.__name__ = getattr(view, "__name__", "view")
    wrapped.csrf_exempt = getattr(view, "csrf_exempt", False)  # type: ignore[attr-defined]
    return policy(wrapped)


def anyone(view: View) -> View:
    return _for(open_to_anyone, view)


def enrolling(view: View) -> View:
    return _for(open_while_enrolling, view)


def staff(view: View) -> View:
    return _for(open_to_staff, view)


login = anyone(account.login)
logout = anyone(LogoutView.as_view())
reset = anyone(account.password_reset)
reset_sent = anyone(account.password_reset_done)
reset_from_key = anyone(account.password_reset_from_key)
reset_done = anyone(account.password_reset_from_key_done)
second_factor = anyone(mfa.authenticate)

reauthenticate = enrolling(account.reauthenticate)
activate_totp = enrolling(ActivateTOTPView.as_view())
add_passkey = enrolling(AddPasskeyView.as_view())

change_password = staff(account.password_change)
second_factor_again = staff(mfa.reauthenticate)
factors = staff(mfa.index)
deactivate_totp = staff(totp.deactivate_totp)
replace_totp = staff(ReplaceTOTPView.as_view())
recovery_codes = staff(recovery.view_recovery_codes)
generate_recovery_codes = staff(recovery.generate_recovery_codes)
passkeys = staff(webauthn.list_webauthn)
edit_passkey = staff(webauthn.edit_webauthn)
remove_passkey = staff(RemovePasskeyView.as_view())
passkey_again = staff(webauthn.reauthenticate_webauthn)
