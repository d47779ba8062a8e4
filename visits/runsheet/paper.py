"""The sheet for paper: as it stands, or blank with the readings the protocol expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trialsite.crf.entry import text_of
from trialsite.crf.items import all_items_of
from trialsite.crf.models import CrfRow
from trialsite.crf.pages import word_of
from visits.models import Complication, IntegrityTest, Interruption, TreatmentSession
from visits.runsheet.columns import Column
from visits.runsheet.grid import Line
from visits.runsheet.page import RunSheet

#: Empty lines for what nobody can foresee.
_EMPTY = 4
_FACTS = (
    "planned_minutes",
    "started_at",
    "cells_on_at",
    "cells_off_at",
    "ended_at",
    "stop_reason",
    "operator",
    "second_checker",
    "physician",
)


@dataclass(frozen=True, slots=True)
class PaperLine:
    """One line of readings on paper."""

    due: str
    time: str
    texts: tuple[str, ...]
    entered_at: str = ""
    late: bool = False


class Paper:
    """What the printed sheet shows of a session."""

    def __init__(self, sheet: RunSheet, *, blank: bool) -> None:
        self.sheet, self.blank = sheet, blank
        self.columns = [
            column for column in sheet.grid.columns if not (blank and column.item.derived)
        ]

    @property
    def lines(self) -> list[PaperLine]:
        if self.blank:
            empty = tuple("" for _column in self.columns)
            due = [line for line in self.sheet.grid.lines if line.due is not None]
            found = [PaperLine(_due(line), "", empty) for line in due]
            return [*found, *(PaperLine("+", "", empty) for _n in range(_EMPTY))]
        shown = [line for line in self.sheet.grid.lines if line.row and not line.voided]
        return [self._line(line) for line in shown]

    def _line(self, line: Line) -> PaperLine:
        texts = tuple(_text(line.row, column) for column in self.columns)
        due = line.due.word if line.due else "+"
        return PaperLine(due, line.time, texts, line.entered_at, line.late)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The header of the session, each with its words; blank, to be written by hand."""
        session = self.sheet.session
        return [(_label(name), "" if self.blank else self._fact(session, name)) for name in _FACTS]

    def _fact(self, session: TreatmentSession, name: str) -> str:
        value: Any = getattr(session, name)
        if name == "stop_reason":
            return str(session.get_stop_reason_display())
        if name.endswith("_at"):
            return value.strftime("%Y-%m-%d %H:%M") if value else ""
        return str(getattr(value, "full_name", value) or "")

    @property
    def groups(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Heading, labels and rows of the groups beside the readings."""
        sheet = self.sheet
        rows: tuple[tuple[type[CrfRow], list[Any]], ...] = (
            (Interruption, sheet.interruptions),
            (Complication, sheet.complications),
            (IntegrityTest, sheet.tests),
        )
        found = []
        for table, given in rows:
            items = all_items_of(table)
            labels = [item.label for item in items.values()]
            texts = [self._texts(row) for row in given]
            if self.blank:
                texts = [["" for _label in labels] for _n in range(_EMPTY)]
            found.append((str(table.title), labels, texts))
        return found

    def _texts(self, row: CrfRow) -> list[str]:
        found = []
        for name, item in all_items_of(type(row)).items():
            if item.data_type == "datetime":
                found.append(self.sheet.clock(getattr(row, name)))
            else:
                found.append(word_of(item, text_of(row, name, item)))
        return found


def _due(line: Line) -> str:
    assert line.due is not None
    at = f" {line.due.at:%H:%M}" if line.due.at else ""
    return f"{line.due.word}{at}"


def _text(row: Any, column: Column) -> str:
    return text_of(row, column.name, column.item)


def _label(name: str) -> str:
    return str(TreatmentSession._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
