from collections.abc import Collection
from pathlib import Path
from typing import Protocol as Shape

import pytest

from trialsite.protocol import Problem, Protocol, ProtocolError, load, load_text, study_path

SECOND = Path(__file__).parent / "studies" / "second.yaml"
FILES = {"nct06904755": study_path("nct06904755"), "second": SECOND}


class ProblemsOf(Shape):
    def __call__(
        self,
        text: str,
        *,
        known_forms: Collection[str] | None = None,
        known_roles: Collection[str] | None = None,
    ) -> tuple[Problem, ...]: ...


class Amended(Shape):
    def __call__(
        self,
        old: str,
        new: str,
        *,
        known_forms: Collection[str] | None = None,
        known_roles: Collection[str] | None = None,
    ) -> tuple[tuple[Problem, ...], int]: ...


def assert_on_the_line(problem: Problem, line: int, *, edited: str) -> None:
    """A value's problem stands on its very line; one of a whole section where that begins."""
    if "\n" not in edited and problem.path.rpartition(".")[2] in edited:
        assert problem.line == line
    assert line - 6 <= problem.line <= line + 4
    assert problem.column >= 1


@pytest.fixture(params=list(FILES), scope="session")
def protocol_file(request: pytest.FixtureRequest) -> Path:
    """Each of two studies that have nothing in common."""
    return FILES[str(request.param)]


@pytest.fixture(scope="session")
def protocol(protocol_file: Path) -> Protocol:
    return load(protocol_file)


@pytest.fixture(scope="session")
def nct06904755() -> Protocol:
    return load(FILES["nct06904755"])


@pytest.fixture(scope="session")
def second() -> Protocol:
    return load(SECOND)


@pytest.fixture(scope="session")
def problems_of() -> ProblemsOf:
    """What is wrong with a text; nothing for a text that loads."""

    def find(
        text: str,
        *,
        known_forms: Collection[str] | None = None,
        known_roles: Collection[str] | None = None,
        known_items: Collection[str] | None = None,
    ) -> tuple[Problem, ...]:
        try:
            load_text(
                text, known_forms=known_forms, known_roles=known_roles, known_items=known_items
            )
        except ProtocolError as error:
            return error.problems
        return ()

    return find


@pytest.fixture(scope="session")
def amended(problems_of: ProblemsOf) -> Amended:
    """The problems after one edit of the second protocol, and the line of the edit."""

    def edit(
        old: str,
        new: str,
        *,
        known_forms: Collection[str] | None = None,
        known_roles: Collection[str] | None = None,
    ) -> tuple[tuple[Problem, ...], int]:
        text = SECOND.read_text("utf-8")
        assert old in text, old
        line = text[: text.index(old)].count("\n") + 1
        text = text.replace(old, new, 1)
        return problems_of(text, known_forms=known_forms, known_roles=known_roles), line

    return edit
