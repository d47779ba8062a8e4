"""One criterion before one person's facts, and the results of theirs that it may use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Any

from trialsite.protocol import Criterion, Protocol
from trialsite.protocol.labs import PostPurificationUse
from trialsite.protocol.values import Bound

from .facts import Facts, LabFact
from .measures import Limit, Measure, Truth
from .readings import Reading, half_and_double
from .verdicts import Evidence, Flag, Kind, Missing, Need, Why

_RULES = "labs.rules"
_HOUR = 3_600_000_000
_SET_ASIDE_FLAGS = {Why.POST_PURIFICATION: Flag.POST_PURIFICATION, Why.STALE: Flag.STALE}
_RENEWED = {Why.POST_PURIFICATION, Why.STALE}


@dataclass(frozen=True, slots=True)
class Case:
    """A criterion under one reading of the protocol.

    Only one reading is `shown`, the others just decide; `memo` spares them what does not
    depend on the reading. Of a `counted` one the versions of its score are told, and no other
    evidence.
    """

    protocol: Protocol
    criterion: Criterion
    facts: Facts
    reading: Reading
    shown: bool = True
    counted: bool = False
    memo: dict[object, Any] = field(default_factory=dict)
    #: What does not depend on the criterion either: one for all criteria of a person.
    common: dict[object, Any] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """Where a parameter of the rule stands in the protocol."""
        return f"criteria.{self.criterion.id}.rule.{name}"

    def limit(self, bound: Bound, name: str, factor: Decimal = Decimal(1)) -> Limit:
        return Limit(bound=bound, path=self.path(name), factor=factor)

    def lab_limit(self, bound: Bound, name: str, analyte: str) -> Limit:
        """A bound in the unit the analyte is compared in."""
        factor = self.protocol.labs.analyte(analyte).factor(bound.unit)
        return self.limit(bound, name, factor)


@dataclass(frozen=True, slots=True)
class Sample:
    """A result, what it measures in the canonical unit, and why it may not be used."""

    fact: LabFact
    measure: Measure
    canonical: Decimal | None
    canonical_unit: str
    why: Why | None
    marks: tuple[Flag, ...] = ()

    @property
    def usable(self) -> bool:
        return self.why is None

    @property
    def draw(self) -> object:
        return self.fact.draw or (self.fact.laboratory, self.fact.collected_at)


@dataclass(slots=True)
class Looked:
    """What a rule has looked at so far; where nothing is shown, no evidence is gathered."""

    shown: bool = True
    evidence: list[Evidence] = field(default_factory=list)
    flags: set[Flag] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)

    def use(self, samples: Iterable[Sample]) -> None:
        """These results took part; each is shown once."""
        for sample in samples if self.shown else ():
            piece = evidence_of(sample)
            if piece not in self.evidence:
                self.evidence.append(piece)
                self.flags.update(sample.marks)

    def set_aside(self, samples: Iterable[Sample]) -> None:
        """These were newer than what was used, and why they were not."""
        for sample in samples if self.shown else ():
            self.evidence.append(evidence_of(sample))
            if sample.why in _SET_ASIDE_FLAGS:
                self.flags.add(_SET_ASIDE_FLAGS[sample.why])


def samples_of(case: Case, analyte: str, *, canonical: bool = True) -> list[Sample]:
    """Every result of the analyte, newest first. Without `canonical` the measure is in the
    unit reported, for comparison with the reporting laboratory's own range."""
    marked = case.common.get(analyte)
    if marked is None:
        marked = case.common[analyte] = [
            (fact, _marks(case, fact)) for fact in _sorted(case, analyte)
        ]
    purified = any(fact.hours_since_purification is not None for fact, _marked in marked)
    memo = case.memo if purified else case.common
    key = (analyte, canonical, case.reading.open_paths)
    known: list[Sample] | None = memo.get(key)
    if known is not None:
        return known
    doubted = case.reading.doubted
    found = [_sample(case, fact, marks, canonical=canonical) for fact, marks in marked]
    if case.reading.doubted == doubted:
        memo[key] = found
    return found


def _sorted(case: Case, analyte: str) -> list[LabFact]:
    facts = [fact for fact in case.facts.labs if fact.analyte == analyte]
    facts.sort(key=lambda fact: (fact.laboratory, fact.text, str(fact.result_id)))
    facts.sort(key=attrgetter("collected_at"), reverse=True)
    return facts


def _sample(case: Case, fact: LabFact, marks: tuple[Flag, ...], *, canonical: bool) -> Sample:
    factor = _factor(case, fact)
    if fact.value is None or fact.missing:
        return Sample(fact, Measure(None, None), None, "", Why.RESULT_MISSING, marks)
    reported = Measure.of(fact.comparator, fact.value)
    if factor is None:
        why = Why.UNIT_UNKNOWN if canonical else _set_aside(case, fact)
        return Sample(fact, reported, None, "", why, marks)
    measure = reported.times(factor) if canonical else reported
    unit = case.protocol.labs.analyte(fact.analyte).unit
    return Sample(fact, measure, fact.value * factor, unit, _set_aside(case, fact), marks)


