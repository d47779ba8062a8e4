"""What the API says of eligibility, and what it takes: the shapes of its schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from screening.eligibility.facts import Answer
from screening.eligibility.frozen import encoded
from screening.eligibility.verdicts import Flag, Need, Outcome, Verdict
from screening.models import EligibilityEvaluation
from screening.models.eligibility import CriterionState, Decided
from screening.selectors.eligibility import Decision, Live, signature_stands
from trialsite.access.signing import SigningBody
from trialsite.casebook.answers import keys_of
from trialsite.review.models import Signature


class NeedAnswer(serializers.Serializer[Any]):
    need = serializers.ChoiceField(choices=[each.value for each in Need])
    name = serializers.CharField(help_text="The analyte, item, criterion or protocol path")


class VerdictAnswer(serializers.Serializer[Any]):
    criterion = serializers.CharField()
    inclusion = serializers.BooleanField()
    state = serializers.ChoiceField(
        choices=CriterionState.choices,
        help_text="Of the criterion's own statement: an exclusion criterion that is met excludes",
    )
    favourable = serializers.BooleanField(allow_null=True, help_text="Lets the person in")
    rule = serializers.CharField()
    reason = serializers.CharField(help_text="Code of the sentence")
    parameters = serializers.JSONField(help_text="Of the reason")
    flags = serializers.ListField(
        child=serializers.ChoiceField(choices=[each.value for each in Flag])
    )
    missing = NeedAnswer(many=True)
    assumptions = serializers.ListField(
        child=serializers.CharField(), help_text="Unconfirmed, and they would change the verdict"
    )
    evidence = serializers.JSONField(help_text="Values looked at, as reported and canonical")


class DecisionAnswer(serializers.Serializer[Any]):
    evaluation = serializers.UUIDField()
    decision = serializers.ChoiceField(choices=Decided.choices)
    stands = serializers.BooleanField(help_text="On the present data, under the version in force")
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why it does not")


class LiveAnswer(serializers.Serializer[Any]):
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    protocol_version = serializers.CharField()
    engine = serializers.CharField()
    evaluated_for = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=[each.value for each in Outcome])
    facts_hash = serializers.CharField(help_text="SHA-256")
    verdicts = VerdictAnswer(many=True)
    decision = DecisionAnswer(allow_null=True, help_text="The latest that was signed")


class CriterionAnswerAnswer(serializers.Serializer[Any]):
    criterion = serializers.CharField()
    inclusion = serializers.BooleanField()
    judged = serializers.BooleanField(help_text="By the investigator alone")
    state = serializers.ChoiceField(choices=CriterionState.choices)
    answer = serializers.ChoiceField(choices=["", *CriterionState.values])
    note = serializers.CharField()


class EvaluationAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Also the record")
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    number = serializers.IntegerField()
    protocol_version = serializers.CharField()
    engine = serializers.CharField()
    evaluated_at = serializers.DateTimeField()
    decision = serializers.ChoiceField(choices=Decided.choices)
    against = serializers.ListField(child=serializers.CharField(), help_text="Deciding criteria")
    answers = CriterionAnswerAnswer(many=True)
    content_hash = serializers.CharField(help_text="SHA-256 of what was signed")
    signed_by = serializers.CharField(allow_null=True, help_text="Printed name")
    signed_at = serializers.DateTimeField(allow_null=True)
    meaning = serializers.CharField(allow_null=True)
    signature_stands = serializers.BooleanField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewEvaluation(SigningBody):
    subject = serializers.UUIDField()
    answers = serializers.DictField(
        child=serializers.ChoiceField(choices=[Answer.MET.value, Answer.NOT_MET.value]),
        help_text="Criterion -> answer",
    )
    notes = serializers.DictField(
        child=serializers.CharField(max_length=1000, allow_blank=True),
        required=False,
        default=dict,
        help_text="Criterion -> note",
    )


def said_verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "criterion": verdict.criterion,
        "inclusion": verdict.inclusion,
        "state": verdict.state.value,
        "favourable": verdict.favourable,
        "rule": verdict.rule,
        "reason": verdict.reason.code,
        "parameters": encoded(verdict.reason.parameters),
        "flags": [flag.value for flag in verdict.flags],
        "missing": [{"need": each.need.value, "name": each.name} for each in verdict.missing],
        "assumptions": list(verdict.assumptions),
        "evidence": encoded(verdict.evidence),
    }


def said_decision(decision: Decision) -> dict[str, Any]:
    return {
        "evaluation": decision.evaluation.pk,
        "decision": decision.evaluation.decision,
        "stands": decision.stands,
        "reasons": list(decision.reasons),
    }


def said_live(live: Live, decision: Decision | None) -> dict[str, Any]:
    found = live.evaluation
    return {
        **keys_of(live.subject),
        "subject": live.subject.pk,
        "protocol_version": found.protocol_version,
        "engine": found.engine,
        "evaluated_for": found.evaluated_for,
        "outcome": found.outcome.value,
        "facts_hash": found.facts_hash,
        "verdicts": [said_verdict(each) for each in found.verdicts],
        "decision": said_decision(decision) if decision else None,
    }


def said_evaluation(
    evaluation: EligibilityEvaluation, signature: Signature | None
) -> dict[str, Any]:
    return {
        "id": evaluation.pk,
        **keys_of(evaluation.subject),
        "subject": evaluation.subject_id,
        "number": evaluation.number,
        "protocol_version": evaluation.protocol_version.version,
        "engine": evaluation.engine,
        "evaluated_at": evaluation.evaluated_at,
        "decision": evaluation.decision,
        "against": evaluation.against,
        "answers": [
            {
                "criterion": each.criterion,
                "inclusion": each.inclusion,
                "judged": each.judged,
                "state": each.state,
                "answer": each.answer,
                "note": each.note,
            }
            for each in evaluation.answers.all()
        ],
        "content_hash": evaluation.content_hash,
        "signed_by": signature.printed_name if signature else None,
        "signed_at": signature.signed_at if signature else None,
        "meaning": signature.meaning if signature else None,
        "signature_stands": signature_stands(evaluation, signature),
        "voided_at": evaluation.record.voided_at,
        "void_reason": evaluation.record.void_reason,
    }
