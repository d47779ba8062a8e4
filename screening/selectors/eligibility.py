"""Reading eligibility: the evaluation of the present data, and the signed decision."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from screening.eligibility.again import evaluation_of
from screening.eligibility.engine import evaluate
from screening.eligibility.facts import Facts, JudgementFact
from screening.eligibility.frozen import thawed_judgements
from screening.eligibility.verdicts import Evaluation, Flag, Outcome, Verdict
from screening.eligibility.words import Speaker
from screening.eligibility_names import speaker_for
from screening.models.eligibility import Decided, EligibilityEvaluation
from screening.selectors.eligibility_facts import facts_of_many
from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion, Subject, SubjectStatus
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.protocol import Protocol
from trialsite.review.assumptions import confirmed_protocol
from trialsite.review.models import Signature
from trialsite.review.signatures import canonical, stands

#: The kind of a signature under an evaluation.
SIGNED = "eligibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The criteria judged on the present data, under the version in force at the site."""

    subject: Subject
    version: ProtocolVersion
    protocol: Protocol
    facts: Facts
    evaluation: Evaluation


def live_evaluation(
    subject: Subject,
    *,
    at: dt.datetime | None = None,
    judgements: Mapping[str, JudgementFact] | None = None,
) -> Live:
    """Judge the present data; the judgements are those last signed, unless others are given.

    Raises DomainError while no version is in force at the site.
    """
    given = {} if judgements is None else {subject.pk: judgements}
    if judgements is None:
        given = {key: _judged(each) for key, each in _latest([subject]).items()}
    return _live([subject], _versions([subject.site]), at=at or trial_now(), judgements=given)[
        subject.pk
    ]


def _versions(sites: Iterable[Site]) -> dict[int, ProtocolVersion]:
    """The version in force at each site that has one."""
    found = {}
    for site in {site.pk: site for site in sites}.values():
        found[site.pk] = version_in_force(site)
    return found


