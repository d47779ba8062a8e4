"""What the database itself holds of outcomes."""

from __future__ import annotations

from collections.abc import Iterable

from outcomes.models import (
    AdverseEvent,
    AdverseEventOrigin,
    Death,
    DelistReason,
    Disposition,
    EndReason,
    FurtherWord,
    Grade,
    Outcome,
    SaeCase,
    SaeDeadline,
    SaeReceipt,
    SaeReconciliationLine,
    SaeReport,
    SaeReportPdf,
    SponsorAwareness,
    Standing,
    SurvivalContact,
    SurvivalStatus,
    Transplantation,
    UnreportedDeath,
    VoidedAcknowledgement,
)
from trialsite.casebook.guards import same_site
from trialsite.casebook.models import CrfRecord
from trialsite.core.catalog import Check, Function, Protection, Trigger
from trialsite.core.guards import protect
from trialsite.review.models import Signature

ORIGINS = AdverseEventOrigin._meta.db_table
RECORDS = CrfRecord._meta.db_table
SIGNATURES = Signature._meta.db_table
CASES, DEADLINES, REPORTS, PAPERS, RECEIPTS, RECONCILED, DEATHS, WORDS, KNOWN, TAKEN = (
    model._meta.db_table
    for model in (
        SaeCase,
        SaeDeadline,
        SaeReport,
        SaeReportPdf,
        SaeReceipt,
        SaeReconciliationLine,
        UnreportedDeath,
        FurtherWord,
        SponsorAwareness,
        VoidedAcknowledgement,
    )
)

