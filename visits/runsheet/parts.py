"""The small things a run sheet lists: rows in words, questions, values to confirm."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from trialsite.crf.models import CrfRow
from visits.models import ChecklistAnswer, IntegrityTest
from visits.models.session_codes import TestVerdict


@dataclass(frozen=True, slots=True)
class RowRead:
    """One row of a group as the sheet lists it."""

    row: CrfRow
    pairs: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        """Whether it is a test of the barrier that failed."""
        return isinstance(self.row, IntegrityTest) and self.row.result == TestVerdict.FAIL


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One question of the checklist: as it was just typed, else as it stands."""

    key: str
    title: str
    said: str
    why: str
    answer: ChecklistAnswer | None

    @property
    def version(self) -> int:
        return self.answer.version if self.answer else 0

    @property
    def by(self) -> str:
        return self.answer.answered_by.full_name if self.answer else ""

    @property
    def at(self) -> dt.datetime | None:
        return self.answer.answered_at if self.answer else None

    @property
    def overridden(self) -> str:
        who = self.answer.overridden_by if self.answer else None
        return who.full_name if who else ""

    @property
    def override_reason(self) -> str:
        return self.answer.override_reason if self.answer else ""

    @property
    def answered_no(self) -> bool:
        """A "no" that still stands in the way."""
        return self.answer is not None and not self.answer.lets_start


@dataclass(frozen=True, slots=True)
class Asked:
    """One value outside its plausible range that nobody has confirmed."""

    key: str
    number: int
    at: str
    label: str
    text: str
    unit: str
