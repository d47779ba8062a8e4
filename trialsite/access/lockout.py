"""The lock-out: an account, or an address, that failed too often rests for a while.

Counted in PostgreSQL, since the last whole sign-in: emptying the cache opens no door, and
a password that was right does not forgive the wrong codes that follow (ASVS 6.3.1).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac

from allauth.account.adapter import get_adapter
from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from trialsite.access.context import context_of
from trialsite.access.keeping import keep
from trialsite.access.models import SignInAttempt, User, email_key
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting

#: What the trail calls a sign-in that failed.
SIGN_IN_FAILED = "sign_in_failed"

#: How many failures of different accounts one address may cause: a ward shares one.
ADDRESS_FACTOR = 10


def _hash(text: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def _address(request: HttpRequest) -> str:
    return _hash(get_client_ip(request) or "unknown")


def _failures(account: str) -> int:
    """Failures of an account in the window, since its last whole sign-in."""
    since = timezone.now() - dt.timedelta(minutes=settings.SIGN_IN_LOCK_MINUTES)
    attempts = SignInAttempt.objects.filter(account_hash=account)
    last = attempts.filter(succeeded=True).aggregate(at=Max("at"))["at"]
    return attempts.filter(succeeded=False, at__gt=max(since, last or since)).count()


def is_locked_out(email: str, request: HttpRequest) -> bool:
    """Whether this account, or the address asking for it, has failed too often of late."""
    since = timezone.now() - dt.timedelta(minutes=settings.SIGN_IN_LOCK_MINUTES)
    if _failures(_hash(email_key(email))) >= settings.SIGN_IN_ATTEMPTS:
        return True
    from_here = SignInAttempt.objects.filter(
        address_hash=_address(request), succeeded=False, at__gt=since
    )
    return from_here.count() >= ADDRESS_FACTOR * settings.SIGN_IN_ATTEMPTS


def refuse_if_locked_out(email: str, request: HttpRequest) -> None:
    """Raise where no further attempt is allowed; attempts on one account wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_hash(email_key(email))]
        )
    if is_locked_out(email, request):
        raise ValidationError(
            _("Too many failed attempts. Try again in %(minutes)d minutes.")
            % {"minutes": settings.SIGN_IN_LOCK_MINUTES},
            code="too_many_login_attempts",
        )


def record_failure(email: str, request: HttpRequest, *, act: str = SIGN_IN_FAILED) -> None:
    """Keep a failed attempt for the lock-out and in the trail, whatever the answer becomes."""
    keep(request, lambda: _record_failure(email, request, act))


def _record_failure(email: str, request: HttpRequest, act: str) -> None:
    account = _hash(email_key(email))
    SignInAttempt.objects.create(
        account_hash=account, address_hash=_address(request), succeeded=False
    )
    user = User.objects.filter(email=email_key(email)).first()
    details = {"user": user.pk if user else None}
    note_act(act, details=details)
    if _failures(account) == settings.SIGN_IN_ATTEMPTS:
        note_act("locked_out", details=details)
        if user and act != SIGN_IN_FAILED:
            # Somebody sits at the person's open session: the person hears of it (trust ES6).
            get_adapter().send_notification_mail("account/email/locked_out", user)


def record_success(user: User, request: HttpRequest) -> None:
    """Keep a whole sign-in, second factor included, in the person's own name."""
    SignInAttempt.objects.create(
        account_hash=_hash(email_key(user.email)),
        address_hash=_address(request),
        succeeded=True,
        user=user,
    )
    with acting(context_of(user, Channel.UI)):
        note_act("signed_in", details={"user": user.pk})
