"""How the database protects accounts, and the tables of the libraries behind sign-in."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.access.models import Membership, User
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import guard, protect

guard("account.EmailAddress", deletable=True)
guard(
    "account.EmailConfirmation", unaudited="not used: invitations confirm addresses", writable=False
)
guard("mfa.Authenticator", secret=("data",), deletable=True)
guard(
    "sessions.Session", unaudited="transient; signing in and out is noted as acts", deletable=True
)
_FRAMEWORK = "Django's own register, written by migrate alone"
guard("contenttypes.ContentType", unaudited=_FRAMEWORK, writable=False)
guard("auth.Permission", unaudited=_FRAMEWORK, writable=False)
guard("auth.Group", unaudited=_FRAMEWORK, writable=False)
guard("auth.Group_permissions", unaudited=_FRAMEWORK, writable=False)


#: The delegation log is append-only but for one thing: a line can be ended, once.
GUARD_MEMBERSHIP = Function(
    "guard_membership",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (NEW.user_id, NEW.role, NEW.valid_from) IS DISTINCT FROM
     (OLD.user_id, OLD.role, OLD.valid_from)
     OR NEW.site_id IS DISTINCT FROM OLD.site_id
     OR NEW.valid_until IS DISTINCT FROM OLD.valid_until
     OR NEW.granted_by_id IS DISTINCT FROM OLD.granted_by_id
     OR OLD.ended_on IS NOT NULL THEN
    RAISE EXCEPTION 'a membership is ended, never edited' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def accounts() -> Iterable[Protection]:
    users, memberships = User._meta.db_table, Membership._meta.db_table
    yield GUARD_MEMBERSHIP
    yield Trigger(users, "never_deleted", "BEFORE DELETE", "trialsite.refuse_change")
    yield Trigger(memberships, "never_edited", "BEFORE UPDATE", "trialsite.guard_membership")
    yield Trigger(memberships, "never_deleted", "BEFORE DELETE", "trialsite.refuse_change")
    yield Check(
        users,
        "email_is_canonical",
        "CHECK (email::text = lower(normalize(email::text, NFKC)))",
    )
