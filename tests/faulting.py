"""The fault table of `make faults`: what was done, what was promised, what was counted.

A test of a fault says so: `@pytest.mark.fault("what happens", promised="what holds")`. One that
counts tells each line itself through `fault_table`, and its mark is empty. The table stands at
the end of a run with FAULTS=1, of every process of it, the broken promises first.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

LONG = bool(os.environ.get("FAULTS"))

_TOLD, _MARKED, _PROVES = "fault told", "fault marked", "proves"
_WIDTHS = {"fault": 34, "done": 26, "promised": 36, "counted": 40, "kept": 5, "requirement": 12}

Teller = Callable[..., None]


@dataclass
class Line:
    """One fault, whoever of the tests tells of it."""

    fault: str
    promised: str
    done: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    requirement: set[str] = field(default_factory=set)
    tests: int = 0
    broken: int = 0

    def cells(self) -> dict[str, str]:
        tests = f"{self.tests} test{'' if self.tests == 1 else 's'}"
        return {
            "fault": self.fault,
            "done": "; ".join(self.done) or tests,
            "promised": self.promised,
            "counted": "; ".join(self.counted) or f"{self.tests - self.broken} of {tests} held",
            "kept": "NO" if self.broken else "yes",
            "requirement": ", ".join(sorted(self.requirement)),
        }


@pytest.fixture
def fault_table(record_property: Callable[[str, object], None]) -> Teller:
    """Tell a line: `fault_table("kill -9", done=..., promised=..., counted=...)`."""

    def tell(fault: str, *, done: str, promised: str, counted: str) -> None:
        record_property(_TOLD, json.dumps([fault, promised, done, counted]))

    return tell


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What the marks say goes along with the report, also out of another process."""
    for mark in item.iter_markers("fault"):
        told = [*mark.args, mark.kwargs["promised"]] if mark.args else []
        item.user_properties.append((_MARKED, json.dumps(told)))
    proven = [each for mark in item.iter_markers("requirement") for each in mark.args]
    item.user_properties.append((_PROVES, json.dumps(proven)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    if not LONG:
        return
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call" or outcome != "passed"
    ]
    lines = lines_of(reports)
    if lines:
        terminalreporter.section("faults")
        for text in table_of(lines):
            terminalreporter.write_line(text)


def lines_of(reports: Iterable[Any]) -> list[Line]:
    """One line for each fault, the broken promises first."""
    lines: dict[str, Line] = {}
    for report in reports:
        properties = [(name, value) for name, value in report.user_properties]
        proven = [
            each for name, value in properties if name == _PROVES for each in json.loads(value)
        ]
        for fault, promised, *counted in _told(report, properties):
            line = lines.setdefault(fault, Line(fault, promised))
            line.tests += 1
            line.broken += report.outcome != "passed"
            line.requirement |= set(proven)
            if counted:
                line.done.append(counted[0])
                line.counted.append(counted[1])
    return sorted(lines.values(), key=lambda line: not line.broken)


def _told(report: Any, properties: list[tuple[str, Any]]) -> Iterator[list[str]]:
    told = [json.loads(value) for name, value in properties if name == _TOLD]
    marked = [json.loads(value) for name, value in properties if name == _MARKED]
    yield from told
    yield from (each for each in marked if each)
    if report.outcome != "passed" and marked and not told and not any(marked):
        yield [report.nodeid.rpartition("::")[2], "see the failure above"]


def table_of(lines: Iterable[Line]) -> Iterator[str]:
    """The table as text, every cell wrapped within its column."""
    yield from _row({name: name.upper() for name in _WIDTHS})
    for line in lines:
        yield "-" * (sum(_WIDTHS.values()) + 2 * len(_WIDTHS) - 2)
        yield from _row(line.cells())


def _row(cells: dict[str, str]) -> Iterator[str]:
    wrapped = [textwrap.wrap(cells[name], width) or [""] for name, width in _WIDTHS.items()]
    for at in range(max(map(len, wrapped))):
        parts = [column[at] if at < len(column) else "" for column in wrapped]
        texts = (part.ljust(width) for part, width in zip(parts, _WIDTHS.values(), strict=True))
        yield "  ".join(texts).rstrip()
