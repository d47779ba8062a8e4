"""Invitations and reset links: how a person comes to a password nobody else has known."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from trialsite.access.adapters import AccountAdapter, address_of
from trialsite.access.models import ApiToken, Invitation, User
from trialsite.core.acts import note_act
from trialsite.core.exceptions import TransitionError

_signer = Signer(salt="trialsite.access.invitation")


class ResetTokens(PasswordResetTokenGenerator):
    """Reset links die with the password, with a sign-in, and with the account's deactivation."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.is_active}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue_invitation(*, user: User, by: User | None, reason: str = "") -> str:
    """A new link, mailed to the person and returned for handing over; earlier ones die.

    The account forgets its password, its second factors and its programs' tokens, so the link
    is the only way in: whoever lost a phone may have lost the laptop with a token on it.
    """
    token = secrets.token_urlsafe(32)
    Invitation.objects.create(
        user=user,
        token_hash=_hash(token),
        invited_by=by,
        reason=reason,
        expires_at=timezone.now() + dt.timedelta(seconds=settings.INVITATION_TIMEOUT),
    )
    user.set_unusable_password()
    user.save(update_fields=["password"])
    for factor in Authenticator.objects.filter(user=user):
        factor.delete()
    standing = ApiToken.objects.filter(user=user, revoked_at=None)
    standing.update(revoked_at=timezone.now(), revoked_by=by)
    link = address_of(reverse("access:invitation", args=[_signer.sign(token)]))
    values = {"user": user, "invited_by": by, "link": link}
    AccountAdapter().send_mail("account/email/invitation", user.email, values)
    return link


def invitation_of(signed: str) -> Invitation | None:
    """The invitation behind a link, if it is the newest of its person and still open."""
    try:
        token = _signer.unsign(signed)
    except BadSignature:
        return None
    found = Invitation.objects.select_related("user").filter(token_hash=_hash(token)).first()
    return found if found is not None and is_open(found) else None


def is_open(invitation: Invitation) -> bool:
    """Whether an invitation can still be taken."""
    return (
        invitation.taken_at is None
        and invitation.expires_at > timezone.now()
        and invitation.user.is_active
        and not invitation.user.invitations.filter(pk__gt=invitation.pk).exists()
    )


def take_invitation(*, invitation: Invitation, password: str) -> User:
    """Set the password; of two who take the same link at once, one comes too late."""
    locked = Invitation.objects.select_for_update().select_related(None).get(pk=invitation.pk)
    if not is_open(locked):
        raise TransitionError(_("This invitation has been used or has expired."))
    locked.taken_at = timezone.now()
    locked.save(update_fields=["taken_at"])
    user = locked.user
    user.set_password(password)
    user.save(update_fields=["password"])
    note_act("invitation_taken", details={"user": user.pk})
    return user
