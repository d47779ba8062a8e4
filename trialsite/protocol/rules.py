"""The catalogue of rule kinds a criterion may use: names and typed parameters only.

What a rule means for one subject is decided where criteria are evaluated; nothing here
knows a subject, and nothing here knows a study.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from .text import Text
from .values import Bound, Key, Label, Name, Value

Lower = Annotated[Bound, Label("Lower bound", "下限")]
Upper = Annotated[Bound, Label("Upper bound", "上限")]
AnalyteKey = Annotated[str, Key(r"[A-Z0-9_]{1,20}", "capital letters, digits, underscores")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabUse:
    """That a rule compares an analyte, in these units; `field` is where in the rule."""

    field: str
    analyte: str
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one criterion is judged. Subclasses are the catalogue."""

    kind: ClassVar[str]

    def lab_uses(self) -> tuple[LabUse, ...]:
        """The lab values it reads."""
        return ()

    def ranges(self) -> tuple[tuple[str, Bound, Bound], ...]:
        """Its (field, lower, upper) pairs, each of which must leave room for a value."""
        return ()

    def item_uses(self) -> tuple[tuple[str, str], ...]:
        """The CRF items it reads: (field, item OID)."""
        return ()


class AgeMoment(StrEnum):
    CONSENT = "consent"
    ENROLMENT = "enrolment"


