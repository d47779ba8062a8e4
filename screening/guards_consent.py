"""What the database enforces of consent: a document in force, one first act, nothing rewritten."""

from __future__ import annotations

from collections.abc import Iterable

from screening.models.consent import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ConsentDocument,
    Withdrawal,
)
from trialsite.casebook.guards import RECORDS, same_site
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect

CONSENTS, APPROVALS, DOCUMENTS, CAPACITIES, WITHDRAWALS = (
    model._meta.db_table
    for model in (Consent, ConsentApproval, ConsentDocument, CapacityAssessment, Withdrawal)
)

#: What may still be added to a consent; a transfer to another site is no such change.
CHANGES = (
    "INSERT OR UPDATE OF comment, copy_given, future_use, genetic_analysis, later_contact, "
    "data_sharing"
)

#: Fires after the row stands, so that a row of the wrong site fails by its key first. The
#: day of signing is the date on the wall at the site. A row that moves with its subject to
#: another site keeps the document under which it was signed.
GUARD_CONSENT = Function(
    "guard_consent",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (OLD.kind, OLD.document_id, OLD.signed_at, OLD.time_zone, OLD.signer, OLD.relation,
        OLD.explained_by_id, OLD.explained_role, OLD.witness, OLD.named_representative,
        OLD.resumes, OLD.record_id, OLD.subject_id)
       IS DISTINCT FROM
       (NEW.kind, NEW.document_id, NEW.signed_at, NEW.time_zone, NEW.signer, NEW.relation,
        NEW.explained_by_id, NEW.explained_role, NEW.witness, NEW.named_representative,
        NEW.resumes, NEW.record_id, NEW.subject_id)
       OR (OLD.copy_given AND NOT NEW.copy_given)
       OR coalesce(OLD.future_use <> NEW.future_use, OLD.future_use IS NOT NULL)
       OR coalesce(OLD.genetic_analysis <> NEW.genetic_analysis, OLD.genetic_analysis IS NOT NULL)
       OR coalesce(OLD.later_contact <> NEW.later_contact, OLD.later_contact IS NOT NULL)
       OR coalesce(OLD.data_sharing <> NEW.data_sharing, OLD.data_sharing IS NOT NULL)
    THEN
      RAISE EXCEPTION 'a signed consent is voided, never rewritten' USING ERRCODE = 'TS003';
    END IF;
    RETURN NULL;
  END IF;
  IF NOT EXISTS (
    SELECT FROM public.{APPROVALS} a WHERE a.document_id = NEW.document_id
      AND a.site_id = NEW.site_id AND a.effective_on <= NEW.signed_at::date
      AND (a.withdrawn_on IS NULL OR a.withdrawn_on > NEW.signed_at::date)) THEN
    RAISE EXCEPTION 'the document was not in force at the site' USING ERRCODE = 'TS020';
  END IF;
  IF NEW.kind = 'initial' AND EXISTS (
    SELECT FROM public.{CONSENTS} c JOIN public.{RECORDS} r ON r.id = c.record_id
      WHERE c.subject_id = NEW.subject_id AND c.kind = 'initial' AND c.id <> NEW.id
      AND r.voided_at IS NULL) THEN
    RAISE EXCEPTION 'the first consent is given once' USING ERRCODE = 'TS021';
  END IF;
  RETURN NULL;
END
""",
)

#: An assessment or a withdrawal says what was said; in error it is voided with its record.
GUARD_SAID = Function(
    "guard_said",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF to_jsonb(OLD) - 'site_id' IS DISTINCT FROM to_jsonb(NEW) - 'site_id' THEN
    RAISE EXCEPTION 'what was said is voided, never rewritten' USING ERRCODE = 'TS003';
  END IF;
  RETURN NULL;
END
""",
)


@protect
def consent() -> Iterable[Protection]:
    yield from (GUARD_CONSENT, GUARD_SAID)
    for table in (CONSENTS, CAPACITIES, WITHDRAWALS):
        yield same_site(table, record=True)
    # Locked, voided or withdrawn stops these rows as it stops every form's data. A consent
    # that takes a withdrawal back is entered after the state has been set.
    for table, when in ((CONSENTS, CHANGES), (CAPACITIES, "INSERT"), (WITHDRAWALS, "INSERT")):
        yield Trigger(table, "guard_entry", f"BEFORE {when}", "trialsite.guard_entry")
    yield Trigger(CONSENTS, "guard_consent", "AFTER INSERT OR UPDATE", "trialsite.guard_consent")
    yield Trigger(CAPACITIES, "guard_said", "AFTER UPDATE", "trialsite.guard_said")
    yield Trigger(WITHDRAWALS, "guard_said", "AFTER UPDATE", "trialsite.guard_said")
