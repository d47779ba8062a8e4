"""What the database itself holds about queries, signatures and confirmations."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.review.models import ConfirmedAssumption, Query, QueryMessage, Signature

SIGNATURES = Signature._meta.db_table
CONFIRMATIONS = ConfirmedAssumption._meta.db_table

#: A signature is made by the very person of the context, at the database's own time; after
#: that nothing of it changes but that it is voided, once. A subject's move takes it along.
GUARD_SIGNATURE = Function(
    "guard_signature",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.signed_by_id::text
       IS DISTINCT FROM nullif(current_setting('trialsite.actor', true), '') THEN
      RAISE EXCEPTION 'nobody signs in another name' USING ERRCODE = 'TS003';
    END IF;
    NEW.signed_at := clock_timestamp();
    NEW.trial_at := trialsite.now();
    RETURN NEW;
  END IF;
  IF OLD.voided_at IS NOT NULL
     OR (to_jsonb(NEW) - ARRAY['voided_at', 'voided_by_id', 'void_reason', 'site_id'])
        IS DISTINCT FROM
        (to_jsonb(OLD) - ARRAY['voided_at', 'voided_by_id', 'void_reason', 'site_id'])
     OR (NEW.site_id IS DISTINCT FROM OLD.site_id AND OLD.subject_id IS NULL) THEN
    IF OLD.voided_at IS NOT NULL AND OLD.subject_id IS NOT NULL
       AND (to_jsonb(NEW) - 'site_id') IS NOT DISTINCT FROM (to_jsonb(OLD) - 'site_id') THEN
      RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a signature is voided, never changed' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: A confirmation is revoked once, and otherwise stays as it was signed.
GUARD_CONFIRMATION = Function(
    "guard_confirmation",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  free text[] := ARRAY['revoked_at', 'revoked_by_id', 'revocation_id', 'revoke_reason'];
BEGIN
  IF OLD.revoked_at IS NOT NULL OR (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free)
  THEN
    RAISE EXCEPTION 'a confirmation is revoked, never changed' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def queries() -> Iterable[Protection]:
    yield same_site(Query._meta.db_table, record=True)
    yield same_site(QueryMessage._meta.db_table)


@protect
def signatures() -> Iterable[Protection]:
    yield GUARD_SIGNATURE
    yield GUARD_CONFIRMATION
    yield same_site(SIGNATURES)
    # Put off to the end: at a transfer the subject and the record both carry it along.
    yield Check(
        SIGNATURES,
        f"{SIGNATURES}_same_record",
        same_site(SIGNATURES, record=True).definition.replace("IMMEDIATE", "DEFERRED"),
    )
    yield Trigger(
        SIGNATURES, "guard_signature", "BEFORE INSERT OR UPDATE", "trialsite.guard_signature"
    )
    yield Trigger(
        CONFIRMATIONS, "guard_confirmation", "BEFORE UPDATE", "trialsite.guard_confirmation"
    )
