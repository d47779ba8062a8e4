"""Mapping files: what the columns of somebody else's table mean, as data.

YAML or JSON, read into dataclasses like the protocol file: every problem with its line.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.utils.translation import gettext as _

from trialsite.core.exceptions import DomainError
from trialsite.protocol.nodes import UnreadableError, parse
from trialsite.protocol.problems import Mark, Problem
from trialsite.protocol.reading import Place, Reader

S = TypeVar("S")


class MappingError(DomainError):
    """A mapping file that cannot be used, with everything found wrong in it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(_("The mapping cannot be used yet."))
        self.problems = problems


class Marked:
    """Where the parts of a mapping stand in its text, for checks beyond its form."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.problems: list[Problem] = []

    def refuse(self, path: str, message: str) -> None:
        """Report a problem at a dotted path, or at the nearest part above it that is written."""
        place = path
        while place and place not in self._reader.marks:
            place = place.rpartition(".")[0]
        mark = self._reader.marks.get(place, Mark(line=1, column=1))
        self.problems.append(Problem.at(mark, path, message))

    def expect_none(self) -> None:
        """Raise MappingError if anything was refused."""
        if self.problems:
            raise MappingError(tuple(sorted(set(self.problems))))


def read_mapping(text: str, section: type[S]) -> tuple[S, Marked]:
    """The mapping in its form; raises MappingError with every problem and its line."""
    try:
        root, problems = parse(text)
    except UnreadableError as error:
        raise MappingError((error.problem,)) from None
    reader = Reader({})
    found: Any = reader.section(section, root, Place())
    problems += reader.problems
    if problems or found is None:
        raise MappingError(tuple(sorted(set(problems))))
    return found, Marked(reader)