#: Where an event comes from is a fact; it can only end with its record.
GUARD_ORIGIN = Function(
    "guard_origin",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (OLD.session_id, OLD.complication_id, OLD.reading_id, OLD.result_id) IS DISTINCT FROM
     (NEW.session_id, NEW.complication_id, NEW.reading_id, NEW.result_id)
     OR OLD.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'an origin stays what it is' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: A deadline stays as it was derived; it can only be replaced, once.
GUARD_DEADLINE = Function(
    "guard_sae_deadline",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  free text[] := ARRAY['replaced_at', 'replace_reason', 'site_id'];
BEGIN
  IF OLD.replaced_at IS NOT NULL
     OR (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
    RAISE EXCEPTION 'a deadline is replaced, never changed' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: What was sent when and how stays. Its receipt is added once, by a second act; it is emptied
#: only where it is kept whole among the voided ones. A paper that was not signed here cannot
#: say what the event is held for since a later minute than it left.
GUARD_RECEIPT = Function(
    "guard_sae_receipt",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  voiding text[] := ARRAY['voided_at', 'void_reason', 'site_id'];
  receiving text[] := ARRAY['received_at', 'receipt_number', 'acknowledged_by_id', 'kept_at',
                            'by_recipient', 'attachment_id'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.received_at IS NOT NULL OR NEW.voided_at IS NOT NULL THEN
      RAISE EXCEPTION 'a receipt comes after its sending' USING ERRCODE = 'TS003';
    END IF;
    IF EXISTS (
      SELECT 1 FROM public.{REPORTS} p JOIN public.{CASES} c ON c.id = p.case_id
      WHERE p.id = NEW.report_id AND p.signature_id IS NULL
        AND (p.content -> 'facts' ->> 'grave')::boolean
        AND c.standing = '{Standing.GRAVE.value}'
        AND date_trunc('minute', c.standing_since) > NEW.submitted_at) THEN
      RAISE EXCEPTION 'this was not known when the paper was sent' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.voided_at IS NOT NULL
     OR (to_jsonb(NEW) - voiding - receiving)
        IS DISTINCT FROM (to_jsonb(OLD) - voiding - receiving) THEN
    RAISE EXCEPTION 'what was sent and received stays' USING ERRCODE = 'TS003';
  END IF;
  IF OLD.received_at IS NOT NULL
     AND (to_jsonb(NEW) - voiding) IS DISTINCT FROM (to_jsonb(OLD) - voiding)
     AND (NEW.received_at IS NOT NULL OR NOT EXISTS (
       SELECT 1 FROM public.{TAKEN} t
       WHERE t.receipt_id = OLD.id AND t.kept_at = OLD.kept_at
         AND (t.received_at, t.receipt_number, t.acknowledged_by_id, t.by_recipient)
             = (OLD.received_at, OLD.receipt_number, OLD.acknowledged_by_id, OLD.by_recipient)
         AND t.attachment_id IS NOT DISTINCT FROM OLD.attachment_id)) THEN
    RAISE EXCEPTION 'what was sent and received stays' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: What the sponsor knew stays as it was entered; a mistake is voided, once.
GUARD_KNOWN = Function(
    "guard_sponsor_awareness",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  voiding text[] := ARRAY['voided_at', 'voided_by_id', 'void_reason', 'site_id'];
BEGIN
  IF (OLD.voided_at IS NOT NULL
      AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM (to_jsonb(OLD) - 'site_id'))
     OR (to_jsonb(NEW) - voiding) IS DISTINCT FROM (to_jsonb(OLD) - voiding) THEN
    RAISE EXCEPTION 'what the sponsor knew stays' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: A report carries the signature that was made under this very report: of its kind and
#: record, by its signer, and not voided. It is signed once, and changes in nothing else.
GUARD_REPORT = Function(
    "guard_sae_report",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  signing text[] := ARRAY['signature_id', 'signed_at', 'signed_by_id', 'site_id'];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (to_jsonb(NEW) - signing) IS DISTINCT FROM (to_jsonb(OLD) - signing)
       OR (OLD.signature_id IS NOT NULL AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM
           (to_jsonb(OLD) - 'site_id')) THEN
      RAISE EXCEPTION 'a report is signed once, never changed' USING ERRCODE = 'TS003';
    END IF;
    IF NEW.signature_id IS NOT DISTINCT FROM OLD.signature_id THEN
      RETURN NEW;
    END IF;
  END IF;
  IF NEW.signature_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM public.{SIGNATURES} g
    WHERE g.id = NEW.signature_id AND g.kind = 'sae_report' AND g.target = NEW.id
      AND g.record_id = NEW.record_id AND g.signed_by_id = NEW.signed_by_id
      AND g.voided_at IS NULL) THEN
    RAISE EXCEPTION 'this is not the signature of this report' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: The same as `selectors.sae_deaths`: what a record says by which the site knows of a death.
_TELLING = {
    Death: "true",
    SurvivalContact: f"x.status = '{SurvivalStatus.DEAD.value}'",
    Disposition: f"x.reason = '{EndReason.DEATH.value}'",
    AdverseEvent: f"x.results_in_death OR x.outcome = '{Outcome.FATAL.value}' "
    f"OR x.grade = {Grade.DEATH.value}",
    Transplantation: f"x.delist_reason = '{DelistReason.DIED.value}'",
}
_TELLS = " OR ".join(
    f"EXISTS (SELECT FROM public.{table._meta.db_table} x "
    f"WHERE x.record_id = d.record_id AND ({said}))"
    for table, said in _TELLING.items()
)

#: When a death was known is a fact, and no later than by another record that tells of it;
#: that nothing is owed of it is said once.
GUARD_DEATH = Function(
    "guard_unreported_death",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  free text[] := ARRAY['settled_at', 'settled_by_id', 'settled_reason', 'answered',
                       'clock_version', 'site_id'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.known_at > trialsite.now() OR EXISTS (
      SELECT FROM public.{DEATHS} d JOIN public.{RECORDS} r ON r.id = d.record_id
      WHERE d.subject_id = NEW.subject_id AND r.voided_at IS NULL AND ({_TELLS})
        AND d.known_at < NEW.known_at) THEN
      RAISE EXCEPTION 'a death is known from when it was first known' USING ERRCODE = 'TS003';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free)
     OR (OLD.settled_at IS NOT NULL AND (to_jsonb(NEW) - 'site_id') IS DISTINCT FROM
         (to_jsonb(OLD) - 'site_id')) THEN
    RAISE EXCEPTION 'when a death was known stays' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)

#: A case stays with its event, and what a comparison found stays what it was.
GUARD_CASE = Function(
    "guard_sae_case",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF (OLD.record_id, OLD.opened_at) IS DISTINCT FROM (NEW.record_id, NEW.opened_at) THEN
    RAISE EXCEPTION 'a case stays with its event' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)
GUARD_RECONCILED = Function(
    "guard_sae_reconciled",
    returns="trigger",
    execute=(),
    source="""
DECLARE
  free text[] := ARRAY['decision', 'decided_by_id', 'decided_at', 'site_id'];
BEGIN
  IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
    RAISE EXCEPTION 'what a comparison found stays' USING ERRCODE = 'TS003';
  END IF;
  RETURN NEW;
END
""",
)


@protect
def outcomes() -> Iterable[Protection]:
    yield GUARD_ORIGIN
    yield same_site(ORIGINS, record=True)
    yield Trigger(ORIGINS, "guard_origin", "BEFORE UPDATE", "trialsite.guard_origin")
    yield GUARD_CASE
    yield GUARD_DEADLINE
    yield GUARD_RECEIPT
    yield GUARD_RECONCILED
    yield GUARD_REPORT
    yield GUARD_DEATH
    yield GUARD_KNOWN
    for table in (
        CASES, DEADLINES, REPORTS, PAPERS, RECEIPTS, DEATHS, WORDS, KNOWN, TAKEN
    ):  # fmt: skip
        yield same_site(table, record=True)
    yield Check(
        RECEIPTS,
        f"{RECEIPTS}_of_its_case",
        f"FOREIGN KEY (case_id, report_id) REFERENCES public.{REPORTS} (case_id, id) "
        "DEFERRABLE INITIALLY IMMEDIATE",
    )
    yield Trigger(
        REPORTS, "guard_sae_report", "BEFORE INSERT OR UPDATE", "trialsite.guard_sae_report"
    )
    yield Trigger(
        DEATHS,
        "guard_unreported_death",
        "BEFORE INSERT OR UPDATE",
        "trialsite.guard_unreported_death",
    )
    yield same_site(RECONCILED)
    yield Trigger(CASES, "guard_sae_case", "BEFORE UPDATE", "trialsite.guard_sae_case")
    yield Trigger(DEADLINES, "guard_sae_deadline", "BEFORE UPDATE", "trialsite.guard_sae_deadline")
    yield Trigger(
        RECEIPTS, "guard_sae_receipt", "BEFORE INSERT OR UPDATE", "trialsite.guard_sae_receipt"
    )
    yield Trigger(
        KNOWN, "guard_sponsor_awareness", "BEFORE UPDATE", "trialsite.guard_sponsor_awareness"
    )
    yield Trigger(
        RECONCILED, "guard_sae_reconciled", "BEFORE UPDATE", "trialsite.guard_sae_reconciled"
    )
