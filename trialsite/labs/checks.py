"""Edit checks of a lab panel: what contradicts itself is kept, and the site is asked.

Clinical rules of the lab panel: fractions do not exceed their whole, prothrombin activity
and INR agree, platelets do not halve overnight unasked, and two laboratories'
prothrombin figures are not read as one line.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from trialsite.labs.codes import ResultFlag, item_oid
from trialsite.labs.derive import is_unusual
from trialsite.labs.facts import LabFact
from trialsite.labs.models import LabResult
from trialsite.labs.results import parse_result
from trialsite.labs.scores import expected_pta
from trialsite.labs.scores.coagulation import DISCORDANT
from trialsite.protocol.labs import Analyte
from trialsite.review.services import Finding

_MARKS = {"H": ResultFlag.HIGH, "HH": ResultFlag.HIGH, "L": ResultFlag.LOW, "LL": ResultFlag.LOW}
_DIFFERENTIAL_SLACK = Decimal("1.02")
_DAY = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A whole panel as the checks see it."""

    results: Mapping[str, LabResult]
    previous: Mapping[str, LabFact]
    analytes: Mapping[str, Analyte]
    collected_at: dt.datetime | None
    laboratory: str
    #: What speaks against a specimen that rows name, by its identifier.
    specimens: Mapping[str, str]

    def exact(self, key: str) -> Decimal | None:
        """The canonical value; a mere limit such as "<5" decides no comparison."""
        row = self.results.get(key)
        return row.canonical if row is not None and not row.comparator else None


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken check: which, about which analyte, what it asks, and over which values."""

    oid: str
    analyte: str
    message: str
    content: tuple[str, ...]

    @property
    def finding(self) -> Finding:
        return Finding(item_oid=item_oid(self.analyte), message=self.message)


Check = Callable[[Drawn], Iterator[Broken]]


def broken_checks(drawn: Drawn) -> list[Broken]:
    """Every check that the panel breaks, with its question in the present language."""
    return [broken for check in CHECKS for broken in check(drawn)]


def _texts(drawn: Drawn, *keys: str) -> tuple[str, ...]:
    rows = (drawn.results.get(key) for key in keys)
    return tuple(f"{row.text} {row.unit}" if row is not None else "" for row in rows)


def _fractions(drawn: Drawn) -> Iterator[Broken]:
    direct, total = drawn.exact("BILDIR"), drawn.exact("BILI")
    if direct is not None and total is not None and direct > total:
        message = _("Direct bilirubin is higher than total bilirubin. Please check both.")
        yield Broken("LB.DIRECT_ABOVE_TOTAL", "BILDIR", message, _texts(drawn, "BILDIR", "BILI"))
    cells, parts = drawn.exact("WBC"), [drawn.exact(key) for key in ("NEUT", "LYM")]
    known = [part for part in parts if part is not None]
    if cells is not None and len(known) == 2 and sum(known) > cells * _DIFFERENTIAL_SLACK:
        message = _("Neutrophils and lymphocytes together exceed the white cells. Please check.")
        yield Broken("LB.DIFFERENTIAL", "WBC", message, _texts(drawn, "WBC", "NEUT", "LYM"))


def _pairs(drawn: Drawn) -> Iterator[Broken]:
    ast, alt = drawn.exact("AST"), drawn.results.get("ALT")
    if ast is not None and ast > 0 and (alt is None or not alt.text):
        message = _("AST is there without ALT. Please check whether ALT was reported.")
        yield Broken("LB.AST_WITHOUT_ALT", "ALT", message, _texts(drawn, "AST", "ALT"))


def _coagulation(drawn: Drawn) -> Iterator[Broken]:
    inr, pta = drawn.exact("INR"), drawn.exact("PTA")
    if inr is None or pta is None:
        return
    content = _texts(drawn, "INR", "PTA")
    if inr < 1 and pta < 60:
        message = _("INR below 1 does not go with a prothrombin activity below 60 %.")
        yield Broken("LB.INR_AGAINST_PTA", "PTA", message, content)
        return
    expected = expected_pta(inr=inr, reported=pta)
    if expected.grade == DISCORDANT and expected.displayed is not None:
        message = _(
            "Prothrombin activity %(pta)s %% is far from the %(expected)s %% that INR %(inr)s "
            "suggests. Please check both against the printout; neither is derived from the other."
        ) % {"pta": _short(pta), "expected": _short(expected.displayed), "inr": _short(inr)}
        yield Broken("LB.PTA_EXPECTED", "PTA", message, content)


def _platelets(drawn: Drawn) -> Iterator[Broken]:
    now, before = drawn.exact("PLAT"), drawn.previous.get("PLAT")
    if now is None or before is None or before.canonical is None or drawn.collected_at is None:
        return
    if before.comparator or drawn.collected_at - before.collected_at > _DAY:
        return
    if now <= before.canonical / 2:
        message = _("Platelets have halved within 24 hours. Please confirm.")
        content = (*_texts(drawn, "PLAT"), str(before.canonical))
        yield Broken("LB.PLATELETS_HALVED", "PLAT", message, content)


def _laboratories(drawn: Drawn) -> Iterator[Broken]:
    for key in ("PTA", "INR"):
        before = drawn.previous.get(key)
        row = drawn.results.get(key)
        if row is None or row.value is None or before is None:
            continue
        if drawn.laboratory and before.laboratory and before.laboratory != drawn.laboratory:
            message = _(
                "%(analyte)s was measured by another laboratory before (%(before)s, now %(now)s). "
                "Their figures are not one line; please confirm the laboratory."
            ) % {"analyte": key, "before": before.laboratory, "now": drawn.laboratory}
            content = (drawn.laboratory, before.laboratory)
            yield Broken(f"LB.{key}.LABORATORY", key, message, content)


def _specimens(drawn: Drawn) -> Iterator[Broken]:
    """One question for each specimen, at the first of its results."""
    asked: set[str] = set()
    for key, row in drawn.results.items():
        ref = row.specimen_ref
        if ref in drawn.specimens and ref not in asked:
            asked.add(ref)
            yield Broken(f"LB.{key}.SPECIMEN", key, drawn.specimens[ref], (ref,))


def _each(drawn: Drawn) -> Iterator[Broken]:
    for key, row in drawn.results.items():
        analyte = drawn.analytes.get(key)
        if analyte is None or row.value is None:
            continue
        content = _texts(drawn, key)
        if is_unusual(analyte, row.canonical) and not row.confirmed:
            message = _("This value is outside the expected range. Please confirm.")
            yield Broken(f"LB.{key}.RANGE", key, message, content)
        mark = _MARKS.get(parse_result(row.text).printed_flag)
        if mark is not None and row.flag not in {mark, ResultFlag.UNKNOWN}:
            message = _(
                "The printout marks this result as %(mark)s, the range on file does not. "
                "Please check value, unit and range."
            ) % {"mark": mark.label.lower()}
            yield Broken(f"LB.{key}.MARK", key, message, content)


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"


CHECKS: tuple[Check, ...] = (
    _fractions,
    _pairs,
    _coagulation,
    _platelets,
    _laboratories,
    _specimens,
    _each,
)
