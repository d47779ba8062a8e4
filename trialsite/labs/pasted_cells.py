"""The cells of a pasted line and what each of them holds: name, result, unit, range, flag."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .matching import Matcher, name_form
from .results import ResultError, folded, parse_result, printed_mark
from .vocabulary import HEADERS

#: Of a number with its unit in one cell.
LONGEST_CELL_READ = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedRange:
    """The laboratory's range as printed; without limits when it is not a plain range."""

    text: str
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The cells of a line by what they hold."""

    names: tuple[str, ...] = ()
    result: str = ""
    unit: str = ""
    range: str = ""
    flag: str = ""
    several: bool = False


_SPACES = re.compile(r"[ \u3000\u00a0]{2,}")
_DASH = str.maketrans({"–": "-", "—": "-", "～": "~", "〜": "~", "−": "-", "至": "~"})
_N = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_RANGE = re.compile(rf"(?P<low>[-+]?{_N}) ?(?:-{{1,3}}|~|to) ?(?P<high>[-+]?{_N})")
_ONE_SIDED = re.compile(rf"(?P<side><=?|>=?) ?(?P<limit>{_N})")
_HEADERS = {name_form(word): role for role, words in HEADERS.items() for word in words}


def separator_of(lines: list[str]) -> str:
    """What separates the cells of the block; "" is two or more spaces."""
    counts = Counter(mark for line in lines for mark in "\t;," if mark in line.replace("；", ";"))
    for mark in "\t;":
        if counts[mark] * 2 > sum(1 for line in lines if line.strip()):
            return mark
    commas = [line.count(",") for line in lines if line.strip()]
    return "," if sum(1 for count in commas if count >= 2) * 2 > len(commas) else ""


def cells_of(line: str, separator: str) -> tuple[str, ...]:
    if not separator:
        cells = _SPACES.split(line.strip().replace("\t", "  "))
        if len(cells) == 1:
            cells = _worded(line.split())
    else:
        plain = line.replace("；", ";") if separator == ";" else line
        cells = next(csv.reader([plain], delimiter=separator), [])
    return tuple(cell.strip() for cell in cells)


def _worded(words: list[str]) -> list[str]:
    """Words with single spaces between: those before the first number are the name."""
    for place, word in enumerate(words):
        if place and word[0] in "<>≤≥＜＞0123456789" and is_result(word):
            return [" ".join(words[:place]), *words[place:]]
    return words


def is_result(text: str) -> bool:
    try:
        parse_result(text)
    except ResultError:
        return False
    return True


def header_of(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The roles of the columns if this is a header row: it names a test and a result."""
    roles = tuple(_HEADERS.get(name_form(cell), "") for cell in cells)
    return roles if "test" in roles and roles.count("result") == 1 else ()


def by_header(cells: tuple[str, ...], header: tuple[str, ...], separator: str) -> Parts | None:
    """By column; a line with other columns than the header is not read by it.

    Empty cells at the end may be there or not.
    """
    while len(cells) > len(header) and not cells[-1]:
        cells = cells[:-1]
    if separator and len(cells) < len(header):
        cells = (*cells, *("" for _ in header[len(cells) :]))
    if len(cells) != len(header):
        return None
    by_role: dict[str, list[str]] = {}
    for role, cell in zip(header, cells, strict=True):
        if cell:
            by_role.setdefault(role, []).append(cell)
    first = {role: found[0] for role, found in by_role.items()}
    return Parts(
        names=tuple(by_role.get("test", ())),
        result=first.get("result", ""),
        unit=first.get("unit", ""),
        range=first.get("range", ""),
        flag=first.get("flag", ""),
    )


def by_content(cells: tuple[str, ...], matcher: Matcher) -> Parts:
    """By what the cells look like: the result is the one number behind the name."""
    filled = [cell for cell in cells if cell]
    names = [place for place, cell in enumerate(filled) if matcher.match(cell).analytes]
    if not names:
        return Parts(names=tuple(filled[:1]), result=filled[1] if len(filled) > 1 else "")
    kinds = [
        _Kind.NAME if place in names else _kind(cell, matcher) for place, cell in enumerate(filled)
    ]
    # Before the name stands a running number, unless the unit stands there as well.
    turned = _Kind.UNIT in kinds[: names[0]]
    results = [
        p for p, kind in enumerate(kinds) if kind is _Kind.RESULT and (turned or p > names[0])
    ]
    # Behind a result, a limit alone such as <7 is the range.
    limits = [p for p in results[1:] if _ONE_SIDED.fullmatch(folded(filled[p]))]
    results = [place for place in results if place not in limits]
    of = {kind: [c for c, k in zip(filled, kinds, strict=True) if k is kind] for kind in _Kind}
    # What is nothing we know is the result, unreadable, or the unit.
    unknown = [
        cell
        for place, cell in enumerate(filled)
        if kinds[place] is _Kind.UNKNOWN and place > names[0]
    ]
    # Before the name an unknown wording may be a longer name of it.
    before = [c for p, c in enumerate(filled[: names[0]]) if kinds[p] is _Kind.UNKNOWN]
    result = filled[results[0]] if results else "".join(unknown[:1])
    unknown = unknown if results else unknown[1:]
    return Parts(
        names=(*before, *of[_Kind.NAME]),
        result=result,
        unit=[*of[_Kind.UNIT], *unknown, ""][0],
        range=[*of[_Kind.RANGE], *(filled[place] for place in limits), ""][0],
        flag=[*of[_Kind.FLAG], ""][0],
        several=len(results) > 1,
    )


class _Kind(StrEnum):
    NAME = "name"
    RANGE = "range"
    UNIT = "unit"
    FLAG = "flag"
    RESULT = "result"
    UNKNOWN = "unknown"


def _kind(cell: str, matcher: Matcher) -> _Kind:
    if printed_range(cell).low is not None and printed_range(cell).high is not None:
        return _Kind.RANGE
    if is_result(cell) or number_with_unit(cell, matcher) is not None:
        return _Kind.RESULT
    if matcher.is_unit(cell):
        return _Kind.UNIT
    return _Kind.UNKNOWN if printed_mark(cell) is None else _Kind.FLAG


def printed_range(text: str) -> PrintedRange:
    """The limits of `3-23`, `3.0～23.0`, `<7` or `≥40`; anything else has none."""
    plain = folded(text.translate(_DASH)).strip("()[] ")
    both = _RANGE.fullmatch(plain)
    if both is not None:
        low, high = Decimal(both["low"]), Decimal(both["high"])
        return (
            PrintedRange(text=text, low=low, high=high) if low < high else PrintedRange(text=text)
        )
    one = _ONE_SIDED.fullmatch(plain)
    if one is None:
        return PrintedRange(text=text)
    limit = Decimal(one["limit"])
    if one["side"].startswith("<"):
        return PrintedRange(text=text, high=limit)
    return PrintedRange(text=text, low=limit)


def number_with_unit(cell: str, matcher: Matcher) -> tuple[str, str] | None:
    """Number and unit of a cell such as `12.3 g/L`, if that is what it is."""
    if len(cell) > LONGEST_CELL_READ or not any(character.isdigit() for character in cell):
        return None
    for cut in range(1, len(cell)):
        tail = cell[cut:].strip()
        if not tail[:1].isdigit() and matcher.is_unit(tail) and is_result(cell[:cut]):
            return cell[:cut].strip(), tail
    return None
