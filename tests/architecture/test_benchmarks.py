"""The benchmarks: each is registered and asked for, and the page shows them all."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.benchmarks.registry import HELPERS, Found, every, modules
from tests.benchmarks.report import Result, page

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/benchmarks"
PAGE = (ROOT / "docs/benchmarks.md").read_text("utf-8")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def rows_of(text: str) -> list[tuple[str, str, str]]:
    """The table of aims: benchmark, figure, aim."""
    table = text.partition("## Aims")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return [(cells[0], cells[1], cells[2]) for cells in lines[2:]]


def test_the_page_has_a_section_for_each_benchmark_and_none_besides():
    assert _HEADING.findall(PAGE) == ["Aims", *(each.title for each in every())]


def test_the_page_sets_every_aim_beside_what_was_reached():
    aims = [(each.title, what, aim) for each in every() for what, aim in each.aims.items()]
    assert rows_of(PAGE) == aims


def test_every_function_that_measures_is_registered():
    said = {
        f"{file.stem}.{node.name}"
        for file in FOLDER.glob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == Found.__name__
    }
    assert said == {each.name for each in every()}


def test_every_part_of_the_package_measures_or_is_named_as_a_helper():
    measuring = {each.name.partition(".")[0] for each in every()}
    assert set(modules()) == measuring
    assert {file.stem for file in FOLDER.glob("*.py")} == measuring | HELPERS | {"__init__"}


@pytest.mark.parametrize("issue", range(2, 8))
def test_every_issue_that_asked_for_figures_has_some(issue: int):
    assert [each for each in every() if each.issue == issue]


def test_a_benchmark_says_what_it_means_to_whoever_waits():
    for each in every():
        assert each.means.endswith("."), each.name
        assert each.aims, each.name


def result(benchmark, *, finished: bool = True, load: float = 0.1) -> Result:
    reached = {what: f"reached {number}" for number, what in enumerate(benchmark.aims)}
    return Result(benchmark, Found(["  so many ms"], reached) if finished else None, 1, 1, 90, load)


def test_a_benchmark_that_failed_loses_nothing_of_the_others():
    known = every()
    text = page("a machine", [result(known[0], finished=False), *map(result, known[1:])])
    assert _HEADING.findall(text) == ["Aims", *(each.title for each in known)]
    rows = rows_of(text)
    assert len(rows) == sum(len(each.aims) for each in known)
    assert text.count("It did not finish in this run.") == 1
    assert text.count("so many ms") == len(known) - 1


@pytest.mark.parametrize(("load", "told"), [(0.3, False), (3.0, True)])
def test_a_shared_machine_is_named(load: float, told: bool):
    text = page("a machine", [result(each, load=load) for each in every()])
    assert ("was shared with other work" in text) is told
