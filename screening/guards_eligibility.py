"""What the database enforces of evaluations: written once, in their subject's site, signed."""

from __future__ import annotations

from collections.abc import Iterable

from screening.models.eligibility import (
    CriterionAnswer,
    EligibilityDraft,
    EligibilityEvaluation,
)
from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Function, Protection, Trigger
from trialsite.core.guards import protect

EVALUATIONS, ANSWERS, DRAFTS = (
    model._meta.db_table for model in (EligibilityEvaluation, CriterionAnswer, EligibilityDraft)
)

#: A transfer to another site is the only change, whoever asks for it.
GUARD_EVALUATION = Function(
    "guard_evaluation",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF to_jsonb(OLD) - 'site_id' IS DISTINCT FROM to_jsonb(NEW) - 'site_id' THEN
    RAISE EXCEPTION 'a signed evaluation is superseded, never rewritten' USING ERRCODE = 'TS003';
  END IF;
  RETURN NULL;
END
""",
)


@protect
def eligibility() -> Iterable[Protection]:
    yield GUARD_EVALUATION
    for table in (EVALUATIONS, ANSWERS):
        yield same_site(table, record=True)
        yield Trigger(table, "guard_entry", "BEFORE INSERT", "trialsite.guard_entry")
        yield Trigger(table, "guard_evaluation", "AFTER UPDATE", "trialsite.guard_evaluation")
    yield same_site(DRAFTS)
