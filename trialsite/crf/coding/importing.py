"""Codes from a file or a pasted table, as the site's own coding program writes them.

Every line names words with their code; each term with these words that waits gets it. One
line that cannot be understood refuses the whole: half a coding list is no coding list.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.core.exceptions import DomainError
from trialsite.crf.coding.services import Code, code_terms
from trialsite.crf.coding.terms import said_terms, terms_of, words_of
from trialsite.crf.models import DICTIONARIES

MAX_CHARACTERS = 2_000_000
MAX_LINES = 20_000
NEEDED = ("verbatim", "version", "code", "term")
#: `pt`, `pt_code`, `hlt`, ...: the levels of every dictionary.
LEVELS = tuple(dict.fromkeys(level for levels in DICTIONARIES.values() for level in levels))
COLUMNS = (
    *NEEDED,
    "dictionary",
    *(name for level in LEVELS for name in (level.lower(), f"{level.lower()}_code")),
)


class CodingListError(DomainError):
    """A list that was not taken; `problems` says why, line by line."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(problems)
        super().__init__(_("Nothing was taken from this list."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a list: terms coded, and lines whose words wait nowhere."""

    coded: int
    idle: int


def decoded(content: bytes) -> str:
    """A file's text; what is no UTF-8 is read as GB18030, as Chinese programs write."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CodingListError({0: _("The file is no text in UTF-8 or GB18030.")})


def import_codes(*, text: str, by: User) -> Imported:
    """Give every waiting term whose words the list names its code, all or nothing."""
    codes = read_codes(text)
    waiting = said_terms(terms_of(by), by)
    matched = [
        (term, code)
        for term in waiting
        if (code := codes.get((term.item.dictionary, words_of(term.verbatim))))
    ]
    used = {(term.item.dictionary, words_of(term.verbatim)) for term, _code in matched}
    return Imported(coded=code_terms(codes=matched, by=by), idle=len(codes.keys() - used))


def read_codes(text: str) -> dict[tuple[str, str], Code]:
    """Dictionary and words -> code; raises CodingListError with what cannot be understood."""
    if len(text) > MAX_CHARACTERS or "\x00" in text:
        raise CodingListError({0: _("The list is too long, or no text.")})
    lines = _rows(text)
    problems: dict[int, str] = {}
    found: dict[tuple[str, str], Code] = {}
    for number, row in lines:
        problem = _problem(row)
        key = (row.get("dictionary") or "MedDRA", words_of(row.get("verbatim", "")))
        code = _code(row)
        if not problem and found.get(key, code) != code:
            problem = _("The same words have another code in a line before.")
        if problem:
            problems[number] = problem
        else:
            found[key] = code
    if problems:
        raise CodingListError(problems)
    return found


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    text = text.lstrip("\ufeff\r\n ")
    head, _sign, _rest = text.partition("\n")
    delimiter = max("\t;,", key=head.count)
    try:
        read = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise CodingListError(
            {0: _("The table cannot be read: a quotation mark is left open.")}
        ) from error
    names = [name.strip().lower() for name in read[0]] if read else []
    missing = [name for name in NEEDED if name not in names]
    if missing:
        words = ", ".join(missing)
        raise CodingListError(
            {1: _("The first line names no column %(names)s.") % {"names": words}}
        )
    if len(read) > MAX_LINES:
        raise CodingListError({0: _("The list is too long, or no text.")})
    return [
        (number, dict(zip(names, (cell.strip() for cell in row), strict=False)))
        for number, row in enumerate(read[1:], 2)
        if any(cell.strip() for cell in row)
    ]


def _problem(row: Mapping[str, str]) -> str:
    missing = [name for name in NEEDED if not row.get(name)]
    if missing:
        return _("Empty: %(names)s.") % {"names": ", ".join(missing)}
    dictionary = row.get("dictionary") or "MedDRA"
    if dictionary not in DICTIONARIES:
        return _("No such dictionary: %(name)s.") % {"name": dictionary[:40]}
    limits = {"verbatim": 500, "version": 20, "code": 40}
    if any(len(text) > limits.get(name, 300) for name, text in row.items() if name in COLUMNS):
        return _("A text in this line is too long.")
    return ""


def _code(row: Mapping[str, str]) -> Code:
    levels = {
        level: {"code": row.get(f"{level.lower()}_code", ""), "term": row.get(level.lower(), "")}
        for level in DICTIONARIES.get(row.get("dictionary") or "MedDRA", ())
    }
    return Code(
        version=row.get("version", ""),
        code=row.get("code", ""),
        term=row.get("term", ""),
        levels={level: said for level, said in levels.items() if any(said.values())},
    )
