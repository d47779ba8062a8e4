"""The rules of the house, told by the code itself (docs/architecture.md)."""

from __future__ import annotations

import ast
import functools
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from tests.traceability import parsed

ROOT = Path(__file__).resolve().parents[2]

#: Decisions H1, top to bottom; what stands on one line are siblings.
HOUSE = [
    "trialsite.urls",
    "trialsite.demo",
    "trialsite.api",
    "trialsite.dashboard",
    "samples",
    "outcomes",
    "visits",
    "screening",
    "trialsite.labs",
    "trialsite.conduct",
    "trialsite.exports",
    "trialsite.crf",
    "trialsite.review",
    "trialsite.casebook",
    "trialsite.public",
    "trialsite.notify",
    "trialsite.protocol",
    "trialsite.access",
    "trialsite.audit",
    "trialsite.core",
]
#: Outside the layers: they name apps by string, or prepare the machine before Django exists.
OUTSIDE = {"trialsite.settings", "trialsite.celery", "trialsite.wsgi", "trialsite.launcher"}


def layers() -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    listed = next(each for each in contracts if each["type"] == "layers")["layers"]
    return [name.strip() for line in listed for name in line.split("|")]


@functools.cache
def sources() -> list[tuple[str, ast.Module]]:
    """Our code, parsed once: each rule looks at the same trees."""
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8")))
        for top in ("trialsite", "screening", "visits", "outcomes", "samples")
        for path in sorted((ROOT / top).rglob("*.py"))
        if "migrations" not in path.parts
    ]


@functools.cache
def calls() -> dict[str, set[str]]:
    """What is called, by its bare name and as a method (`.name`) -> the files that call it."""
    found: dict[str, set[str]] = {}
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.setdefault(node.func.id, set()).add(path)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found.setdefault(f".{node.func.attr}", set()).add(path)
    return found


def test_the_linted_layers_are_the_house_in_order():
    positions = [HOUSE.index(name) for name in layers()]
    assert positions == sorted(positions)


def test_every_app_and_package_of_ours_has_its_layer():
    ours = set(settings.TRIAL_APPS)
    packages = {
        f"trialsite.{path.name.removesuffix('.py')}"
        for path in (ROOT / "trialsite").iterdir()
        if (path / "__init__.py").exists() or path.suffix == ".py"
    } - {"trialsite.__init__"}
    assert ours <= set(layers())
    assert packages - OUTSIDE <= set(layers())


def test_foreign_keys_point_downwards():
    """import-linter cannot see a string foreign key; this can."""
    rank = {name: position for position, name in enumerate(HOUSE)}
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models()
        if model._meta.app_config.name in rank
        for field in model._meta.get_fields()
        if field.is_relation
        and not field.auto_created
        and field.related_model
        and rank.get(field.related_model._meta.app_config.name, len(HOUSE))
        < rank[model._meta.app_config.name]
    ]
    assert not upward


def test_nothing_is_signalled_and_no_model_overrides_save():
    found = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "signals" in (node.module or "")
    ]
    overriding = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_config.name in HOUSE and {"save", "delete"} & vars(model).keys()
    ]
    assert found + overriding == []


def test_views_and_endpoints_do_not_write():
    """Parsing, one service, rendering: writing belongs to services."""
    found = []
    for path, tree in sources():
        name = Path(path).name
        if not (name.endswith(("views.py", "api.py")) or name in {"tasks.py", "urls.py"}):
            continue
        found += [
            f"{path}:{node.lineno} .{node.func.attr}("
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr
            in {"bulk_create", "bulk_update", "get_or_create", "update_or_create", "create", "save"}
            and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "self")
        ]
    assert not found


def test_views_and_endpoints_read_for_a_person():
    """`X.objects` in a view or endpoint goes on with `.visible_to(` or names its scope."""
    found = []
    for path, tree in sources():
        if not Path(path).name.endswith(("views.py", "api.py")):
            continue
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)):
                continue
            if node.value.attr == "objects" and node.attr not in {
                "visible_to",
                "unresolved",
                "standing",
            }:
                target = node.value.value
                name = target.id if isinstance(target, ast.Name) else ""
                if name not in UNSCOPED:
                    found.append(f"{path}:{node.lineno} {name}.objects.{node.attr}")
    assert not found


#: Models that belong to no site, or whose rows hang on one already fetched for the person.
UNSCOPED = {
    "Site",
    "User",
    "Membership",
    "Training",
    "ProtocolVersion",
    "Query",
    "Attachment",
    "group",
    "table",
}
#: The study's own configuration, which everybody who works in it may read.
UNSCOPED |= {"ConfirmedAssumption", "GateReview"}
#: The trail's rows belong to the trail's own role; row-level security decides who reads them.
UNSCOPED |= {"Event"}


@pytest.mark.parametrize("banned", ["mark_safe", "RawSQL", "extra"])
def test_dangerous_calls_stand_only_where_they_are_explained(banned):
    allowed = {
        "mark_safe": {"trialsite/crf/skeleton.py", "trialsite/core/templatetags/trialsite.py"},
        "RawSQL": set(),
        "extra": set(),
    }[banned]
    found = calls().get(banned, set())
    if banned == "extra":
        found = found | calls().get(".extra", set())
    assert found <= allowed


def test_no_template_marks_text_as_safe():
    found = [
        path.as_posix()
        for path in (ROOT / "trialsite/templates").rglob("*.html")
        if "|safe" in path.read_text("utf-8") or "autoescape off" in path.read_text("utf-8")
    ]
    assert not found


def test_no_test_sleeps_or_hides():
    """A sleep is a race, a skip hides: who waits for a process asks `tests.waiting.until`."""
    banned = {"time.sleep", "pytest.skip", "pytest.mark.skip", "pytest.mark.xfail"}
    last = {name.rpartition(".")[2] for name in banned}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and (node.attr == "wait_for_timeout" or (node.attr in last and ast.unparse(node) in banned))
    ]
    assert not found
