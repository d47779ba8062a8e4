"""allauth's forms where our lock-out, our languages or our rules differ."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.account.internal.userkit import filter_users_by_email
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trialsite.access.lockout import record_failure, refuse_if_locked_out
from trialsite.access.models import email_key
from trialsite.access.second_factor import verify_code

CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}


class _Code:
    """A code from the authenticator app or a recovery code; wrong ones count."""

    user: Any
    cleaned_data: dict[str, Any]
    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = forms.CharField(
            label=_("Code"),
            max_length=20,
            help_text=_("Six digits from your authenticator app, or a recovery code."),
            widget=forms.TextInput(attrs=CODE),
        )

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        self.authenticator = verify_code(user=self.user, code=code, request=context.request)
        return code


class SecondFactorForm(_Code, AuthenticateForm):  # type: ignore[misc]
    """The second step of signing in."""


class SecondFactorAgainForm(_Code, ReauthenticateForm):  # type: ignore[misc]
    """The second factor once more, before something that matters."""


#: What fido2 raises over an answer that no browser sends.
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


def _not_accepted() -> ValidationError:
    return ValidationError(_("This passkey was not accepted."), code="incorrect_code")


class _Passkey:
    """A passkey's answer; wrong ones count like wrong codes."""

    user: Any

    def clean_credential(self) -> Authenticator:
        refuse_if_locked_out(self.user.email, context.request)
        try:
            return super().clean_credential()  # type: ignore[misc]
        except (ValidationError, *MALFORMED) as error:
            record_failure(self.user.email, context.request)
            raise _not_accepted() from error


class PasskeyForm(_Passkey, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """The second step of signing in, by passkey."""


class PasskeyAgainForm(_Passkey, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey once more."""


class NewPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A passkey's first answer."""

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except MALFORMED as error:
            raise _not_accepted() from error
        return cleaned


class ForgottenPasswordForm(ResetPasswordForm):  # type: ignore[misc]
    """Only a person who has had a password can reset it; to everybody it looks the same."""

    def clean_email(self) -> str:
        email = email_key(self.cleaned_data["email"])
        found = filter_users_by_email(email, is_active=True, for_login=True)
        self.users = [user for user in found if user.has_usable_password()]
        return email
