"""Datasets of a study that holds its people several times, told apart and told alike.

Nothing here comes from the code that makes the copies but how their keys are formed: which
number is whose is read from the rows, so a copy that is numbered wrongly is found.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from django.apps import apps

from trialsite.access.models import User
from trialsite.demo.bulk.retold import copy_of
from trialsite.exports.registry import Dataset
from trialsite.exports.writing import Format, write

_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_SHAPE = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Z]+(?:-[0-9A-Z]+)+(?![0-9A-Za-z])")
_PLACES = re.compile(r'"target": \d+')
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?"
    r"|(?<!\d)()\d\d:\d\d:\d\d(?!\d)"
)
#: In a line of the trail: what PostgreSQL wrote by its own clock, keys that it counts, and
#: the place in the study.
_CLOCKED = re.compile(r'("(?:dated_at|signed_at|trial_at|place|id)": )(?:"[^"]*[:T][^"]*"|\d+)')
#: Columns of numbers that each of the study's people and samples has of its own.
NUMBERS = (
    ("casebook.Subject", "number"),
    ("casebook.Subject", "screening_number"),
    ("screening.ScreeningEntry", "number"),
    ("samples.Specimen", "code"),
    ("samples.Aliquot", "code"),
    ("samples.Box", "code"),
    ("samples.Shipment", "code"),
    ("samples.Freezer", "name"),
    ("visits.ProductLot", "code"),
    ("visits.LoadedProduct", "reactor_serial"),
)
#: What PostgreSQL wrote by its own clock when the row came.
CLOCKED = frozenset({"SIGNED", "TRIALAT", "LOCAL"})

Row = tuple[str, ...]


class Copies:
    """Which copy says what, and what the original says there."""

    def __init__(self) -> None:
        self.number_of: dict[str, tuple[int, str]] = {}
        for label, column in NUMBERS:
            rows = apps.get_model(label)._default_manager.exclude(**{column: None})
            said = {str(key): text for key, text in rows.values_list("pk", column)}
            originals = {key[:-12]: text for key, text in said.items() if not copy_of(key)}
            for key, text in said.items():
                self.number_of[text] = (copy_of(key), originals[key[:-12]])
        named = sorted(
            (each for each in self.number_of if not _SHAPE.fullmatch(each)), key=len, reverse=True
        )
        names = "|".join(re.escape(each) for each in named) or "(?!)"
        self._named = re.compile(rf"(?:{names})(?![0-9A-Za-z]|-\d)")

    def told_alike(self, text: str) -> tuple[str, set[str], set[int]]:
        """The text with neither keys, numbers nor hashes of its own; which and whose they were."""
        keys: set[str] = set()
        whose: set[int] = set()

        def key(match: re.Match[str]) -> str:
            keys.add(match[0])
            return match[0][:-12]

        def number(match: re.Match[str]) -> str:
            """A number, perhaps with something behind it after a hyphen."""
            said, behind = match[0], ""
            while said not in self.number_of:
                said, hyphen, last = said.rpartition("-")
                behind = hyphen + last + behind
                if not said:
                    return match[0]
            copy, original = self.number_of[said]
            whose.add(copy)
            return original + behind

        text = _CLOCKED.sub(r"\1", _KEY.sub(key, text))
        for pattern in (self._named, _SHAPE):
            text = pattern.sub(number, text)
        return _HASH.sub("(hash)", text), keys, whose


def rows_of(dataset: Dataset, by: User) -> Iterator[dict[str, str]]:
    """The lines of the dataset's file."""
    with write(dataset, by=by, as_=Format.CSV).file as file:
        text = file.read().decode()
    return csv.DictReader(io.StringIO(text, newline=""))


def by_copy(
    rows: Iterable[dict[str, str]], copies: Copies, apart: frozenset[str] = frozenset()
) -> dict[int, Counter[Row]]:
    """The lines of each copy, told alike; those of nobody under -1."""
    told = []
    for row in rows:
        cells = [
            copies.told_alike("" if name in CLOCKED | apart else text) for name, text in row.items()
        ]
        keys, whose = set[str](), set[int]()
        for _text, more, of in cells:
            keys |= more
            whose |= of | {copy_of(each) for each in more if copy_of(each)}
        told.append((tuple(text for text, _keys, _whose in cells), keys, whose))
    copied = {each[:-12] for _row, keys, _whose in told for each in keys if copy_of(each)}
    found: dict[int, Counter[Row]] = defaultdict(Counter)
    for row_told, keys, whose in told:
        if not whose and any(each[:-12] in copied for each in keys):
            whose = {0}
        assert len(whose) <= 1, f"a line of {sorted(whose)}: {row_told}"
        found[max(whose, default=-1)][row_told] += 1
    return found


def is_of_a_copy(row: dict[str, str], copies: Copies) -> bool:
    """Whether a line speaks of a copy's people or things."""
    for text in row.values():
        _alike, keys, whose = copies.told_alike(text)
        if whose - {0} or any(copy_of(key) for key in keys):
            return True
    return False


def told_again(row: dict[str, str]) -> Row:
    """A line without what differs from load to load: keys, hashes, the time of day, and how
    many places the study has."""
    return tuple(
        _PLACES.sub("", _MOMENT.sub(r"\1\2", _HASH.sub("(hash)", _KEY.sub("(key)", text))))
        for text in row.values()
    )
