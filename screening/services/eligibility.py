"""Deciding on eligibility: answers follow the data, and the decision follows from both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from screening.eligibility.again import frozen
from screening.eligibility.engine import ENGINE
from screening.eligibility.facts import Answer, JudgementFact
from screening.eligibility.frozen import content_hash, frozen_facts
from screening.eligibility.verdicts import Flag, Outcome, State, Verdict
from screening.eligibility_names import speaker_for
from screening.models.eligibility import (
    ELIGIBILITY_FORM,
    CriterionAnswer,
    Decided,
    EligibilityDraft,
    EligibilityEvaluation,
)
from screening.selectors.eligibility import SIGNED, Live, content_of, live_evaluation
from screening.services.consent_records import FieldsError
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus, Subject, SubjectStatus
from trialsite.casebook.protocols import version_in_force
from trialsite.casebook.services import open_record
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.exceptions import TransitionError
from trialsite.protocol import Protocol
from trialsite.protocol.rules import InvestigatorJudgement
from trialsite.review.assumptions import confirmed_protocol
from trialsite.review.signatures import sign

#: Where a refusal stands that concerns no single criterion.
DECISION = "decision"

LONGEST_NOTE = 1000

#: What the investigator reads above the password.
MEANINGS: dict[Decided, Promise] = {
    Decided.ELIGIBLE: gettext_lazy(
        "I have judged every criterion on the data shown. The person is eligible."
    ),
    Decided.INELIGIBLE: gettext_lazy(
        "I have judged the criteria on the data shown. The person is not eligible."
    ),
}
#: The same before anybody knows which of the two it will be.
MEANING: Promise = gettext_lazy(
    "I have judged the criteria on the data shown. Eligible or not is what follows from them."
)


@transaction.atomic
def sign_eligibility(
    *,
    subject: Subject,
    answers: Mapping[str, str],
    notes: Mapping[str, str] | None = None,
    by: User,
    proof: SigningProof,
) -> EligibilityEvaluation:
    """Judge all criteria on the present data and sign what follows (decisions C6, P2).

    `answers` are "met" or "not_met" by criterion: a judgement is the answer itself, every
    other answer must be what the data say. "Eligible" takes an answer to every criterion;
    "not eligible" one to each criterion that speaks against the person. Raises FieldsError
    with the refusals by criterion. No override, no waiver.
    """
    by.require(Capability.SIGN_FORM, site=subject.site_id)
    subject = _held(subject)
    given = {criterion: text for criterion, text in answers.items() if text}
    said = {name: text.strip() for name, text in (notes or {}).items() if text.strip()}
    live = answered_evaluation(subject=subject, answers=given, notes=said, by=by)
    FieldsError.unless(**_refusals(live, given, by))
    evaluation = _keep(live, given, said, by=by)
    sign(
        record=evaluation.record,
        kind=SIGNED,
        target=evaluation.pk,
        content=content_of(evaluation),
        meaning=MEANINGS[Decided(evaluation.decision)],
        by=by,
        proof=proof,
    )
    EligibilityDraft.objects.filter(subject=subject).delete()
    return evaluation


def refusals_to_sign(
    *, subject: Subject, answers: Mapping[str, str], notes: Mapping[str, str], by: User
) -> dict[str, list[str]]:
    """What `sign_eligibility` would refuse, by criterion; asked before a code is spent."""
    given = {criterion: text for criterion, text in answers.items() if text}
    try:
        live = answered_evaluation(subject=subject, answers=given, notes=notes, by=by)
        FieldsError.unless(**_refusals(live, given, by))
    except FieldsError as refused:
        return refused.errors
    return {}


def answered_evaluation(
    *, subject: Subject, answers: Mapping[str, str], notes: Mapping[str, str], by: User
) -> Live:
    """The present data judged with these answers to what only the investigator can judge."""
    now = trial_now()
    version = version_in_force(subject.site)
    protocol = confirmed_protocol(version.pk)
    _expect_known(protocol, answers, notes)
    judgements = _judgements(protocol, answers, notes, by=by, at=now)
    return live_evaluation(subject, at=now, judgements=judgements)


def _held(subject: Subject) -> Subject:
    """The subject under a row lock, still in screening, its casebook open."""
    waiting = Subject.objects.select_for_update(no_key=True, of=("self",))
    held = waiting.select_related("site", "protocol_version").get(pk=subject.pk)
    if held.lock_state != LockState.OPEN:
        raise TransitionError(_("The casebook is locked. Ask the data manager to unlock it."))
    if held.status != SubjectStatus.SCREENING:
        raise TransitionError(_("Eligibility is decided while a person is in screening."))
    return held


def _expect_known(protocol: Protocol, answers: Mapping[str, str], notes: Mapping[str, str]) -> None:
    known = {criterion.id for criterion in protocol.criteria}
    problems = {}
    for name in {*answers, *notes} - known:
        problems[name] = _("The protocol has no such criterion.")
    for name, answer in answers.items():
        if answer not in {Answer.MET, Answer.NOT_MET}:
            problems[name] = _("Answer “met” or “not met”.")
    for name, note in notes.items():
        if len(note) > LONGEST_NOTE:
            problems[name] = _("At most %(most)s characters.") % {"most": LONGEST_NOTE}
    FieldsError.unless(**problems)


def _judgements(
    protocol: Protocol,
    answers: Mapping[str, str],
    notes: Mapping[str, str],
    *,
    by: User,
    at: dt.datetime,
) -> dict[str, JudgementFact]:
    return {
        criterion.id: JudgementFact(
            answer=Answer(answers[criterion.id]),
            by=by.full_name,
            at=at,
            note=notes.get(criterion.id, ""),
        )
        for criterion in protocol.criteria
        if isinstance(criterion.rule, InvestigatorJudgement) and criterion.id in answers
    }


def _refusals(live: Live, answers: Mapping[str, str], by: User) -> dict[str, str]:
    """Why this cannot be signed, by criterion; empty where it can."""
    outcome = live.evaluation.outcome
    found = {
        verdict.criterion: text
        for verdict in live.evaluation.verdicts
        if (text := _refusal(live, verdict, answers.get(verdict.criterion, ""), outcome))
    }
    at_boundary = [
        verdict.criterion
        for verdict in live.evaluation.verdicts
        if Flag.AT_BOUNDARY in verdict.flags
    ]
    may = by.can(Capability.SIGN_CASEBOOK, site=live.subject.site)
    if not found and outcome is Outcome.ELIGIBLE and at_boundary and not may:
        found[DECISION] = _(
            "At the boundary: %(criteria)s. Only the principal investigator signs here."
        ) % {"criteria": ", ".join(at_boundary)}
    return found


def _refusal(live: Live, verdict: Verdict, answer: str, outcome: Outcome) -> str:
    say = speaker_for(live.protocol, live.subject.site)
    if answer and answer != verdict.state:
        return _(
            "The data say: %(state)s. What they say is changed by correcting them, never here."
        ) % {"state": say.state(verdict)}
    if verdict.state is State.NOT_YET_KNOWN and outcome is Outcome.NOT_YET_KNOWN:
        if verdict.rule == InvestigatorJudgement.kind:
            return _("Answer this criterion.")
        needs = " ".join(say.missing(need) for need in verdict.missing)
        return _("Not yet known, so nobody can be eligible. %(needs)s") % {"needs": needs}
    if answer:
        return ""
    if outcome is Outcome.ELIGIBLE or verdict.favourable is False:
        return _("Confirm this criterion.")
    return ""


def _keep(
    live: Live, answers: Mapping[str, str], notes: Mapping[str, str], *, by: User
) -> EligibilityEvaluation:
    """Store the evaluation with its answers under a companion record of its own."""
    subject, judged = live.subject, live.evaluation
    record = open_record(
        subject=subject, form_oid=ELIGIBILITY_FORM, by=by, protocol_version=live.version
    )
    evaluation = EligibilityEvaluation(
        record=record,
        site_id=subject.site_id,
        subject=subject,
        number=record.repeat_key,
        protocol_version=live.version,
        engine=ENGINE,
        evaluated_at=judged.evaluated_for,
        facts=frozen_facts(live.facts),
        verdicts=frozen(judged),
        decision=Decided(judged.outcome.value),
        against=list(judged.against),
        signed_by=by,
    )
    rows = _answers(evaluation, live, answers, notes)
    evaluation._prefetched_objects_cache = {"answers": rows}  # type: ignore[attr-defined]
    evaluation.content_hash = content_hash(content_of(evaluation))
    evaluation.save(force_insert=True)
    CriterionAnswer.objects.bulk_create(rows)
    _complete(record, evaluation, by=by)
    return EligibilityEvaluation.objects.select_related("record", "protocol_version").get(
        pk=record.pk
    )


def _answers(
    evaluation: EligibilityEvaluation,
    live: Live,
    answers: Mapping[str, str],
    notes: Mapping[str, str],
) -> list[CriterionAnswer]:
    return [
        CriterionAnswer(
            site_id=evaluation.site_id,
            subject_id=evaluation.subject_id,
            evaluation=evaluation,
            criterion=verdict.criterion,
            position=position,
            inclusion=verdict.inclusion,
            judged=verdict.rule == InvestigatorJudgement.kind,
            state=verdict.state.value,
            answer=answers.get(verdict.criterion, ""),
            note=notes.get(verdict.criterion, ""),
        )
        for position, verdict in enumerate(live.evaluation.verdicts, start=1)
    ]


def _complete(record: CrfRecord, evaluation: EligibilityEvaluation, *, by: User) -> None:
    record.status, record.version = RecordStatus.COMPLETE, 1
    record.content_hash = evaluation.content_hash
    record.first_entered_at, record.completed_at, record.completed_by = (
        TrialNow(),
        TrialNow(),
        by,
    )
    record.save(
        update_fields=[
            "status",
            "version",
            "content_hash",
            "first_entered_at",
            "completed_at",
            "completed_by",
        ]
    )


@transaction.atomic
def keep_answers(
    *, subject: Subject, answers: Mapping[str, str], notes: Mapping[str, str], by: User
) -> EligibilityDraft:
    """Keep what an investigator has answered so far; it counts for nothing until signed."""
    by.require(Capability.SIGN_FORM, site=subject.site_id)
    subject = _held(subject)
    draft, _made = EligibilityDraft.objects.update_or_create(
        subject=subject,
        user=by,
        defaults={
            "site_id": subject.site_id,
            "answers": {name: text for name, text in answers.items() if text},
            "notes": {name: text for name, text in notes.items() if text},
        },
    )
    return draft
