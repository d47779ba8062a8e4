"""What is kept of a mapping beside saved counts: columns and what they hold.

A mapping quotes texts of the file: categories, status words, what stands for nothing. Any of
them may be of one patient alone, so that none is kept, only how many there were. Nor is a
comment, nor the name of the sheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from trialsite.dashboard.feasibility.mapping import FeasibilityMapping, Measured
from trialsite.exports.reading.layout import Layout
from trialsite.labs.importing.mapping import Code


def kept_mapping(found: FeasibilityMapping) -> str:
    """The mapping as text, without any text of a cell."""
    return "\n".join(_lines(found))


def _lines(found: FeasibilityMapping) -> Iterator[str]:
    yield from _section("layout", _layout(found.layout))
    columns = found.columns
    yield from _section(
        "columns", [(name, _quoted(getattr(columns, name))) for name in columns.__slots__]
    )
    for name in ("sexes", "aetiologies", "truths"):
        if codes := getattr(found, name):
            yield f"{name}: {_texts(codes)}"
    yield from _section("results", [(_quoted(e.column), _result(e)) for e in found.results])
    yield from _section(
        "items", [(_quoted(e.column), f"{e.item}, {_texts(e.codes)}") for e in found.items]
    )
    yield from _section(
        "allergies", [(_quoted(e.column), f"{e.agent}, {_texts(e.codes)}") for e in found.allergies]
    )
    yield from _section(
        "judgements",
        [(_quoted(e.column), f"{e.criterion}, {_texts(e.codes)}") for e in found.judgements],
    )
    everyone = found.everyone
    yield from _section(
        "everyone",
        [
            (name, "" if value is None else str(value))
            for name in everyone.__slots__
            if (value := getattr(everyone, name)) is not None
        ],
    )
    if times := found.survival:
        days = ", ".join(map(str, times.days))
        yield from _section(
            "survival",
            [
                ("time", _quoted(times.time)),
                ("unit", times.unit.value),
                ("status", f"{_quoted(times.status)}, {_texts(times.codes)}"),
                ("days", days),
            ],
        )


def _section(name: str, pairs: list[tuple[str, str]]) -> Iterator[str]:
    said = [f"  {key}: {value}" for key, value in pairs if value]
    if said:
        yield f"{name}:"
        yield from said


def _layout(layout: Layout) -> list[tuple[str, str]]:
    return [
        ("encoding", layout.encoding.value if layout.encoding else ""),
        ("delimiter", layout.delimiter.value if layout.delimiter else ""),
        ("header_row", str(layout.header_row)),
        ("decimal", layout.decimal.value),
        ("dates", ", ".join(layout.dates)),
        ("missing", _count(len(layout.missing))),
    ]


def _result(each: Measured) -> str:
    """The analyte with whatever was said of how it was measured."""
    parts = [each.analyte, each.unit]
    parts += ["zero_is_missing"] if each.zero_is_missing else []
    named = {"lower_limit": each.lower_limit, "upper_limit": each.upper_limit}
    parts += [f"{name} {value}" for name, value in named.items() if value is not None]
    parts += [f"hours_before {each.hours_before}"] if each.hours_before else []
    return ", ".join(part for part in parts if part)


def _texts(codes: tuple[Code, ...]) -> str:
    return _count(len(codes)) or "no texts"


def _count(number: int) -> str:
    return f"{number} text{'' if number == 1 else 's'}" if number else ""


def _quoted(header: str) -> str:
    return json.dumps(header, ensure_ascii=False) if header else ""
