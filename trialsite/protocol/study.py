import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from .text import Text
from .values import Name, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something listing or registry says about the study, kept in its own words."""

    key: Name
    name: Text
    text: Annotated[str, Value("Statement", "内容")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A planned treatment group (SDTM TA)."""

    code: Name
    name: Annotated[Text, Value("Arm", "组别")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Identity of the study (SDTM TS) and what the public page may say of it.

    Ages and target are counts of completed years and of subjects.
    """

    study_id: Annotated[str, Value("Registry number", "注册号")]
    short_name: Text
    title: Annotated[Text, Value("Title", "题目")]
    overview: Annotated[Text, Value("Overview", "简介")]
    conditions: Annotated[tuple[str, ...], Value("Conditions", "适应症")]
    condition_name: Text
    phase: Annotated[str, Value("Phase", "研究分期")]
    sex: Annotated[str, Value("Sex", "性别")]
    intervention_type: Annotated[str, Value("Intervention type", "干预类型")]
    design: Annotated[str, Value("Design", "研究设计")]
    target_enrolment: Annotated[int, Value("Target enrolment", "计划入组人数")]
    starts_on: Annotated[dt.date | None, Value("Study start", "研究开始日期")] = None
    completes_on: Annotated[dt.date | None, Value("Study completion", "研究完成日期")] = None
    arms: tuple[Arm, ...]
    facts: tuple[Fact, ...] = ()


class AnchorKind(StrEnum):
    """The moment whose date is day zero."""

    CONSENT = "consent"
    ENROLMENT = "enrolment"
    RANDOMISATION = "randomisation"
    FIRST_TREATMENT = "first_treatment"
    FINAL_TREATMENT = "final_treatment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What day zero is. `printed` stands beside every number counted from it."""

    kind: Annotated[AnchorKind, Value("Day zero", "第0天的定义")]
    printed: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The milestones, in days from day zero, and the markers the study follows."""

    survival_days: Annotated[
        tuple[int, ...], Value("Survival milestones, days", "生存率时间点（天）")
    ]
    conversion_days: Annotated[
        tuple[int, ...], Value("Transplantation milestones, days", "移植转化率时间点（天）")
    ] = ()
    biomarkers: Annotated[tuple[str, ...], Value("Markers followed", "随访指标")] = ()