def _marks(case: Case, fact: LabFact) -> tuple[Flag, ...]:
    rules, hours = case.protocol.labs.rules, fact.hours_since_purification
    soon = rules is not None and hours is not None and hours < rules.purification_lag_hours
    marks = {
        Flag.CENSORED: bool(fact.comparator),
        Flag.POST_PURIFICATION: soon,
        Flag.ROUTINE_CARE: fact.routine_care,
    }
    return tuple(flag for flag, given in marks.items() if given)


def _factor(case: Case, fact: LabFact) -> Decimal | None:
    """The factor to the canonical unit by this protocol, not as converted at entry."""
    analyte = case.protocol.labs.analyte(fact.analyte)
    try:
        factor = analyte.factor(fact.unit)
    except LookupError:
        return None
    path = f"labs.analytes.{analyte.key}.units.{fact.unit}.factor"
    return case.reading.choose(path, factor, (None,))


def _set_aside(case: Case, fact: LabFact) -> Why | None:
    if fact.collected_at > case.facts.day_zero:
        return Why.AFTER_DAY_ZERO
    if _too_soon(case, fact.hours_since_purification):
        return Why.POST_PURIFICATION
    return Why.STALE if _stale(case, case.facts.day_zero - fact.collected_at) else None


def _too_soon(case: Case, hours: Decimal | None) -> bool:
    """Decision C9: whether a result within the lag is kept out of this criterion."""
    rules, choose = case.protocol.labs.rules, case.reading.choose
    if rules is None or hours is None:
        return False
    written = rules.purification_lag_hours
    tried = (Decimal(0), *half_and_double(written))
    lag = choose(f"{_RULES}.purification_lag_hours", written, tried, lambda lag: hours < lag)
    if hours >= lag:
        return False
    listed = case.criterion.id in rules.flagged_criteria
    if not choose(f"{_RULES}.flagged_criteria", listed, (not listed,)):
        return False
    path, use = f"{_RULES}.flagged_in_criteria", rules.flagged_in_criteria
    return choose(path, use, PostPurificationUse, _excludes) is PostPurificationUse.EXCLUDED


def _excludes(use: PostPurificationUse) -> bool:
    return use is PostPurificationUse.EXCLUDED


def _stale(case: Case, age: dt.timedelta) -> bool:
    rules = case.protocol.labs.rules
    if rules is None:
        return False
    written = rules.eligibility_hours
    elapsed = microseconds(age)

    def older(hours: Decimal | None) -> bool:
        return hours is not None and elapsed > hours * _HOUR

    return older(
        case.reading.choose(
            f"{_RULES}.eligibility_hours",
            written,
            (None, *half_and_double(written)),
            older,
        )
    )


def microseconds(span: dt.timedelta) -> int:
    """A span exactly."""
    return span // dt.timedelta(microseconds=1)


def newest(samples: Iterable[Sample]) -> list[Sample]:
    """The latest usable result; more than one only where several were drawn at that moment."""
    usable = [sample for sample in samples if sample.usable]
    return [each for each in usable if each.fact.collected_at == usable[0].fact.collected_at]


def later_than(samples: Iterable[Sample], used: list[Sample]) -> list[Sample]:
    """What stands there from after the results used, and could not be used itself."""
    return [
        sample
        for sample in samples
        if not sample.usable and (not used or sample.fact.collected_at >= used[0].fact.collected_at)
    ]


def agreed(
    samples: list[Sample], judge: Callable[[Sample], Truth], analyte: str, looked: Looked
) -> Truth:
    """What all results of the same moment say; none, or no agreement, is unknown."""
    truths = [judge(sample) for sample in samples]
    if len(set(truths)) > 1:
        looked.flags.add(Flag.CONFLICTING)
        looked.missing.append(Missing(need=Need.ONE_RESULT, name=analyte))
        return None
    if truths and truths[0] is None:
        looked.missing.append(Missing(need=Need.EXACT_RESULT, name=analyte))
    return truths[0] if truths else None


def result_needed(analyte: str, samples: Iterable[Sample]) -> Missing:
    """What to ask for where no result could be used."""
    renewed = any(sample.why in _RENEWED for sample in samples)
    return Missing(need=Need.FRESH_RESULT if renewed else Need.RESULT, name=analyte)


def evidence_of(sample: Sample) -> Evidence:
    """The result as reported, and in the canonical unit of the protocol."""
    fact = sample.fact
    return Evidence(
        kind=Kind.LAB,
        name=fact.analyte,
        text=fact.text,
        unit=fact.unit,
        canonical=sample.canonical,
        canonical_unit=sample.canonical_unit,
        at=fact.collected_at,
        result_id=fact.result_id,
        record_id=fact.record_id,
        used=sample.usable,
        why=sample.why,
        marks=sample.marks,
        parameters={"laboratory": fact.laboratory},
    )


def cross_lab(samples: Iterable[Sample]) -> bool:
    """Whether results of more than one laboratory stand side by side."""
    return len({sample.fact.laboratory for sample in samples}) > 1
