from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from .rules import AnalyteKey
from .text import Text
from .values import Interval, Key, Name, Value

UcumUnit = Annotated[str, Key(r"\S{1,40}", "a UCUM unit without spaces")]
Sex = Annotated[str, Key(r"[MF]", "M or F")]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFactor:
    """A unit a laboratory may report in: value × factor = value in the canonical unit."""

    unit: UcumUnit
    factor: Annotated[Decimal, Value("Conversion factor", "换算系数")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRange:
    """An illustrative adult range in the canonical unit; verdicts use the reporting lab's."""

    sex: Sex
    limits: Annotated[Interval, Value("Illustrative reference range", "示例参考范围")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyte:
    """A laboratory test. `testcd` is LBTESTCD; `loinc` is empty where unsure. `ctcae` names
    the terms by which a value is graded, one for each direction.

    `unit` is the canonical UCUM unit of all intervals. Outside `soft` a value is queried;
    outside `hard` a form is not completed without confirmation. Neither refuses a value.
    """

    key: AnalyteKey
    name: Text
    testcd: str = ""
    loinc: str = ""
    unit: str
    units: tuple[UnitFactor, ...] = ()
    reference: tuple[ReferenceRange, ...] = ()
    soft: Annotated[Interval | None, Value("Expected range", "预期范围")] = None
    hard: Annotated[Interval | None, Value("Range without confirmation", "免确认范围")] = None
    ctcae: tuple[str, ...] = ()

    def factor(self, unit: str) -> Decimal:
        """The exact factor from `unit` to the canonical unit; not accepted: LookupError."""
        if unit == self.unit:
            return Decimal(1)
        for accepted in self.units:
            if accepted.unit == unit:
                return accepted.factor
        message = f"{self.key} is not accepted in {unit}."
        raise LookupError(message)

    @property
    def accepted_units(self) -> tuple[str, ...]:
        """The units it may be reported in, the canonical one first."""
        return (self.unit, *(accepted.unit for accepted in self.units))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPanel:
    """Analytes that are ordered together."""

    key: Name
    name: Text
    analytes: Annotated[tuple[str, ...], Value("Analytes", "检测项目")]


class BaselineRule(StrEnum):
    """Which value of an analyte later ones are compared with."""

    LAST_BEFORE_FIRST_SESSION = "last_before_first_session"


class AnticoagulationUse(StrEnum):
    """What counts as being on anticoagulation when INR is graded."""

    #: A concomitant medication of that category on the day; not the anticoagulant of a circuit.
    MEDICATION = "medication"
    NOT_GRADABLE = "not_gradable"


class PostPurificationUse(StrEnum):
    """What becomes of a value drawn within the lag after a session."""

    EXCLUDED = "excluded"
    MARKED = "marked"
    USED = "used"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRules:
    """How lab values are read over time. Hours count from collection."""

    purification_lag_hours: Annotated[
        Decimal, Value("Hours flagged after purification", "净化治疗后标记时长（小时）")
    ]
    flagged_in_criteria: Annotated[
        PostPurificationUse, Value("Flagged values in criteria", "标记值用于入排标准")
    ]
    flagged_criteria: Annotated[tuple[str, ...], Value("Criteria concerned", "涉及的标准")]
    flagged_in_trends: Annotated[
        PostPurificationUse, Value("Flagged values in trends", "标记值用于趋势")
    ]
    eligibility_hours: Annotated[
        Decimal, Value("Eligibility labs before day zero, hours", "入选化验距第0天时限（小时）")
    ]
    ctcae_version: Annotated[str, Value("CTCAE version", "CTCAE版本")]
    baseline: Annotated[
        BaselineRule | None, Value("Baseline of laboratory values", "实验室指标的基线")
    ] = None
    anticoagulation: Annotated[
        AnticoagulationUse | None, Value("Anticoagulation in the grade of INR", "INR分级中的抗凝")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labs:
    """The lab section: reading rules, panels and analytes."""

    rules: LabRules | None = None
    panels: tuple[LabPanel, ...] = ()
    analytes: tuple[Analyte, ...] = ()

    def analyte(self, key: str) -> Analyte:
        """The analyte with this key; unknown: LookupError."""
        for analyte in self.analytes:
            if analyte.key == key:
                return analyte
        message = f"The protocol has no analyte {key}."
        raise LookupError(message)
