"""Nothing of a particular study stands in code: it is all in the protocol file."""

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import trialsite
from trialsite.protocol import Protocol

PLATFORM = Path(trialsite.__file__).parent
PACKAGE = PLATFORM / "protocol"
MODULES = sorted(PACKAGE.rglob("*.py"))
COMPOSITION = {"settings", "demo", "launcher"}
LEAKS = re.compile(
    r"NCT\d|SE\.[A-Z]+\d|\b17\.1|\b171\b|\bMELD\b|bilirubin|\b17\.104\b", re.IGNORECASE
)


def literals(path: Path) -> Iterator[object]:
    """Every constant of a module except its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documented:
            yield node.value


@pytest.mark.parametrize("path", MODULES, ids=[path.name for path in MODULES])
def test_no_module_of_the_protocol_package_speaks_of_a_study(path: Path) -> None:
    assert LEAKS.findall(path.read_text("utf-8")) == []


def test_no_identifier_of_a_study_is_a_literal_of_the_platform(protocol: Protocol) -> None:
    identifiers = {protocol.study.study_id}
    identifiers |= {event.oid for event in protocol.schedule.events}
    identifiers |= {criterion.id for criterion in protocol.criteria}
    found = [
        (path.relative_to(PLATFORM), literal)
        for path in PLATFORM.rglob("*.py")
        if path.relative_to(PLATFORM).parts[0] not in COMPOSITION
        for literal in literals(path)
        if isinstance(literal, str) and literal in identifiers
    ]
    assert found == []


def test_no_threshold_or_factor_is_a_literal_of_the_package(nct06904755: Protocol) -> None:
    numbers = {
        Decimal(leaf.value)
        for leaf in nct06904755.provenance.leaves.values()
        if leaf.source and re.fullmatch(r"-?\d+(\.\d+)?", leaf.value)
    }
    telling = {number for number in numbers if number != int(number) or number > 99}
    found = [
        (path.name, literal)
        for path in MODULES
        for literal in literals(path)
        if isinstance(literal, int | float)
        and not isinstance(literal, bool)
        and Decimal(str(literal)) in telling
    ]
    assert found == []


def test_the_package_is_plain_python() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"django", "rest_framework"}
