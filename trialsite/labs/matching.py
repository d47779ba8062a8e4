"""Which test of the protocol, and which unit, a laboratory's wording means.

A wording is taken only when nothing of it is left unexplained; what merely resembles a test
is offered as a candidate, for a person to choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from trialsite.protocol.labs import Analyte

from .results import folded
from .vocabulary import (
    AFFIXES,
    ANNOTATIONS,
    OTHER_SPECIMEN_CELLS,
    OTHER_SPECIMENS,
    QUALIFIERS,
    TESTS,
    UNITS,
    UNWRITTEN,
)

MOST_CANDIDATES = 5
_GREEK = str.maketrans({"α": "a", "β": "b", "γ": "g", "μ": "u", "µ": "u"})
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_NAME_NOISE = re.compile(r"[ \-_.,:/·、*★▲△+]")
_UNIT_NOISE = re.compile(r"[ \[\](){}^*·]")
_BRACKETS = re.compile(r"[(\[{【]([^()\[\]{}【】]*)[)\]}】]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ASCII = re.compile(r"[\x00-\x7f]")


def name_form(text: str) -> str:
    """One form for the spellings of a test's name; brackets stay."""
    return _NAME_NOISE.sub("", folded(text).translate(_GREEK))


def unit_form(text: str) -> str:
    """One form for the typographies of a unit: μmol/L and umol/l, ×10⁹/L and 10*9/L."""
    plain = _UNIT_NOISE.sub("", folded(text).translate(_GREEK).translate(_RAISED))
    return plain.removeprefix("x") if plain.startswith("x10") else plain


_QUALIFIERS = frozenset(name_form(text) for text in QUALIFIERS)
_AFFIXES = tuple(name_form(text) for text in AFFIXES)
_UNITS: dict[str, list[str]] = {}
for _unit, _spellings in UNITS.items():
    for _spelling in _spellings:
        _UNITS.setdefault(unit_form(_spelling), []).append(_unit)
_ANNOTATIONS = {name_form(name): annotation for name, annotation in ANNOTATIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The tests a wording names: one is it, several are open, none leaves `candidates`."""

    analytes: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


class Matcher:
    """The names of a protocol's tests. Built once for a block of lines."""

    def __init__(self, analytes: Iterable[Analyte]) -> None:
        self.analytes = {analyte.key: analyte for analyte in analytes}
        self._names: dict[str, tuple[str, ...]] = {}
        for analyte in self.analytes.values():
            synonyms = TESTS.get(analyte.testcd or analyte.key, ())
            own = (analyte.key, analyte.testcd, analyte.loinc, analyte.name.en, analyte.name.zh)
            for text in (*own, *synonyms):
                self._add(text, analyte.key)
        self._forms = {
            key: tuple((unit, unit_form(unit), _bare(unit)) for unit in analyte.accepted_units)
            for key, analyte in self.analytes.items()
        }
        known = [forms for of_test in self._forms.values() for forms in of_test]
        accepted = {unit for unit, _, _ in known}
        self._signs = {form for _, *forms in known for form in forms} | {
            form for form, units in _UNITS.items() if accepted.intersection(units)
        }

    def _add(self, text: str, key: str) -> None:
        for form in {name_form(text), _BRACKETS.sub(r"\1", name_form(text))} - {""}:
            known = self._names.get(form, ())
            if key not in known:
                self._names[form] = (*known, key)

    def match(self, text: str) -> Match:
        """The tests `text` names, all of it understood."""
        form = name_form(text)
        found = self._whole(form) or self._bracketed(form) or self._bilingual(form)
        return Match(analytes=found) if found else Match(candidates=self._similar(form))

    def _whole(self, form: str) -> tuple[str, ...]:
        """By the form itself, or without an affix that changes nothing."""
        found = self._names.get(form)
        if found is not None:
            return found
        for affix in _AFFIXES:
            bare = form.removeprefix(affix).removesuffix(affix)
            if bare != form and bare in self._names:
                return self._names[bare]
        return ()

    def _bracketed(self, form: str) -> tuple[str, ...]:
        """`name(name)` of one test, or `name(qualifier)`; two tests are both open."""
        inner = [text for text in _BRACKETS.findall(form) if text not in _QUALIFIERS]
        outer = _BRACKETS.sub("", form)
        if outer == form:
            return ()
        found = [self._whole(outer) or self._bilingual(outer), *(self._whole(t) for t in inner)]
        if not all(found):
            return ()
        shared = set(found[0]).intersection(*found[1:])
        return tuple(
            key
            for key in dict.fromkeys(key for keys in found for key in keys)
            if key in shared or not shared
        )

    def _bilingual(self, form: str) -> tuple[str, ...]:
        """`ALT丙氨酸氨基转移酶`: both halves name the same test."""
        latin = self._names.get(_NOT_ASCII.sub("", form), ())
        chinese = self._names.get(_ASCII.sub("", form), ())
        return tuple(key for key in latin if key in chinese)

    def _similar(self, form: str) -> tuple[str, ...]:
        if len(form) < 2:
            return ()
        outer = _BRACKETS.sub("", form)
        parts = [outer, *_BRACKETS.findall(form), _NOT_ASCII.sub("", outer)]
        near = [key for part in parts for key in self._names.get(part, ())]
        near += [
            key
            for name, keys in self._names.items()
            if len(name) > (3 if name.isascii() else 2) and name in form
            for key in keys
        ]
        return tuple(dict.fromkeys(near))[:MOST_CANDIDATES]

    def units(self, key: str, text: str, name: str = "") -> tuple[str, ...]:
        """The accepted units `text` means for a test; `name` may say as what it is reported.

        None: not accepted. Several: the same sign for different units, a person must say.
        """
        accepted, forms = self.analytes[key].accepted_units, self._forms[key]
        form = unit_form(text)
        exact = tuple(unit for unit, one, _ in forms if unit == text.strip() or one == form)
        if exact:
            return exact[:1]
        spelled = tuple(unit for unit in _UNITS.get(form, ()) if unit in accepted)
        if spelled or (not form and accepted[0] in UNWRITTEN):
            return spelled[:1] or accepted[:1]
        bare = tuple(unit for unit, _, one in forms if form and one == form)
        said = _ANNOTATIONS.get(_BRACKETS.sub("", name_form(name)), "")
        return tuple(unit for unit in bare if said and unit.endswith(said)) or bare

    def is_unit(self, text: str) -> bool:
        """Whether any test of the protocol is reported in this."""
        form = unit_form(text)
        return bool(form) and form in self._signs


def _bare(unit: str) -> str:
    """The form of a unit without its annotation; of one that has none, nothing."""
    sign, brace, _ = unit.partition("{")
    return unit_form(sign) if brace else ""


def other_specimen(cells: Iterable[str]) -> bool:
    """Whether a line speaks of urine, ascites or another specimen than blood."""
    return any(
        cell in OTHER_SPECIMEN_CELLS or any(word in cell for word in OTHER_SPECIMENS)
        for cell in (folded(cell) for cell in cells)
    )
