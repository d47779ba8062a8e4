from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from .rules import Rule
from .text import Text
from .values import Key, Value

CriterionId = Annotated[str, Key(r"(IN|EX)\d{2}", "IN or EX and two digits")]


class CriterionCategory(StrEnum):
    """CDISC IECAT."""

    INCLUSION = "INCLUSION"
    EXCLUSION = "EXCLUSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """An eligibility criterion (SDTM TI) in the study's words, and how it is judged.

    `note` tells the investigator what the wording leaves open.
    """

    id: CriterionId
    text: Annotated[Text, Value("Wording", "原文")]
    rule: Rule
    note: Text | None = None

    @property
    def category(self) -> CriterionCategory:
        return CriterionCategory.INCLUSION if self.id[:2] == "IN" else CriterionCategory.EXCLUSION

    @property
    def number(self) -> int:
        """Its place among the criteria of its category, from 1."""
        return int(self.id[2:])
