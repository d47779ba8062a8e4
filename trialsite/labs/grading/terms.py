"""The terms of CTCAE 5.0 that have limits in numbers, as data.

Each limit is written as the document has it. `above(3, ULN)` reads ">3.0 x ULN",
`below(Decimal("0.75"), LLN)` reads "<0.75 x LLN". A grade is the highest whose limit is
passed: the bounds of the next grade close the range of this one (">3.0 - 5.0 x ULN" holds
5.0 itself). Where a baseline decides, `abnormal` replaces `steps`.

Two readings are ours, for the wording leaves them open:
- Hyponatraemia is graded "125-129" and "120-124" in whole numbers; values between 129 and
  130 belong to the former, between 124 and 125 to the latter.
- A term with limits in two units that are no exact multiples of each other (glucose:
  55 mg/dL, 3.0 mmol/L) is graded by the SI limit, so that no value has two grades.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .grade import Direction


class Of(StrEnum):
    """What a limit is a multiple of."""

    LLN = "lln"
    ULN = "uln"
    BASELINE = "baseline"
    ONE = "one"


LLN, ULN, BASELINE, ONE = Of


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From which limit on a value has a grade.

    `up_to`: clinical facts decide between `grade` and this one. `over` is added to the limit.
    """

    grade: int
    times: Decimal
    of: Of
    inclusive: bool = False
    up_to: int = 0
    over: Decimal = Decimal(0)

    @property
    def highest(self) -> int:
        return max(self.grade, self.up_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One CTCAE term.

    `unit` is that of its absolute limits. `abnormal`: the steps where the baseline was
    abnormal in this direction; `treated`: those on anticoagulation. `clinical` is the highest
    grade that the wording gives for what no number shows, 0 where numbers alone decide.
    """

    key: str
    name: str
    direction: Direction
    steps: tuple[Step, ...]
    unit: str = ""
    abnormal: tuple[Step, ...] = ()
    treated: tuple[Step, ...] = ()
    clinical: int = 0

    @property
    def every_step(self) -> tuple[Step, ...]:
        return (*self.steps, *self.abnormal, *self.treated)


def _steps(of: Of, limits: dict[int, str], *, inclusive: Iterable[int] = ()) -> tuple[Step, ...]:
    """One step for each grade: `{2: "1.5"}` is grade 2 beyond 1.5 times."""
    ends = frozenset(inclusive)
    return tuple(
        Step(grade=grade, times=Decimal(times), of=of, inclusive=grade in ends)
        for grade, times in limits.items()
    )


def _one(grade: int, times: str, of: Of = ONE, *, up_to: int = 0) -> Step:
    return Step(grade=grade, times=Decimal(times), of=of, up_to=up_to)


HIGH, LOW = Direction.HIGH, Direction.LOW
_LLN, _ULN = _one(1, "1", LLN), _one(1, "1", ULN)
_TRANSAMINASE = {1: "1", 2: "3", 3: "5", 4: "20"}
_CHOLESTATIC = {1: "1", 2: "2.5", 3: "5", 4: "20"}


def _enzyme(key: str, name: str, limits: dict[int, str], first: str) -> Term:
    """ ">ULN - 3.0 x ULN if baseline was normal; 1.5 - 3.0 x baseline if abnormal": the first
    multiple of the baseline is reached, not passed."""
    return Term(
        key=key,
        name=name,
        direction=HIGH,
        steps=_steps(ULN, limits),
        abnormal=_steps(BASELINE, {**limits, 1: first}, inclusive=[1]),
    )


def _count(key: str, name: str, limits: tuple[str, str, str]) -> Term:
    """A count that is decreased, in 10*9/L."""
    steps = _steps(ONE, dict(zip((2, 3, 4), limits, strict=True)))
    return Term(key=key, name=name, direction=LOW, unit="10*9/L", steps=(_LLN, *steps))


_LIVER = (
    Term(
        key="blood_bilirubin_increased",
        name="Blood bilirubin increased",
        direction=HIGH,
        steps=_steps(ULN, {1: "1", 2: "1.5", 3: "3", 4: "10"}),
        abnormal=_steps(BASELINE, {1: "1", 2: "1.5", 3: "3", 4: "10"}),
    ),
    _enzyme(
        "alanine_aminotransferase_increased",
        "Alanine aminotransferase increased",
        _TRANSAMINASE,
        "1.5",
    ),
    _enzyme(
        "aspartate_aminotransferase_increased",
        "Aspartate aminotransferase increased",
        _TRANSAMINASE,
        "1.5",
    ),
    _enzyme(
        "alkaline_phosphatase_increased", "Alkaline phosphatase increased", _CHOLESTATIC, "2.0"
    ),
    _enzyme("ggt_increased", "GGT increased", _CHOLESTATIC, "2.0"),
    Term(
        key="hypoalbuminemia",
        name="Hypoalbuminemia",
        direction=LOW,
        unit="g/L",
        steps=(_LLN, _one(2, "30"), _one(3, "20")),
        clinical=4,
    ),
    Term(
        key="blood_lactate_dehydrogenase_increased",
        name="Blood lactate dehydrogenase increased",
        direction=HIGH,
        steps=(_ULN,),
    ),
)

_CLOTTING = (
    # "Dose adjustment indicated" speaks of the anticoagulant, not of a further criterion;
    # bleeding makes it grade 3 at any number.
    Term(
        key="inr_increased",
        name="INR increased",
        direction=HIGH,
        unit="{INR}",
        steps=_steps(ONE, {1: "1.2", 2: "1.5", 3: "2.5"}),
        treated=_steps(BASELINE, {1: "1", 2: "1.5", 3: "2.5"}),
        clinical=3,
    ),
    # Grade 3 also by bleeding.
    Term(
        key="activated_partial_thromboplastin_time_prolonged",
        name="Activated partial thromboplastin time prolonged",
        direction=HIGH,
        steps=_steps(ULN, {1: "1", 2: "1.5", 3: "2.5"}),
        clinical=3,
    ),
    # "If abnormal, 25 - <50% decrease from baseline": three quarters of it are reached.
    Term(
        key="fibrinogen_decreased",
        name="Fibrinogen decreased",
        direction=LOW,
        unit="g/L",
        steps=(*_steps(LLN, {1: "1", 2: "0.75", 3: "0.5", 4: "0.25"}), _one(4, "0.5")),
        abnormal=(
            *_steps(BASELINE, {1: "1", 2: "0.75", 3: "0.5", 4: "0.25"}, inclusive=[2, 3, 4]),
            _one(4, "0.5"),
        ),
    ),
    _count("platelet_count_decreased", "Platelet count decreased", ("75", "50", "25")),
)

_BLOOD = (
    Term(
        key="anemia",
        name="Anemia",
        direction=LOW,
        unit="g/L",
        steps=(_LLN, _one(2, "100"), _one(3, "80")),
        clinical=4,
    ),
    Term(
        key="hemoglobin_increased",
        name="Hemoglobin increased",
        direction=HIGH,
        unit="g/L",
        steps=(
            _ULN,
            Step(grade=2, times=Decimal(1), of=ULN, over=Decimal(20)),
            Step(grade=3, times=Decimal(1), of=ULN, over=Decimal(40)),
        ),
    ),
    _count("white_blood_cell_decreased", "White blood cell decreased", ("3", "2", "1")),
    # Grade 4 by manifestations of leucostasis.
    Term(
        key="leukocytosis",
        name="Leukocytosis",
        direction=HIGH,
        unit="10*9/L",
        steps=(_one(3, "100"),),
        clinical=4,
    ),
    _count("neutrophil_count_decreased", "Neutrophil count decreased", ("1.5", "1", "0.5")),
    _count("lymphocyte_count_decreased", "Lymphocyte count decreased", ("0.8", "0.5", "0.2")),
    Term(
        key="lymphocyte_count_increased",
        name="Lymphocyte count increased",
        direction=HIGH,
        unit="10*9/L",
        steps=(_one(2, "4"), _one(3, "20")),
    ),
    Term(key="haptoglobin_decreased", name="Haptoglobin decreased", direction=LOW, steps=(_LLN,)),
)

_SALTS = (
    Term(
        key="hyponatremia",
        name="Hyponatremia",
        direction=LOW,
        unit="mmol/L",
        steps=(_LLN, _one(2, "130", up_to=3), _one(3, "125"), _one(4, "120")),
        clinical=4,
    ),
    Term(
        key="hypernatremia",
        name="Hypernatremia",
        direction=HIGH,
        unit="mmol/L",
        steps=(_ULN, *_steps(ONE, {2: "150", 3: "155", 4: "160"})),
        clinical=4,
    ),
    # Grade 2 is grade 1 with symptoms.
    Term(
        key="hypokalemia",
        name="Hypokalemia",
        direction=LOW,
        unit="mmol/L",
        steps=(_one(1, "1", LLN, up_to=2), _one(3, "3"), _one(4, "2.5")),
        clinical=4,
    ),
    Term(
        key="hyperkalemia",
        name="Hyperkalemia",
        direction=HIGH,
        unit="mmol/L",
        steps=(_ULN, *_steps(ONE, {2: "5.5", 3: "6", 4: "7"})),
        clinical=4,
    ),
    Term(
        key="hypocalcemia",
        name="Hypocalcemia (ionized)",
        direction=LOW,
        unit="mmol/L",
        steps=(_LLN, *_steps(ONE, {2: "1", 3: "0.9", 4: "0.8"})),
        clinical=4,
    ),
    Term(
        key="hypercalcemia",
        name="Hypercalcemia (ionized)",
        direction=HIGH,
        unit="mmol/L",
        steps=(_ULN, *_steps(ONE, {2: "1.5", 3: "1.6", 4: "1.8"})),
        clinical=4,
    ),
    Term(
        key="hypoglycemia",
        name="Hypoglycemia",
        direction=LOW,
        unit="mmol/L",
        steps=(_LLN, *_steps(ONE, {2: "3", 3: "2.2", 4: "1.7"})),
        clinical=4,
    ),
    # Version 5 has no limits: "abnormal glucose above baseline", then what is done about it.
    Term(
        key="hyperglycemia",
        name="Hyperglycemia",
        direction=HIGH,
        steps=(_ULN,),
        abnormal=(_one(1, "1", BASELINE),),
        clinical=4,
    ),
    # "Or" between both: >1.5 x baseline is grade 2 even within the limits of normal.
    Term(
        key="creatinine_increased",
        name="Creatinine increased",
        direction=HIGH,
        steps=(
            *_steps(ULN, {1: "1", 2: "1.5", 3: "3", 4: "6"}),
            *_steps(BASELINE, {2: "1.5", 3: "3"}),
        ),
    ),
    Term(
        key="acidosis",
        name="Acidosis",
        direction=LOW,
        unit="[pH]",
        steps=(_LLN, _one(3, "7.3")),
        clinical=4,
    ),
    Term(
        key="alkalosis",
        name="Alkalosis",
        direction=HIGH,
        unit="[pH]",
        steps=(_ULN, _one(3, "7.5")),
        clinical=4,
    ),
)

TERMS: dict[str, Term] = {
    term.key: term for group in (_LIVER, _CLOTTING, _BLOOD, _SALTS) for term in group
}
