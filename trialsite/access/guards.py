"""How the database protects accounts, and the tables of the libraries behind sign-in."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.access.models import User
from trialsite.core.catalog import Protection, Trigger
from trialsite.core.guards import guard, protect

guard("account.EmailAddress", deletable=True)
guard("account.EmailConfirmation", unaudited="not used: invitations confirm addresses", writable=False)
guard("mfa.Authenticator", secret=("data",), deletable=True)
guard(
    "sessions.Session", unaudited="transient; signing in and out is noted as acts", deletable=True
)
_FRAMEWORK = "Django's own register, written by migrate alone"
guard("contenttypes.ContentType", unaudited=_FRAMEWORK, writable=False)
guard("auth.Permission", unaudited=_FRAMEWORK, writable=False)
guard("auth.Group", unaudited=_FRAMEWORK, writable=False)
guard("auth.Group_permissions", unaudited=_FRAMEWORK, writable=False)


@protect
def accounts() -> Iterable[Protection]:
    yield Trigger(User._meta.db_table, "never_deleted", "BEFORE DELETE", "trialsite.refuse_change")
