"""Judges every criterion of a protocol for one person's facts.

Pure: the same protocol, confirmations and facts give the same evaluation, whatever the
machine, its clock, or the decimal context of the caller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, localcontext
from enum import StrEnum
from functools import lru_cache
from typing import Any

from trialsite.protocol import Criterion, CriterionCategory, Protocol
from trialsite.protocol.rules import (
    AgeRange,
    AnyAboveUln,
    ConsentByParticipant,
    EitherRange,
    GradeAtMost,
    InvestigatorJudgement,
    LabAtLeastOrDailyRise,
    Rule,
    ScoreAbove,
    SevereAllergy,
)

from .cases import Case
from .facts import Facts
from .frozen import canonical_json, content_hash, in_order
from .readings import Reading, explore_beside
from .rules.age import judge_age
from .rules.judgements import judge_judgement
from .rules.levels import judge_level_or_rise
from .rules.ranges import judge_any_above_uln, judge_either_range
from .rules.records import judge_consent, judge_grade, judge_severe_allergy
from .rules.scores import judge_score_above, testcds_of
from .verdicts import (
    Evaluation,
    Finding,
    Flag,
    Missing,
    Need,
    Outcome,
    Parameters,
    Reason,
    State,
    Verdict,
    unique,
)

#: Goes up whenever the same inputs could give another verdict than before.
ENGINE = "1"

#: The part of a protocol that verdicts rest on.
SECTIONS = ("criteria.", "labs.rules.", "labs.analytes.")

#: How each rule kind of the catalogue is judged.
JUDGES: dict[type[Rule], Callable[[Case, Any], Finding]] = {
    AgeRange: judge_age,
    AnyAboveUln: judge_any_above_uln,
    ConsentByParticipant: judge_consent,
    EitherRange: judge_either_range,
    GradeAtMost: judge_grade,
    InvestigatorJudgement: judge_judgement,
    LabAtLeastOrDailyRise: judge_level_or_rise,
    ScoreAbove: judge_score_above,
    SevereAllergy: judge_severe_allergy,
}

#: More digits than any product of two printed numbers has, so that nothing is rounded.
_EXACT = Context(prec=60)


def evaluate(protocol: Protocol, facts: Facts) -> Evaluation:
    """One verdict per criterion in the protocol's order, and what follows from them all."""
    facts = in_order(facts)
    verdicts = verdicts_of(protocol, facts)
    return Evaluation(
        engine=ENGINE,
        protocol_version=protocol.version,
        protocol_hash=protocol.content_hash,
        confirmed=confirmations(protocol),
        facts_hash=content_hash(canonical_json(facts)),
        evaluated_for=facts.day_zero,
        outcome=outcome_of(verdicts),
        verdicts=verdicts,
    )


