"""How a text of the story is told of a copy: other keys, other numbers, other hashes.

The key of a copy's row is its original's with the copy's number in place of the last twelve
digits. So it can be computed anywhere, is told from every other at a glance, and rows that
were in the order of their keys still are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import lru_cache

#: More copies would need more digits than a site's numbers and codes have room for.
MOST = 5000

_DIGITS = 12
_KEY = r"(?P<key>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_HASH = r"(?P<hash>(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f]))"
#: What stands in a template for the copy's digits, and around the place of another value.
DIGITS, VALUE = "\x01", "\x02"


def digits_of(copy: int) -> str:
    """What a copy's keys end with."""
    return f"{copy:0{_DIGITS}x}"


def key_of(key: object, copy: int) -> str:
    """The key of a row's copy."""
    return str(key)[:-_DIGITS] + digits_of(copy)


def copy_of(key: str) -> int:
    """Of which copy a row is, by its key; 0 for one of the story."""
    number = int(key[-_DIGITS:], 16)
    return number if number <= MOST else 0


@dataclass(frozen=True, slots=True)
class Template:
    """A text of the story with gaps where each copy says its own."""

    text: str
    #: What the story itself says in the gaps that are numbered, in their order.
    values: tuple[str, ...] = ()

    @property
    def is_the_same(self) -> bool:
        """Whether every copy says exactly what the story says."""
        return DIGITS not in self.text and not self.values


@dataclass(slots=True)
class Retold:
    """Everything that a copy says otherwise: keys, and each value by the copy."""

    keys: Collection[str]
    values: dict[str, Callable[[int], str]] = field(default_factory=dict)
    _pattern: re.Pattern[str] = field(init=False)
    _numbers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = frozenset(self.values)
        self._pattern = _pattern_of(self.values)

    def template(self, text: str) -> Template:
        """The text with its gaps."""
        found: list[str] = []

        def gap(match: re.Match[str]) -> str:
            said = match[0]
            if match["key"]:
                return said[:-_DIGITS] + DIGITS if said in self.keys else said
            if said not in self.values:
                return said
            found.append(said)
            return f"{VALUE}{len(found) - 1}{VALUE}"

        return Template(self._pattern.sub(gap, text), tuple(found))

    def telling(self, text: str) -> Callable[[int], str]:
        """How the text is said of each copy."""
        template = self.template(text)

        def tell(copy: int) -> str:
            told = template.text.replace(DIGITS, digits_of(copy))
            for place, said in enumerate(template.values):
                told = told.replace(f"{VALUE}{place}{VALUE}", self.values[said](copy))
            return told

        return tell

    def of(self, text: str, copy: int) -> str:
        """The text as it is said of one copy."""
        return self.telling(text)(copy)

    def mentions(self, text: str) -> bool:
        """Whether the text speaks of anything that a copy has its own of."""
        return not self.template(text).is_the_same

    def hashed(self, text: str) -> None:
        """From now on a copy says the hash of its own text where the story says this one's."""
        if self.mentions(text):
            tell = self.telling(text)
            self.values[_sha256(text)] = lru_cache(MOST)(lambda copy: _sha256(tell(copy)))

    def back(self, copy: int) -> dict[str, str]:
        """What a copy says -> what the story says: keys, and numbers, the longest first."""
        numbers = sorted(self._numbers, key=lambda each: (-len(each), each))
        said = {self.values[each](copy): each for each in numbers}
        return said | {key_of(key, copy): key for key in self.keys}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pattern_of(values: Collection[str]) -> re.Pattern[str]:
    """Numbers stand by themselves, or with something behind a hyphen; the longest is meant."""
    longest_first = sorted(values, key=lambda each: (-len(each), each))
    numbers = "|".join(re.escape(each) for each in longest_first) or r"(?!)"
    begins = "".join(re.escape(each) for each in sorted({each[0] for each in values})) or "-"
    named = rf"(?P<value>(?=[{begins}])(?<![0-9A-Za-z-])(?:{numbers})(?![0-9A-Za-z]))"
    return re.compile(f"{_KEY}|{_HASH}|{named}")
