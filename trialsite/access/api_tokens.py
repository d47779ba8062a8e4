"""Keys of programs to the API: made, read from a request, revoked."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability, Role
from trialsite.access.models import ApiToken, Site, User
from trialsite.core.acts import note_act
from trialsite.core.exceptions import DomainError, NotPermittedError

#: Secret scanners and people recognise what they have found by its beginning.
PREFIX = "trialsite_"
LIFETIMES = (7, 30, 90, 365)
_HINT = len(PREFIX) + 4


def _hash(token: str) -> str:
    """One round is enough for 256 random bits; a password would need more."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(
    *,
    user: User,
    name: str,
    days: int,
    read_only: bool = True,
    site: Site | None = None,
    role: Role | None = None,
) -> tuple[str, ApiToken]:
    """A new key in the person's name; the text is in this answer and nowhere else afterwards.

    Raises DomainError where the person has not the role or the site to which it is narrowed.
    """
    if days not in range(1, 366):
        raise DomainError(_("A token is valid for a day at least and a year at most."))
    narrowed = user.access.narrowed(site=None if site is None else site.pk, role=role)
    if not narrowed.memberships:
        raise DomainError(_("This person has no such role there."))
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        user=user,
        name=name.strip(),
        token_hash=_hash(text),
        hint=text[:_HINT],
        read_only=read_only,
        site=site,
        role=role or "",
        expires_at=timezone.now() + dt.timedelta(days=days),
    )
    token.full_clean(validate_constraints=False)
    token.save()
    return text, token


@transaction.atomic
def revoke_token(*, by: User, token: ApiToken) -> None:
    """End a key from the next request on: one's own, or anybody's for who manages people."""
    if token.user_id != by.pk and not by.access.study_wide(Capability.MANAGE_PEOPLE):
        raise NotPermittedError(_("This token is somebody else's."))
    locked = ApiToken.objects.select_for_update().get(pk=token.pk)
    if locked.revoked_at is not None:
        return
    locked.revoked_at, locked.revoked_by = timezone.now(), by
    locked.save(update_fields=["revoked_at", "revoked_by"])


def token_of(authorization: str) -> ApiToken | None:
    """The standing key that a request's Authorization header shows, or None (RFC 6750)."""
    scheme, _space, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or not text.startswith(PREFIX):
        return None
    found = ApiToken.objects.select_related("user").filter(token_hash=_hash(text)).first()
    return found if found is not None and stands(found) else None


def stands(token: ApiToken) -> bool:
    """Whether a key still opens."""
    return token.revoked_at is None and token.expires_at > timezone.now() and token.user.is_active


def bearer_of(token: ApiToken) -> User:
    """The person in whose name the key speaks, with no more access than the key has."""
    user = token.user
    role = Role(token.role) if token.role else None
    user.access = user.access.narrowed(site=token.site_id, role=role)
    return user


def note_use(token: ApiToken) -> None:
    """Which key a change came by stands in the trail beside it."""
    note_act("api_token_used", details={"token": token.pk, "name": token.name})


def mark_used(token: ApiToken) -> None:
    """On which day it was last used."""
    ApiToken.objects.filter(pk=token.pk).update(last_used_on=timezone.now().date())
