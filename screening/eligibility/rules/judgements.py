"""What only the investigator can judge, with the values that ask for a second look."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from screening.eligibility.cases import Case, Looked, Sample, evidence_of, samples_of
from screening.eligibility.facts import Answer, ItemFact
from screening.eligibility.measures import Limit, Measure
from screening.eligibility.readings import Reading
from screening.eligibility.verdicts import Evidence, Finding, Flag, Kind, Missing, Need, Reason, Why
from trialsite.protocol.rules import InvestigatorJudgement, Prompt, PromptSide

from .records import item_evidence, latest_items, undecided

_LOOKED_AT = {None, Why.STALE, Why.POST_PURIFICATION}


def judge_judgement(case: Case, rule: InvestigatorJudgement) -> Finding:
    """The investigator's answer; the prompts are shown beside it and decide nothing."""
    looked = Looked(shown=case.shown)
    as_written = replace(case, reading=Reading(frozenset(), {}))
    for prompt in rule.prompts if case.shown else ():
        piece = _prompt(as_written, prompt)
        if piece is not None:
            looked.evidence.append(piece)
            looked.flags.update(piece.marks)
    shown, flags = tuple(looked.evidence), frozenset(looked.flags)
    judgement = case.facts.judgements.get(case.criterion.id)
    if judgement is None or judgement.answer is Answer.UNKNOWN:
        need = Missing(need=Need.JUDGEMENT, name=case.criterion.id)
        return undecided(need, evidence=shown, flags=flags)
    answered = Evidence(
        kind=Kind.JUDGEMENT,
        name=judgement.by,
        text=judgement.answer.value,
        at=judgement.at,
        parameters={"note": judgement.note},
    )
    met = judgement.answer is Answer.MET
    reason = Reason(
        code="judged_met" if met else "judged_not_met",
        parameters={"by": judgement.by, "at": judgement.at},
    )
    return Finding(truth=met, reason=reason, flags=flags, evidence=(answered, *shown))


def _prompt(case: Case, prompt: Prompt) -> Evidence | None:
    """The latest value the prompt looks at, marked where it asks for attention."""
    piece, fired = _lab_prompt(case, prompt) if prompt.analyte else _item_prompt(case, prompt)
    if piece is None:
        return None
    return replace(
        piece,
        used=False,
        why=Why.SHOWN_ONLY,
        marks=(Flag.PROMPT,) if fired else (),
        parameters={**piece.parameters, "prompt": prompt.key},
    )


def _lab_prompt(case: Case, prompt: Prompt) -> tuple[Evidence | None, bool]:
    """The latest result up to day zero, fresh or not: looking again costs nothing."""
    for sample in samples_of(case, prompt.analyte):
        if sample.why in _LOOKED_AT:
            return evidence_of(sample), _fires(case, prompt, sample)
    return None, False


def _fires(case: Case, prompt: Prompt, sample: Sample) -> bool:
    """Against the prompt's threshold; without one, against the reporting laboratory's range."""
    below = prompt.side is PromptSide.BELOW
    if prompt.threshold:
        factor = case.protocol.labs.analyte(prompt.analyte).factor(prompt.threshold.unit)
        limit = Limit(bound=prompt.threshold, path="", factor=factor)
        measure = sample.measure
        inside = limit.admits_from_below if below else limit.admits_from_above
        return inside(measure, case.reading) is True
    fact = sample.fact
    edge = fact.low if below else fact.high
    if edge is None or fact.value is None:
        return False
    reported = Measure.of(fact.comparator, fact.value)
    if below:
        return reported.reaches(edge, inclusive=True) is False
    return reported.reaches(edge, inclusive=False) is True


def _item_prompt(case: Case, prompt: Prompt) -> tuple[Evidence | None, bool]:
    items = latest_items(case.facts, prompt.item_oid)
    if not items:
        return None, False
    fired = any(_item_fires(case, prompt, item) for item in items)
    return item_evidence(prompt.item_oid, items[0]), fired


def _item_fires(case: Case, prompt: Prompt, item: ItemFact) -> bool:
    """Without threshold the item being there, and not a plain no, is the prompt."""
    if prompt.threshold is None:
        return item.value is not False
    if not isinstance(item.value, Decimal):
        return False
    limit = Limit(bound=prompt.threshold, path="")
    measure = Measure.of("", item.value)
    below = prompt.side is PromptSide.BELOW
    inside = limit.admits_from_below if below else limit.admits_from_above
    return inside(measure, case.reading) is True
