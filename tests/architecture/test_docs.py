"""The documents: no dead link, no orphan, no command that does not exist, no trace of a machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.utils import translation

from trialsite.access.capabilities import GRANTS, Role
from trialsite.launcher.cli import parser

ROOT = Path(__file__).resolve().parents[2]

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_VERB = re.compile(r"(?<![\w-])make ([a-z][a-z-]*)")
_COMMAND = re.compile(r"(?:manage\.py|launcher manage) ([a-z_]+)")
_LAUNCHER = re.compile(r"trialsite\.launcher ((?:[a-z-]+ ?)+)")
_IMPORT = re.compile(r"^from ([\w.]+) import ([\w, ]+)$", re.MULTILINE)
_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")

#: A path below a home or working directory, wherever it stands as a path of its own.
_MACHINE_PATH = re.compile(r"(?<![\w.\-/~$}*])/(?:home|root|work|Users)/[\w.\-]")
#: What a lock file of a machine with a mirror would carry; the public registries need no address.
_REGISTRY = re.compile(
    r"https?://[^\s\"'/]*(?:pypi|npmjs|registry|artifactory|nexus|pythonhosted|devpi)[^\s\"']*"
)


def tracked() -> list[Path]:
    """Every file of the repository that is here and is text."""
    answer = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (ROOT / name for name in answer.stdout.split("\0") if name)
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def documents() -> list[Path]:
    """README, its neighbours, and everything written below docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """The text without examples: what stands in code is no link."""
    return _INLINE.sub("", _FENCE.sub("", path.read_text("utf-8")))


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """The files a document leads to, each with the heading it names."""
    for target in _LINK.findall(prose(path)):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield (path.parent / file).resolve() if file else path, anchor


def anchors(path: Path) -> set[str]:
    """The headings of a document, as links name them."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def reachable(*starts: Path) -> set[Path]:
    """Everything a reader comes to from here by following links."""
    found: set[Path] = set()
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        if path.suffix == ".md":
            waiting.extend(target for target, _anchor in links(path))
    return found


def code(text: str) -> str:
    """What a text gives its reader to type or to look up: blocks, and what stands in backticks."""
    return "\n".join([*_FENCE.findall(text), *_INLINE.findall(_FENCE.sub("", text))])


def verbs(text: str) -> set[str]:
    """The commands of the Makefile that a text tells its reader to type."""
    return set(_VERB.findall(code(text)))


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_link_leads_somewhere(path):
    dead = [
        f"{named(path)}: {target.name}#{anchor}"
        for target, anchor in links(path)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert not dead


#: Written by a command, here or not: named in the documents, linked by none.
REPORTS = {ROOT / "docs/benchmarks.md"}


def test_every_document_is_reached_from_the_readme():
    found = reachable(ROOT / "README.md")
    written = {path for path in tracked() if path.is_relative_to(ROOT / "docs")}
    pictures = set((ROOT / "docs/screenshots").glob("*.png"))
    assert not {named(path) for path in (written | pictures) - found - REPORTS}


def test_the_readme_names_the_two_commands():
    assert {"run", "test"} <= verbs((ROOT / "README.md").read_text("utf-8"))


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_command_named_is_one_of_the_makefile(path):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    known = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert verbs(path.read_text("utf-8")) <= known


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_management_command_named_exists(path):
    assert set(_COMMAND.findall(path.read_text("utf-8"))) <= set(get_commands())


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_verb_of_the_launcher_named_exists(path):
    for call in _LAUNCHER.findall(code(path.read_text("utf-8"))):
        parser().parse_known_args(call.split())


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_import_shown_works(path):
    """An example whose first lines fail teaches nothing; what it makes itself is not there."""
    missing = [
        f"{module}.{name}"
        for block in _FENCE.findall(path.read_text("utf-8"))
        for module, names in _IMPORT.findall(block)
        for name in names.partition(" as ")[0].split(", ")
        if name not in EXAMPLES and not hasattr(import_module(module), name)
    ]
    assert not missing


#: Made by the reader of a walkthrough, or while the product runs.
EXAMPLES = {"Pain", "visits/models/pain.py", "visits/migrations/0003_pain.py"}
EXAMPLES |= {"tests/visits/test_pain.py"}
_MADE = re.compile(
    r"^(var|secrets|backups|postgres|wal|studies|log|static|cache|records|packages)/"
)
_ADDRESS = re.compile(r"^([a-z-]+/)+$")


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_file_named_is_there(path):
    names = set(_FILE.findall(_FENCE.sub("", path.read_text("utf-8")))) - EXAMPLES
    places = (ROOT, ROOT / "trialsite", path.parent)
    assert not {
        name
        for name in names
        if not _MADE.match(name)
        and not _ADDRESS.match(name)
        and not any((place / name).exists() for place in places)
    }


def test_every_variable_of_the_operators_table_is_read_somewhere():
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]{3,})`", row)}
    code = "".join(
        file.read_text("utf-8") for file in (ROOT / "Makefile", *(ROOT / "trialsite").rglob("*.py"))
    )
    assert len(names) > 10
    assert not {name for name in names if not re.search(rf"\b{name}\b", code)}


def test_the_administrators_page_tells_what_each_role_may():
    text = (ROOT / "docs/for-administrators.md").read_text("utf-8")
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line]
    told = {row[0]: row[1] for row in cells if len(row) == 2}
    nurse = GRANTS[Role.RESEARCH_NURSE]
    with translation.override("en"):
        for role in Role:
            words = told[str(role.label)]
            more = words.removeprefix("as a research nurse, and: ")
            of_the_nurse = {str(each.label) for each in nurse} if more != words else set()
            granted = {str(each.label) for each in GRANTS[role]}
            assert set(more.split("; ")) | of_the_nurse == granted, role


def test_pictures_are_small():
    heavy = [path.name for path in (ROOT / "docs").rglob("*.png") if path.stat().st_size > 250_000]
    assert not heavy


@pytest.mark.parametrize("pattern", [_MACHINE_PATH, _REGISTRY], ids=["path", "registry"])
def test_no_file_tells_of_the_machine_it_was_written_on(pattern):
    found = [
        f"{named(path)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__).resolve()
        for match in pattern.finditer(path.read_text("utf-8", errors="replace"))
    ]
    assert not found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("see /home/" + "somebody/x", True),
        ('"/work/' + 'main"', True),
        ("https://example.org/home/" + "page", False),
        ("docs/home/" + "page", False),
        ("../work/" + "x", False),
    ],
)
def test_a_machine_path_is_told_from_others(text, told):
    assert bool(_MACHINE_PATH.search(text)) is told
