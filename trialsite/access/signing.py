"""Signing: the person proves at that very moment who they are, with both factors.

21 CFR 11.200(a)(1), trust ES1 and ES6: an open session signs nothing. The password and a
code are asked for each time, wrong ones count to the lock-out, and a code is spent even
where the act it was typed for is then refused.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from allauth.mfa.models import Authenticator
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.access.keeping import kept
from trialsite.access.lockout import record_failure, refuse_if_locked_out
from trialsite.access.models import Site, User
from trialsite.access.second_factor import spend_again, verify_code
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError

#: How long a proof may be used: the one act, or the one batch, it was given for.
FRESH = dt.timedelta(minutes=5)

#: What the trail calls a signing whose password or code was wrong.
FAILED = "signing_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningProof:
    """That a person has just now shown both factors; worth nothing for anybody else.

    Requests get one from `prove`. Tests and the demonstration make one themselves, with
    the method "command".
    """

    user_id: int
    at: dt.datetime
    method: str

    def expect(self, by: User) -> None:
        """Raise NotPermittedError where this proof is another person's, or no longer fresh."""
        if self.user_id != by.pk:
            raise NotPermittedError(_("Everybody signs with their own password and code."))
        if not dt.timedelta(0) <= timezone.now() - self.at <= FRESH:
            raise NotPermittedError(_("Give your password and a code once more to sign."))


class SigningRefusedError(DomainError):
    """The factors were not accepted; `errors` says at which field and why."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


@sensitive_variables("password", "code")
def prove(request: HttpRequest, *, password: str, code: str) -> SigningProof:
    """Check both factors of the person of this request, now; failures count and are noted."""
    # The API's request wraps Django's, and only Django's remembers beyond a rollback.
    request = getattr(request, "_request", request)
    user = request.user
    if not isinstance(user, User):
        raise NotPermittedError(_("Please sign in"))
    missing = {
        name: [_("Enter it once more to sign.")]
        for name, text in (("password", password), ("code", code))
        if not text
    }
    if missing:
        raise SigningRefusedError(missing)
    _check_password(request, user, password)
    return SigningProof(user_id=user.pk, at=timezone.now(), method=_check_code(request, user, code))


@sensitive_variables("password")
def _check_password(request: HttpRequest, user: User, password: str) -> None:
    try:
        refuse_if_locked_out(user.email, request)
    except ValidationError as locked:
        raise SigningRefusedError({"password": list(locked.messages)}) from locked
    known = User.objects.get(pk=user.pk)
    if not (known.is_active and known.check_password(password)):
        record_failure(user.email, request, act=FAILED)
        raise SigningRefusedError({"password": [_("Incorrect password.")]})


@sensitive_variables("code")
def _check_code(request: HttpRequest, user: User, code: str) -> str:
    """The kind of factor that the code has proved; it is spent whatever becomes of the act."""
    typed = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN)
    if not typed.exists():
        raise SigningRefusedError(
            {"code": [_("Signing needs an authenticator app. Add one to your account first.")]}
        )
    try:
        factor = verify_code(user=user, code=code, request=request, act=FAILED)
    except ValidationError as refused:
        raise SigningRefusedError({"code": list(refused.messages)}) from refused
    key, data = factor.pk, Authenticator.objects.get(pk=factor.pk).data
    kept(request).append(lambda: spend_again(key, data))
    return str(factor.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person reads before signing: the meaning, their printed name, the moment."""

    meaning: str | Promise
    printed_name: str
    at: dt.datetime
    zone: str

    @property
    def local(self) -> dt.datetime:
        """The moment on the clock of the site."""
        return self.at.astimezone(ZoneInfo(self.zone))


def statement(*, by: User, meaning: str | Promise, site: Site | None = None) -> Statement:
    """The manifestation of a signature as it would be made now (21 CFR 11.50)."""
    return Statement(
        meaning=meaning, printed_name=by.full_name, at=trial_now(), zone=zone_of(by, site)
    )


def zone_of(by: User, site: Site | None) -> str:
    """The site's time zone; for an act of the whole study, that of the person's first site."""
    if site is not None:
        return site.time_zone
    first = Site.objects.filter(pk__in=by.access.sites()).order_by("code").first()
    return first.time_zone if first else "UTC"


class SigningForm(forms.Form):
    """Password and code for one signature; a form that asks for more adds its own fields.

    The factors are tried only when everything else is right, so that a forgotten reason
    does not cost a code. After `is_valid()` the proof stands in `proof`.
    """

    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        help_text=gettext_lazy("Six digits from your authenticator app, or a recovery code."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    proof: SigningProof

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request
        factors = ("password", "code")
        self.order_fields([*(name for name in self.fields if name not in factors), *factors])

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """The fields of the act itself, above the signature."""
        return [bound for bound in self.visible_fields() if bound.name not in {"password", "code"}]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if not self.errors:
            self._prove(cleaned)
        return cleaned

    def _prove(self, cleaned: dict[str, Any]) -> None:
        try:
            self.proof = prove(self._request, password=cleaned["password"], code=cleaned["code"])
        except SigningRefusedError as refused:
            for name, texts in refused.errors.items():
                for text in texts:
                    self.add_error(name, text)


class SigningBody(Body):
    """What a request must hold for its person to sign; neither is ever stored or logged."""

    password = serializers.CharField(max_length=128, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        max_length=20, write_only=True, help_text="From the authenticator app, or a recovery code"
    )
