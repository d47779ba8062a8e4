"""Codes of second factors: each proves one thing once.

allauth remembers spent TOTP codes in the cache for one period, which an emptied cache
forgets and a tolerance outlives; here the last spent time step stands with the factor,
in PostgreSQL, and only a later one counts (RFC 6238 5.2).
"""

from __future__ import annotations

import hmac
from typing import Any

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.mfa.utils import decrypt
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from trialsite.access.lockout import SIGN_IN_FAILED, record_failure, refuse_if_locked_out
from trialsite.access.models import User


def verify_code(
    *, user: User, code: str, request: HttpRequest, act: str = SIGN_IN_FAILED
) -> Authenticator:
    """The factor that this code proves, now spent; raises, and counts, where it proves none."""
    refuse_if_locked_out(user.email, request)
    factors = (
        Authenticator.objects.select_for_update()
        .filter(user=user)
        .exclude(type=Authenticator.Type.WEBAUTHN)
        .order_by("-type")
    )
    for factor in factors:
        if _spend(factor, code):
            factor.user = user
            return factor
    record_failure(user.email, request, act=act)
    raise ValidationError(_("Incorrect code."), code="incorrect_code")


def spend_again(key: int, data: dict[str, Any]) -> None:
    """Spend once more what a request had spent before its transaction was taken back."""
    factor = Authenticator.objects.select_for_update().filter(pk=key).first()
    if factor is None:
        return
    for name in ("last_step", "used_mask"):
        if name in data:
            before = factor.data.get(name, 0)
            both = max(before, data[name]) if name == "last_step" else before | data[name]
            factor.data[name] = both
    factor.save(update_fields=["data"])


def _spend(factor: Authenticator, code: str) -> bool:
    if factor.type == Authenticator.Type.TOTP:
        return _spend_step(factor, normalize_user_code(code))
    return bool(factor.wrap().validate_code(code))


def _spend_step(factor: Authenticator, code: str) -> bool:
    secret = decrypt(factor.data["secret"])
    last = factor.data.get("last_step", 0)
    for step in yield_hotp_counters_from_time():
        expected = format_hotp_value(hotp_value(secret, step))
        if step > last and hmac.compare_digest(expected.encode(), code.encode()):
            factor.data["last_step"] = step
            factor.save(update_fields=["data"])
            return True
    return False
