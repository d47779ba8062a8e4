"""Comparing the study's serious events with the list of a safety database: plain data.

One column names the subject; the event is found by the case number, else by its words,
else by its start. What is left on either side is an event without its counterpart.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

#: The columns of the list, and by which headings they are known.
COLUMNS: dict[str, tuple[str, ...]] = {
    "case": ("case", "case no", "case number", "case id", "病例编号", "案例编号", "报告编号"),
    "subject": (
        "subject", "subject no", "subject number", "participant", "patient", "受试者编号", "受试者",
    ),
    "term": ("term", "event", "event term", "adverse event", "事件", "不良事件名称", "术语"),
    "onset": ("onset", "onset date", "start", "start date", "发生日期", "开始日期", "起始日期"),
    "serious": ("serious", "seriousness", "严重", "严重性", "是否严重"),
    "outcome": ("outcome", "结局", "转归"),
}  # fmt: skip
#: What is compared field by field.
COMPARED = ("term", "onset", "serious", "outcome")
_YES = {"yes", "y", "true", "1", "serious", "sae", "是", "严重"}
_NO = {"no", "n", "false", "0", "not serious", "non-serious", "否", "非严重"}
MOST_ROWS = 5000


class ListError(ValueError):
    """The list cannot be read; the message says what it lacks."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event, of either side, as texts."""

    case: str = ""
    subject: str = ""
    term: str = ""
    onset: str = ""
    serious: str = ""
    outcome: str = ""
    #: What the caller knows it by.
    key: str = ""

    def fields(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An event of both sides, or of one where the other has none."""

    here: Line | None
    there: Line | None
    differing: tuple[str, ...] = field(default=())


def read_list(text: str) -> list[Line]:
    """The rows of a pasted or uploaded list: comma, semicolon or tab, with a heading line."""
    text = text.lstrip("\ufeff")
    head = text.split("\n", 1)[0]
    mark = max(("\t", ";", ","), key=head.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=mark)]
    rows = [row for row in rows if any(row)]
    if not rows:
        raise ListError("empty")
    if len(rows) > MOST_ROWS + 1:
        raise ListError("long", str(MOST_ROWS))
    places = _places(rows[0])
    for name in ("subject", "term"):
        if name not in places:
            raise ListError("column", name)
    return [_line(row, places, number) for number, row in enumerate(rows[1:], start=2)]


def _places(head: list[str]) -> dict[str, int]:
    known = {_plain(word): name for name, words in COLUMNS.items() for word in words}
    found: dict[str, int] = {}
    for place, title in enumerate(head):
        name = known.get(_plain(title))
        if name in found:
            raise ListError("twice", title)
        if name is not None:
            found[name] = place
    return found


def _plain(text: str) -> str:
    return re.sub(r"[\s_.\-]+", " ", text).strip().casefold()


def _line(row: list[str], places: dict[str, int], number: int) -> Line:
    said = {name: row[place] if place < len(row) else "" for name, place in places.items()}
    if not said["subject"]:
        raise ListError("row", str(number))
    return Line(**said, key=str(number))


def compared(here: Iterable[Line], there: Iterable[Line]) -> list[Pair]:
    """Each event once: paired where both sides have it, alone where only one does."""
    ours, theirs = list(here), list(there)
    pairs: list[Pair] = []
    for same in (_same_case, _same_words_and_start, _same_words, _same_start):
        for their in list(theirs):
            found = next((our for our in ours if _same_subject(our, their) and same(our, their)),
                         None)  # fmt: skip
            if found is not None:
                ours.remove(found)
                theirs.remove(their)
                pairs.append(Pair(here=found, there=their, differing=_differing(found, their)))
    pairs += [Pair(here=our, there=None) for our in ours]
    pairs += [Pair(here=None, there=their) for their in theirs]
    return sorted(pairs, key=_order)


def _order(pair: Pair) -> tuple[str, str, str]:
    line = pair.here or pair.there
    assert line is not None
    return line.subject.casefold(), line.onset, line.term.casefold()


def _same_subject(our: Line, their: Line) -> bool:
    return _plain(our.subject) == _plain(their.subject)


def _same_case(our: Line, their: Line) -> bool:
    return bool(our.case) and _plain(our.case) == _plain(their.case)


def _same_words(our: Line, their: Line) -> bool:
    return bool(our.term) and _plain(our.term) == _plain(their.term)


def _same_start(our: Line, their: Line) -> bool:
    return bool(our.onset) and _day(our.onset) == _day(their.onset)


def _same_words_and_start(our: Line, their: Line) -> bool:
    return _same_words(our, their) and _same_start(our, their)


def _differing(our: Line, their: Line) -> tuple[str, ...]:
    """The fields that both sides say, differently; what the list leaves out is not compared."""
    alike = {
        "term": lambda one, other: _plain(one) == _plain(other),
        "onset": lambda one, other: _day(one) == _day(other),
        "serious": lambda one, other: _said(one) == _said(other),
        "outcome": lambda one, other: _outcome(one) == _outcome(other),
    }
    return tuple(
        name
        for name in COMPARED
        if getattr(their, name) and not alike[name](getattr(our, name), getattr(their, name))
    )


def _day(text: str) -> str:
    """A date as ISO text however it is separated; a time behind it is left out."""
    found = re.match(r"(\d{4})[-/.年](\d{1,2})(?:[-/.月](\d{1,2}))?", text.strip())
    if not found:
        return text.strip()[:10]
    year, month, day = found.groups()
    return f"{year}-{int(month):02d}" + (f"-{int(day):02d}" if day else "")


def _said(text: str) -> str:
    plain = _plain(text)
    return "yes" if plain in _YES else "no" if plain in _NO else plain


def _outcome(text: str) -> str:
    """The first word of a CDISC outcome is enough: RECOVERED and RECOVERED/RESOLVED agree."""
    return _plain(text).split("/")[0]
