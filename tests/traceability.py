"""The requirement-to-test matrix: `make docs` writes docs/validation/traceability.md.

Requirements stand in docs/validation/requirements.csv; tests name theirs with
`@pytest.mark.requirement("AT1")`. The tests are read, not run.
"""

from __future__ import annotations

import ast
import csv
import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "docs/validation/requirements.csv"
MATRIX = ROOT / "docs/validation/traceability.md"


def requirements() -> list[dict[str, str]]:
    """The requirements in the order of the list."""
    with REQUIREMENTS.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file, which several questions are asked of."""
    return ast.parse(path.read_text("utf-8"))


def marked_tests() -> dict[str, list[str]]:
    """Requirement id -> the tests that prove it, as `path::name`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = parsed(path)
        everywhere = [id_ for node in tree.body for id_ in _module_marks(node)]
        for function in _functions(tree):
            for id_ in [*everywhere, *_marks(function.decorator_list)]:
                found[id_].append(f"{path.relative_to(ROOT).as_posix()}::{function.name}")
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _module_marks(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    ):
        return _marks([node.value])
    return []


def _marks(nodes: list[ast.expr]) -> list[str]:
    return [
        argument.value
        for node in nodes
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "requirement"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def matrix() -> str:
    """The matrix as Markdown."""
    proofs = marked_tests()
    listed = requirements()
    proved = sum(1 for each in listed if proofs.get(each["id"]))
    lines = [
        "# Requirements and the tests that prove them",
        "",
        "Written by `make docs`; do not edit. "
        f"{proved} of {len(listed)} requirements have a test; the others belong to parts of the "
        "product that are not built yet.",
    ]
    group = ""
    for each in listed:
        if each["group"] != group:
            group = each["group"]
            lines += [
                "",
                f"## {group}",
                "",
                "| id | requirement | priority | tests |",
                "|---|---|---|---|",
            ]
        tests = "<br>".join(f"`{name}`" for name in sorted(set(proofs.get(each["id"], [])))) or "–"
        words = each["requirement"].replace("|", "\\|")
        lines.append(f"| {each['id']} | {words} | {each['priority']} | {tests} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    MATRIX.write_text(matrix(), encoding="utf-8")
