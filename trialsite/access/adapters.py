"""Sign-in with django-allauth, under our rules."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Max, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from trialsite.access.models import SignInAttempt, User, email_key
from trialsite.core.acts import note_act
from trialsite.core.encryption import decrypt, encrypt


def _hash(text: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_locked_out(email: str, address: str) -> bool:
    """Whether an account or an address has failed too often of late (ASVS 6.3.1).

    Counted in PostgreSQL, since the last success: emptying the cache opens no door.
    """
    since = timezone.now() - dt.timedelta(minutes=settings.SIGN_IN_LOCK_MINUTES)
    account, address = _hash(email_key(email)), _hash(address)
    last = SignInAttempt.objects.filter(account_hash=account, succeeded=True).aggregate(
        at=Max("at")
    )["at"]
    failures = SignInAttempt.objects.filter(succeeded=False, at__gt=since)
    own = failures.filter(Q(account_hash=account), at__gt=last or since).count()
    return (
        own >= settings.SIGN_IN_ATTEMPTS
        or failures.filter(address_hash=address).count() >= 10 * settings.SIGN_IN_ATTEMPTS
    )


def record_attempt(email: str, address: str, *, succeeded: bool) -> None:
    """Keep one sign-in attempt for the lock-out, and note it in the trail."""
    SignInAttempt.objects.create(
        account_hash=_hash(email_key(email)), address_hash=_hash(address), succeeded=succeeded
    )
    user = User.objects.filter(email=email_key(email)).first()
    note_act(
        "signed_in" if succeeded else "sign_in_failed",
        details={"user": user.pk if user else None},
    )


class AccountAdapter(DefaultAccountAdapter):
    """No sign-up; lock-out by account and address; passwords are never known to others."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        if is_locked_out(credentials.get("email", ""), self.get_client_ip(request)):
            raise ValidationError(
                _("Too many failed attempts. Try again in %(minutes)d minutes or reset your password.")
                % {"minutes": settings.SIGN_IN_LOCK_MINUTES},
                code="too_many_login_attempts",
            )

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_attempt(
            credentials.get("email", ""), self.get_client_ip(request), succeeded=False
        )

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> Any:
        record_attempt(user.email, self.get_client_ip(request), succeeded=True)
        return super().post_login(request, user, **kwargs)


class MFAAdapter(DefaultMFAAdapter):
    """Second factors; their secrets rest encrypted under the field keys."""

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)
