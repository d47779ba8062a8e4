"""A computed score above a threshold, in the version the protocol names.

Inputs are found by their LBTESTCD (CDISC) and handed over in the unit of the formula.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from screening.eligibility.cases import (
    Case,
    Looked,
    Sample,
    cross_lab,
    later_than,
    newest,
    result_needed,
    samples_of,
)
from screening.eligibility.facts import Facts
from screening.eligibility.measures import Truth
from screening.eligibility.readings import half_and_double
from screening.eligibility.verdicts import (
    Evidence,
    Finding,
    Flag,
    Kind,
    Missing,
    Need,
    Part,
    Reason,
    Why,
)
from trialsite.labs.scores import Given, Score, ScoreInput, meld
from trialsite.labs.scores import Why as Lacking
from trialsite.labs.scores.meld import AETIOLOGY
from trialsite.protocol.labs import Analyte
from trialsite.protocol.rules import ScoreAbove, ScoreRounding

_CAUSES = {"alcoholic", "biliary"}
#: Inputs that are no laboratory results, and what to ask for.
_ASKED = {
    "female": Need.SEX,
    "dialysis": Need.DIALYSIS,
    "alcoholic_or_biliary": Need.AETIOLOGY,
}

Inputs = dict[str, Given]


@dataclass(frozen=True, slots=True)
class _Formula:
    """A score: its laboratory inputs as (name, LBTESTCD, unit), how it is computed, and in
    which versions the floors are a choice."""

    inputs: tuple[tuple[str, str, str], ...]
    compute: Callable[[str, bool, Inputs, Facts], Score]
    by_floors: frozenset[str]


def _meld(version: str, floors: bool, given: Inputs, facts: Facts) -> Score:  # noqa: FBT001
    return meld(
        version=version,
        floors=floors,
        female=facts.sex == "F" if facts.sex in {"M", "F"} else None,
        dialysis=facts.dialysis,
        alcoholic_or_biliary=None if facts.aetiology is None else facts.aetiology in _CAUSES,
        **given,
    )


_FORMULAS = {
    "MELD": _Formula(
        inputs=(
            ("bilirubin", "BILI", "umol/L"),
            ("inr", "INR", "{INR}"),
            ("creatinine", "CREAT", "umol/L"),
            ("sodium", "SODIUM", "mmol/L"),
            ("albumin", "ALB", "g/L"),
        ),
        compute=_meld,
        by_floors=frozenset({AETIOLOGY}),
    )
}


def testcds_of(rule: ScoreAbove) -> frozenset[str]:
    """The LBTESTCDs of the laboratory results that the rule's score is computed from."""
    formula = _FORMULAS.get(rule.score)
    return frozenset(testcd for _name, testcd, _unit in formula.inputs) if formula else frozenset()


@dataclass(frozen=True, slots=True)
class _Scored:
    """The inputs found, and the score they give in any version."""

    case: Case
    formula: _Formula
    given: Inputs
    samples: dict[str, list[Sample]]
    used: dict[str, list[Sample]]
    #: Scores of these inputs by version and floors, for all readings that use them.
    known: dict[tuple[str, bool], Score]

    def score(self, version: str, *, floors: bool) -> Score:
        """The score in this version; a version nobody has a formula for has no score."""
        key = (version, floors and version in self.formula.by_floors)
        known = self.known
        if key not in known:
            try:
                score = self.formula.compute(version, floors, self.given, self.case.facts)
            except LookupError:
                score = Score(algorithm="", version=version, reason=Lacking.NOT_APPLICABLE)
            known[key] = score
        return known[key]


def judge_score_above(case: Case, rule: ScoreAbove) -> Finding:
    """The score in the protocol's version is above the threshold."""
    name = case.reading.choose(case.path("score"), rule.score, (None,))
    formula = _FORMULAS.get(name or "")
    if formula is None:
        return Finding(
            truth=None,
            reason=Reason(code="not_enough"),
            missing=(Missing(need=Need.SCORE, name=rule.score),),
        )
    looked = Looked(shown=case.shown)
    scored = _scored(case, formula, looked)
    versions = tuple(dict.fromkeys((rule.version, *rule.shown)))
    floored = [each for each in versions if each in formula.by_floors]
    floors = case.reading.choose(
        case.path("floors"),
        rule.floors,
        (not rule.floors,),
        lambda option: [scored.score(each, floors=option).raw for each in floored],
    )
    version = case.reading.choose(case.path("version"), rule.version, versions)
    score = scored.score(version, floors=floors)
    truth = _above(case, rule, score)
    if case.shown or case.counted:
        _show_versions(case, rule, scored, looked)
    if truth is None:
        looked.missing += _needs(case, scored, score)
    return Finding(
        truth=truth,
        reason=_reason(rule, score, truth),
        flags=frozenset(looked.flags),
        evidence=tuple(looked.evidence),
        missing=tuple(looked.missing) if truth is None else (),
    )


def _scored(case: Case, formula: _Formula, looked: Looked) -> _Scored:
    key = (formula.inputs, case.reading.open_paths)
    kept: _Scored | None = case.memo.get(key)
    if kept is not None and not case.shown:
        return kept
    doubted = case.reading.doubted
    found = _found(case, formula, looked)
    if case.reading.doubted == doubted:
        case.memo[key] = found
    return found