def _live(
    subjects: Collection[Subject],
    versions: Mapping[int, ProtocolVersion],
    *,
    at: dt.datetime,
    judgements: Mapping[uuid.UUID, Mapping[str, JudgementFact]],
) -> dict[uuid.UUID, Live]:
    """The same for many; queries by version, not by subject."""
    groups: dict[int, list[Subject]] = defaultdict(list)
    for subject in subjects:
        groups[versions[subject.site_id].pk].append(subject)
    found = {}
    for key, members in groups.items():
        protocol = confirmed_protocol(key)
        facts = facts_of_many(members, protocol=protocol, at=at, judgements=judgements)
        for subject in members:
            found[subject.pk] = Live(
                subject=subject,
                version=versions[subject.site_id],
                protocol=protocol,
                facts=facts[subject.pk],
                evaluation=evaluate(protocol, facts[subject.pk]),
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The signed decision of eligibility that a subject stands by.

    It `stands` while the present data say the same under the version in force and nothing
    has touched its signature; `reasons` say why it does not.
    """

    evaluation: EligibilityEvaluation
    signature: Signature | None
    reasons: tuple[str, ...]

    @property
    def eligible(self) -> bool:
        return self.evaluation.decision == Decided.ELIGIBLE

    @property
    def stands(self) -> bool:
        return not self.reasons


def signed_decision(subject: Subject, *, at: dt.datetime | None = None) -> Decision | None:
    """The subject's latest signed decision, if there is one."""
    return signed_decisions([subject], at=at).get(subject.pk)


def signed_decisions(
    subjects: Collection[Subject], *, at: dt.datetime | None = None
) -> dict[uuid.UUID, Decision]:
    """The latest signed decision of each of these subjects that has one; they come with
    their sites. The number of queries does not grow with them.

    What was decided stays as it was once the person has left screening: later data are those
    of a participant, not of a candidate.
    """
    latest = _latest(subjects)
    if not latest:
        return {}
    signatures = signatures_of(latest.values())
    waiting = [
        each for each in subjects if each.pk in latest and each.status == SubjectStatus.SCREENING
    ]
    present, problem = _present(waiting, latest, at=at)
    decisions = {}
    for subject in subjects:
        evaluation = latest.get(subject.pk)
        if evaluation is None:
            continue
        signature = signatures.get(evaluation.pk)
        reasons = _signature_problems(evaluation, signature)
        if subject in waiting:
            live = present.get(subject.pk)
            reasons += _changes(evaluation, live) if live else [problem[subject.site_id]]
        decisions[subject.pk] = Decision(
            evaluation=evaluation, signature=signature, reasons=tuple(reasons)
        )
    return decisions


def _present(
    subjects: Collection[Subject],
    latest: Mapping[uuid.UUID, EligibilityEvaluation],
    *,
    at: dt.datetime | None,
) -> tuple[dict[uuid.UUID, Live], dict[int, str]]:
    """Each judged anew with the judgements that were signed; where no version is in force, why."""
    versions: dict[int, ProtocolVersion] = {}
    problems: dict[int, str] = {}
    for site in {subject.site_id: subject.site for subject in subjects}.values():
        try:
            versions[site.pk] = version_in_force(site)
        except DomainError as refused:
            problems[site.pk] = str(refused)
    able = [subject for subject in subjects if subject.site_id in versions]
    if not able:
        return {}, problems
    judgements = {subject.pk: _judged(latest[subject.pk]) for subject in able}
    return _live(able, versions, at=at or trial_now(), judgements=judgements), problems


def _latest(subjects: Collection[Subject]) -> dict[uuid.UUID, EligibilityEvaluation]:
    rows = (
        EligibilityEvaluation.objects.standing()
        .filter(subject_id__in=[subject.pk for subject in subjects])
        .select_related("protocol_version", "record")
        .prefetch_related("answers")
        .order_by("subject_id", "-number")
        .distinct("subject_id")
    )
    return {row.subject_id: row for row in rows} if subjects else {}


def _judged(evaluation: EligibilityEvaluation) -> dict[str, JudgementFact]:
    return thawed_judgements(evaluation.facts)


def signatures_of(
    evaluations: Iterable[EligibilityEvaluation],
) -> dict[uuid.UUID, Signature]:
    """The signature under each evaluation, voided ones too; one query."""
    keys = [each.pk for each in evaluations]
    rows = Signature.objects.filter(kind=SIGNED, target__in=keys).select_related("signed_by")
    return {row.target: row for row in rows}


def content_of(evaluation: EligibilityEvaluation) -> str:
    """What is signed: facts and verdicts by their hashes, every answer, the decision."""
    return canonical(
        {
            "record": evaluation.pk,
            "number": evaluation.number,
            "protocol_version": evaluation.protocol_version.version,
            "protocol_hash": evaluation.protocol_version.content_hash,
            "engine": evaluation.engine,
            "facts": _sha256(evaluation.facts),
            "verdicts": _sha256(evaluation.verdicts),
            "decision": str(evaluation.decision),
            "against": evaluation.against,
            "answers": [
                [each.criterion, str(each.state), str(each.answer), each.note]
                for each in evaluation.answers.all()
            ],
        }
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def reproduce(evaluation: EligibilityEvaluation) -> Evaluation:
    """The evaluation made once more from its frozen facts, protocol text and confirmations."""
    confirmed = json.loads(evaluation.verdicts)["confirmed"]
    return evaluation_of(evaluation.facts, evaluation.protocol_version.content, confirmed)


def protocol_then(evaluation: EligibilityEvaluation) -> Protocol:
    """The protocol as it was when the evaluation was signed, with what was confirmed then."""
    confirmed = json.loads(evaluation.verdicts)["confirmed"]
    return protocol_of(evaluation.protocol_version_id).with_confirmed(confirmed)


@dataclass(frozen=True, slots=True)
class Past:
    """One signed evaluation of a subject with its signature."""

    evaluation: EligibilityEvaluation
    signature: Signature | None
    stands: bool


def history_of(subject: Subject) -> list[Past]:
    """Every evaluation of a subject, the latest first, voided ones too; three queries."""
    rows = list(
        EligibilityEvaluation.objects.filter(subject=subject)
        .select_related("protocol_version", "record", "signed_by")
        .prefetch_related("answers")
        .order_by("-number")
    )
    signatures = signatures_of(rows)
    return [
        Past(row, found := signatures.get(row.pk), signature_stands(row, found)) for row in rows
    ]


def signature_stands(evaluation: EligibilityEvaluation, signature: Signature | None) -> bool:
    """Whether the signature is unvoided and binds these very rows."""
    return signature is not None and stands(signature, content_of(evaluation))


def _signature_problems(
    evaluation: EligibilityEvaluation, signature: Signature | None
) -> list[str]:
    if signature_stands(evaluation, signature):
        return []
    return [_("The signature under the decision does not stand.")]


def _changes(evaluation: EligibilityEvaluation, live: Live) -> list[str]:
    """What the present data, or the version in force, say against the decision."""
    if live.version.pk != evaluation.protocol_version_id:
        return [
            _("It was decided under version %(then)s; version %(now)s is in force.")
            % {"then": evaluation.protocol_version.version, "now": live.version.version}
        ]
    say = speaker_for(live.protocol, live.subject.site)
    if evaluation.decision == Decided.INELIGIBLE:
        return [
            _told(say, verdict)
            for verdict in live.evaluation.verdicts
            if verdict.criterion in evaluation.against and verdict.favourable
        ]
    if live.evaluation.outcome is Outcome.ELIGIBLE:
        return _alarms(evaluation, live, say)
    return [_told(say, each) for each in live.evaluation.verdicts if not each.favourable]


def _told(say: Speaker, verdict: Verdict) -> str:
    """A criterion as it stands now, with what is missing or what decided."""
    words = [say.missing(need) for need in verdict.missing] or [say.reason(verdict)]
    return _("%(criterion)s: now %(state)s. %(why)s") % {
        "criterion": verdict.criterion,
        "state": say.headline(verdict),
        "why": " ".join(words),
    }


def _alarms(evaluation: EligibilityEvaluation, live: Live, say: Speaker) -> list[str]:
    """Values that ask for another look at a judgement, and did not when it was made."""
    seen = {
        (verdict["criterion"], piece["parameters"]["prompt"])
        for verdict in json.loads(evaluation.verdicts)["verdicts"]
        for piece in verdict["evidence"]
        if Flag.PROMPT.value in piece["marks"]
    }
    return [
        _("%(criterion)s was judged before this was known: %(name)s %(value)s.")
        % {"criterion": verdict.criterion, "name": say.evidence(piece), "value": piece.text}
        for verdict in live.evaluation.verdicts
        for piece in verdict.evidence
        if Flag.PROMPT in piece.marks and (verdict.criterion, _prompt(piece.parameters)) not in seen
    ]


def _prompt(parameters: Mapping[str, Any]) -> str:
    return str(parameters["prompt"])
