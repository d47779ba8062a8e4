"""Deciding in the demonstration: the engine judges, an investigator signs what follows."""

from __future__ import annotations

from collections.abc import Collection

from django.utils import timezone

from screening.eligibility.verdicts import State
from screening.models.eligibility import EligibilityEvaluation
from screening.selectors.eligibility import live_evaluation
from screening.services.eligibility import sign_eligibility
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.core.context import Channel, acting
from trialsite.demo.against import Against, criterion_against
from trialsite.protocol import CriterionCategory
from trialsite.protocol.rules import InvestigatorJudgement
from trialsite.review.assumptions import confirm_assumptions, confirmed_protocol

#: What the verdicts rest on. Everything else stays an assumption, as on any first day.
DECIDING = ("criteria.", "labs.rules.")
#: Left open: it only asks for a second look, and shows how an open value is presented.
LEFT_OPEN = ("criteria.EX03.rule.prompts.", "labs.rules.ctcae_version")


def proof_of(person: User) -> SigningProof:
    """That this command signs for an invented person."""
    return SigningProof(user_id=person.pk, at=timezone.now(), method="command")


def confirm(version: ProtocolVersion, *, by: User) -> None:
    """The principal investigator makes what decides on eligibility the study's own."""
    with acting(context_of(by, Channel.COMMAND)):
        paths = [
            each.path
            for each in confirmed_protocol(version.pk).assumptions()
            if each.path.startswith(DECIDING) and not each.path.startswith(LEFT_OPEN)
        ]
        confirm_assumptions(version=version, paths=paths, by=by, proof=proof_of(by))


def decide(
    subject: Subject, *, by: User, against: Collection[Against] = ()
) -> EligibilityEvaluation:
    """Sign what the data say; the investigator's judgements speak for the person, but these."""
    answers = {}
    with acting(context_of(by, Channel.COMMAND)):
        live = live_evaluation(subject)
    refused = {criterion_against(live.protocol, each) for each in against}
    for verdict in live.evaluation.verdicts:
        criterion = live.protocol.criterion(verdict.criterion)
        if isinstance(criterion.rule, InvestigatorJudgement):
            included = criterion.category is CriterionCategory.INCLUSION
            met = included is not (criterion.id in refused)
            answers[criterion.id] = State.MET.value if met else State.NOT_MET.value
        elif verdict.state is not State.NOT_YET_KNOWN:
            answers[criterion.id] = verdict.state.value
    with acting(context_of(by, Channel.COMMAND)):
        return sign_eligibility(subject=subject, answers=answers, by=by, proof=proof_of(by))