def _found(case: Case, formula: _Formula, looked: Looked) -> _Scored:
    given: Inputs = {}
    samples: dict[str, list[Sample]] = {}
    used: dict[str, list[Sample]] = {}
    for name, testcd, unit in formula.inputs:
        analyte = _analyte(case, testcd)
        samples[name] = samples_of(case, analyte.key) if analyte else []
        used[name] = newest(samples[name])
        given[name] = _given(analyte, used[name], unit, looked)
        looked.use(used[name])
        looked.set_aside(later_than(samples[name], used[name]))
    if cross_lab(sample for each in used.values() for sample in each):
        looked.flags.add(Flag.CROSS_LAB)
    known = case.memo.setdefault(tuple(given.values()), {})
    return _Scored(case, formula, given, samples, used, known)


def _analyte(case: Case, testcd: str) -> Analyte | None:
    found = (one for one in case.protocol.labs.analytes if one.testcd == testcd)
    return next(found, None)


def _given(analyte: Analyte | None, samples: list[Sample], unit: str, looked: Looked) -> Given:
    """The input in the formula's unit; two different results of one moment are none."""
    if analyte is None or not samples:
        return Given(lacking=Lacking.MISSING)
    if len({sample.measure for sample in samples}) > 1:
        looked.flags.add(Flag.CONFLICTING)
        return Given(lacking=Lacking.MISSING)
    source = samples[0].fact.result_id
    exact = samples[0].measure.exact
    if exact is None:
        return Given(source_id=source, lacking=Lacking.CENSORED)
    try:
        return Given(value=exact / analyte.factor(unit), source_id=source)
    except LookupError:
        return Given(source_id=source, lacking=Lacking.MISSING)


def _compared(rule_rounding: ScoreRounding, score: Score) -> Decimal | None:
    return score.raw if rule_rounding is ScoreRounding.NONE else score.displayed


def _above(case: Case, rule: ScoreAbove, score: Score) -> Truth:
    if score.raw is None:
        return None
    choose = case.reading.choose

    def judge(rounding: ScoreRounding, threshold: Decimal) -> bool:
        value = _compared(rounding, score)
        assert value is not None
        return value > threshold

    doubted = half_and_double(rule.threshold)
    threshold = choose(
        case.path("threshold"),
        rule.threshold,
        doubted,
        lambda option: tuple(judge(rounding, option) for rounding in ScoreRounding),
    )
    rounding = choose(
        case.path("rounding"),
        rule.rounding,
        ScoreRounding,
        lambda option: judge(option, threshold),
    )
    return judge(rounding, threshold)


def _show_versions(case: Case, rule: ScoreAbove, scored: _Scored, looked: Looked) -> None:
    """Every version beside the named one; where floors are open, without them as well."""
    undecided = case.reading.is_open(case.path("version"))
    for version in dict.fromkeys((rule.version, *rule.shown)):
        named = undecided or version == rule.version
        score = scored.score(version, floors=rule.floors)
        looked.evidence.append(_version_shown(case, score, floors=rule.floors, used=named))
        if named and _at_boundary(rule, score):
            looked.flags.add(Flag.AT_BOUNDARY)
        if case.reading.is_open(case.path("floors")):
            other = scored.score(version, floors=not rule.floors)
            if other.raw != score.raw:
                evidence = _version_shown(case, other, floors=not rule.floors, used=named)
                looked.evidence.append(evidence)


def _at_boundary(rule: ScoreAbove, score: Score) -> bool:
    return score.raw is not None and rule.boundary_low <= score.raw <= rule.boundary_high


def _version_shown(case: Case, score: Score, *, floors: bool, used: bool) -> Evidence:
    return Evidence(
        kind=Kind.SCORE,
        name=score.algorithm,
        text="" if score.displayed is None else str(score.displayed),
        used=used,
        why=None if used else Why.SHOWN_ONLY,
        parameters={
            "version": score.version,
            "raw": "" if score.raw is None else score.raw,
            "floors": floors,
            "not_computed": score.reason.value,
            "missing": score.missing,
        },
        parts=tuple(_part(one) for one in score.inputs) if case.shown else (),
    )


def _part(one: ScoreInput) -> Part:
    return Part(
        name=one.name,
        value="" if one.value is None else str(one.value),
        unit=one.unit,
        used=one.used,
        result_id=one.source_id,
    )


def _needs(case: Case, scored: _Scored, score: Score) -> list[Missing]:
    """What would let this version be computed."""
    needs = [Missing(need=_ASKED[name]) for name in score.missing if name in _ASKED]
    for name, testcd, _unit in scored.formula.inputs:
        if name in score.missing:
            analyte = _analyte(case, testcd)
            needs.append(_result_need(analyte, testcd, scored, name))
    return needs or [Missing(need=Need.SCORE, name=f"{score.algorithm} {score.version}".strip())]


def _result_need(analyte: Analyte | None, testcd: str, scored: _Scored, name: str) -> Missing:
    used = scored.used[name]
    key = analyte.key if analyte else testcd
    if not used:
        return result_needed(key, scored.samples[name])
    several = len({sample.measure for sample in used}) > 1
    return Missing(need=Need.ONE_RESULT if several else Need.EXACT_RESULT, name=key)


def _reason(rule: ScoreAbove, score: Score, truth: Truth) -> Reason:
    if truth is None or score.raw is None or score.displayed is None:
        return Reason(code="not_enough")
    return Reason(
        code="score_above" if truth else "score_not_above",
        parameters={
            "score": rule.score,
            "version": score.version,
            "displayed": score.displayed,
            "raw": score.raw,
            "threshold": rule.threshold,
            "rounded": rule.rounding is ScoreRounding.HALF_UP,
        },
    )