class LeapBirthday(StrEnum):
    """When somebody born on 29 February has a birthday in a common year."""

    FEBRUARY_28 = "february_28"
    MARCH_1 = "march_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeRange(Rule):
    """Age in completed years at a moment, both bounds in years (UCUM `a`)."""

    kind: ClassVar[str] = "age_range"
    lower: Lower
    upper: Upper
    at: Annotated[AgeMoment, Value("Age counted at", "年龄计算时点")]
    leap_birthday: Annotated[LeapBirthday, Value("Birthday of 29 February", "2月29日出生者的生日")]

    def ranges(self) -> tuple[tuple[str, Bound, Bound], ...]:
        return (("lower", self.lower, self.upper),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabAtLeastOrDailyRise(Rule):
    """The latest value reaches `level`, or two draws rise by `daily_rise` per 24 hours.

    The two draws are `minimum_hours` to `maximum_hours` apart, of one laboratory, both
    before treatment.
    """

    kind: ClassVar[str] = "lab_at_least_or_daily_rise"
    analyte: str
    level: Annotated[Bound, Label("Level", "水平")]
    daily_rise: Annotated[Bound, Label("Daily rise", "每日上升")]
    minimum_hours: Annotated[
        Decimal, Value("Hours between draws, least", "两次采血最短间隔（小时）")
    ]
    maximum_hours: Annotated[
        Decimal, Value("Hours between draws, most", "两次采血最长间隔（小时）")
    ]

    def lab_uses(self) -> tuple[LabUse, ...]:
        return (LabUse(field="level", analyte=self.analyte, bounds=(self.level, self.daily_rise)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyteRange:
    """One of the ranges of an either-range rule, in the analyte's unit."""

    analyte: AnalyteKey
    lower: Lower
    upper: Upper


@dataclass(frozen=True, slots=True, kw_only=True)
class EitherRange(Rule):
    """Any one of the analytes lies in its range; one in and one out is discordant."""

    kind: ClassVar[str] = "either_range"
    alternatives: tuple[AnalyteRange, ...]
    same_draw: Annotated[bool, Value("Both from one draw", "须为同一次采血")]

    def lab_uses(self) -> tuple[LabUse, ...]:
        return tuple(
            LabUse(
                field=f"alternatives.{option.analyte}",
                analyte=option.analyte,
                bounds=(option.lower, option.upper),
            )
            for option in self.alternatives
        )

    def ranges(self) -> tuple[tuple[str, Bound, Bound], ...]:
        return tuple(
            (f"alternatives.{option.analyte}", option.lower, option.upper)
            for option in self.alternatives
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeAtMost(Rule):
    """A grade recorded in a CRF item is `highest` or a lower one; `scale` runs upwards."""

    kind: ClassVar[str] = "grade_at_most"
    item_oid: str
    scale: Annotated[tuple[str, ...], Value("Scale", "分级")]
    highest: Annotated[str, Value("Highest grade accepted", "可接受的最高分级")]

    def item_uses(self) -> tuple[tuple[str, str], ...]:
        return (("item_oid", self.item_oid),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyAboveUln(Rule):
    """Any of the analytes exceeds a multiple of the reporting laboratory's upper limit."""

    kind: ClassVar[str] = "any_above_uln"
    analytes: Annotated[tuple[str, ...], Value("Markers", "指标")]
    times_uln: Annotated[Decimal, Value("Times the upper limit of normal", "正常上限倍数")]
    inclusive: Annotated[bool, Value("The limit itself counts", "包含临界值")]

    def lab_uses(self) -> tuple[LabUse, ...]:
        return tuple(LabUse(field="analytes", analyte=analyte) for analyte in self.analytes)


class ScoreRounding(StrEnum):
    """What is compared with the threshold: the score as computed or as a whole number."""

    NONE = "none"
    HALF_UP = "half_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreAbove(Rule):
    """A computed score exceeds `threshold` (not reached by equality).

    `version` names the formula; `shown` the versions shown beside it. Raw scores from
    `boundary_low` to `boundary_high` are flagged for the investigator.
    """

    kind: ClassVar[str] = "score_above"
    score: Annotated[str, Value("Score", "评分")]
    threshold: Annotated[Decimal, Value("Threshold", "阈值")]
    version: Annotated[str, Value("Version of the formula", "公式版本")]
    shown: Annotated[tuple[str, ...], Value("Versions shown", "同时显示的版本")]
    floors: Annotated[bool, Value("Lower limits apply to the inputs", "输入值取下限")]
    rounding: Annotated[ScoreRounding, Value("Rounding before comparison", "比较前取整")]
    boundary_low: Annotated[Decimal, Value("Flagged from", "临界提示下限")]
    boundary_high: Annotated[Decimal, Value("Flagged to", "临界提示上限")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SevereAllergy(Rule):
    """A severe allergy to one of the agents is on record."""

    kind: ClassVar[str] = "severe_allergy"
    agents: Annotated[tuple[str, ...], Value("Agents", "相关药物或血制品")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentByParticipant(Rule):
    """The participant personally signed a consent in force before any protocol procedure."""

    kind: ClassVar[str] = "consent_by_participant"


class PromptSide(StrEnum):
    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A value that asks the investigator to look again; it decides nothing.

    It reads an `analyte` or a CRF item (`item_oid`); the threshold's unit is that of the
    criterion. Without threshold, the item being present or true is the prompt.
    """

    key: Name
    name: Text
    analyte: str = ""
    item_oid: str = ""
    side: PromptSide | None = None
    threshold: Bound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigatorJudgement(Rule):
    """The investigator decides, with the prompts in view."""

    kind: ClassVar[str] = "investigator_judgement"
    prompts: tuple[Prompt, ...] = ()

    def lab_uses(self) -> tuple[LabUse, ...]:
        return tuple(
            LabUse(
                field=f"prompts.{prompt.key}",
                analyte=prompt.analyte,
                bounds=(prompt.threshold,) if prompt.threshold else (),
            )
            for prompt in self.prompts
            if prompt.analyte
        )

    def item_uses(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (f"prompts.{prompt.key}.item_oid", prompt.item_oid)
            for prompt in self.prompts
            if prompt.item_oid
        )


#: Every rule kind a protocol file may name.
CATALOGUE: dict[str, type[Rule]] = {
    rule.kind: rule
    for rule in (
        AgeRange,
        LabAtLeastOrDailyRise,
        EitherRange,
        GradeAtMost,
        AnyAboveUln,
        ScoreAbove,
        SevereAllergy,
        ConsentByParticipant,
        InvestigatorJudgement,
    )
}