def verdicts_of(protocol: Protocol, facts: Facts, *, counted: bool = False) -> tuple[Verdict, ...]:
    """The verdicts alone, for whoever keeps and signs nothing.

    Those who only count many people say so: then flags and evidence are not gathered, but
    for the versions of a score; states, reasons and what is missing are the same.
    """
    common: dict[object, Any] = {}
    with localcontext(_EXACT):
        return tuple(
            _verdict(
                each,
                Case(
                    protocol,
                    each.criterion,
                    facts,
                    Reading(each.open_paths, {}),
                    shown=not counted,
                    counted=counted,
                    common=common,
                ),
            )
            for each in _judged(protocol)
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A criterion with what is the same for everybody."""

    criterion: Criterion
    judge: Callable[[Case, Any], Finding]
    parameters: Parameters
    open_paths: frozenset[str]


@lru_cache(maxsize=16)
def _judged(protocol: Protocol) -> tuple[_Judged, ...]:
    open_paths = frozenset(
        one.path for one in protocol.assumptions() if one.path.startswith(SECTIONS)
    )
    return tuple(
        _Judged(each, JUDGES[type(each.rule)], parameters_of(each.rule), open_paths)
        for each in protocol.criteria
    )


@lru_cache(maxsize=16)
def analytes_read(protocol: Protocol) -> frozenset[str]:
    """The analytes that any criterion looks at."""
    rules = [criterion.rule for criterion in protocol.criteria]
    codes = {code for rule in rules if isinstance(rule, ScoreAbove) for code in testcds_of(rule)}
    used = {use.analyte for rule in rules for use in rule.lab_uses()}
    return frozenset(used | {one.key for one in protocol.labs.analytes if one.testcd in codes})


@lru_cache(maxsize=16)
def items_read(protocol: Protocol) -> frozenset[str]:
    """The OIDs of the CRF items that any criterion looks at."""
    rules = [criterion.rule for criterion in protocol.criteria]
    return frozenset(oid for rule in rules for _field, oid in rule.item_uses())


@lru_cache(maxsize=16)
def confirmations(protocol: Protocol) -> tuple[str, ...]:
    """The confirmed assumptions that verdicts may rest on, in order of their paths."""
    confirmed = protocol.provenance.confirmed
    return tuple(sorted(path for path in confirmed if path.startswith(SECTIONS)))


def _verdict(judged: _Judged, case: Case) -> Verdict:
    criterion, judge = judged.criterion, judged.judge

    def decide(reading: Reading) -> Finding:
        other = Case(
            case.protocol,
            criterion,
            case.facts,
            reading,
            shown=False,
            memo=case.memo,
            common=case.common,
        )
        return judge(other, criterion.rule)

    written = judge(case, criterion.rule)
    paths: tuple[str, ...] = ()
    if written.truth is not None:
        explored = explore_beside(case.reading, decide, decided=written)
        paths = tuple(sorted(explored.paths)) if len(explored.truths) > 1 else ()
    return _said(judged, written, paths)


def _said(judged: _Judged, written: Finding, paths: tuple[str, ...]) -> Verdict:
    """The verdict of the written reading, unless an open assumption would change it."""
    criterion = judged.criterion
    flags, missing = set(written.flags), list(written.missing)
    state, reason = State.of(written.truth), written.reason
    if paths:
        flags.add(Flag.UNCONFIRMED_ASSUMPTION)
        missing += [Missing(need=Need.CONFIRMATION, name=path) for path in paths]
        state = State.NOT_YET_KNOWN
        reason = Reason(code="assumption_open", parameters={"paths": paths})
    return Verdict(
        criterion=criterion.id,
        inclusion=criterion.category is CriterionCategory.INCLUSION,
        state=state,
        reason=reason,
        as_written=State.of(written.truth),
        written=written.reason,
        rule=criterion.rule.kind,
        parameters=judged.parameters,
        flags=tuple(sorted(flags)),
        evidence=written.evidence,
        missing=unique(missing),
        assumptions=paths,
    )


def outcome_of(verdicts: tuple[Verdict, ...]) -> Outcome:
    """No criterion may speak against the person, and none may be open."""
    if any(each.favourable is False for each in verdicts):
        return Outcome.INELIGIBLE
    if any(each.favourable is None for each in verdicts):
        return Outcome.NOT_YET_KNOWN
    return Outcome.ELIGIBLE


@lru_cache(maxsize=256)
def parameters_of(rule: Rule) -> Parameters:
    """A rule's parameters by their path below the rule, as its version of the protocol
    has them."""
    found: dict[str, Any] = {}
    _collect("", rule, found)
    return found


def _collect(prefix: str, section: Any, found: dict[str, Any]) -> None:
    for spec in dataclasses.fields(section):
        value = getattr(section, spec.name)
        name = f"{prefix}{spec.name}"
        members = value if isinstance(value, tuple) else (value,)
        if value is not None and any(dataclasses.is_dataclass(member) for member in members):
            for member in members:
                key = getattr(member, "key", None) or getattr(member, "analyte", None)
                tail = f".{key}" if isinstance(value, tuple) else ""
                _collect(f"{name}{tail}.", member, found)
        elif value is not None:
            found[name] = value.value if isinstance(value, StrEnum) else value
