"""What a person or a client entered into a lab panel, understood or answered field by field.

One reading for the page, the paste and the API: flat texts in, a header, rows and errors
out. A row's fields are `<analyte>`, `.unit`, `.missing`, `.sig`, `.confirm`, `.ref`; the panels
the draw was for are `panel.<key>`. Nothing here touches the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import MissingReason
from trialsite.labs.codes import Significance, Specimen, Timepoint
from trialsite.labs.models import LabPanel, LabResult
from trialsite.labs.results import Refusal, ResultError, parse_result
from trialsite.protocol import Protocol
from trialsite.protocol.labs import Analyte

#: The fields of the draw, in the order of the page.
TIMES = ("collected_at", "received_at")
CODES = {
    "specimen": Specimen.values,
    "timepoint": Timepoint.values,
    "significance": Significance.values,
}
STATED = ("fasting", "on_ice")
MARKS = ("haemolysed", "lipaemic", "icteric", "routine_care")
HEADER = (
    "laboratory",
    *TIMES,
    "specimen",
    "timepoint",
    *STATED,
    *MARKS,
    "significance",
    "comment",
)
PARTS = ("", ".unit", ".missing", ".sig", ".confirm", ".ref")
#: Longest identifier of a specimen.
MOST_REF = 40
#: Fits the columns: 24 digits before the point and, after conversion, 18 behind it.
_LARGEST = Decimal(10) ** 18
_FINEST = -12

REFUSALS = {
    Refusal.TOO_LONG: gettext_lazy("This is longer than a result."),
    Refusal.AMBIGUOUS_COMMA: gettext_lazy(
        "A comma can be read in two ways. Write the point, such as 1.5."
    ),
    Refusal.EXPONENT: gettext_lazy("Write the power of ten as 1.2×10^3 or as plain digits."),
    Refusal.SPECIMEN: gettext_lazy(
        "The specimen was unusable: choose the reason why there is no value."
    ),
    Refusal.NOT_DONE: gettext_lazy("There is no result: choose the reason why."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEntry:
    """One analyte's entry; `text` and `missing` exclude each other."""

    text: str = ""
    unit: str = ""
    missing: str = ""
    significance: str = ""
    confirmed: str = ""
    specimen_ref: str = ""
    comparator: str = ""
    value: Decimal | None = None
    #: The judgement and the comment that were chosen anew, be they the same words as before.
    restated: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        return not self.text and not self.missing


@dataclass(slots=True)
class PanelEntry:
    """A whole panel's entry: the draw, its rows, and what could not be understood."""

    laboratory: str = ""
    header: dict[str, Any] = field(default_factory=dict)
    panels: list[str] = field(default_factory=list)
    rows: dict[str, RowEntry] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)


def read_panel(
    protocol: Protocol, texts: Mapping[str, str], *, base: Mapping[str, str] | None = None
) -> PanelEntry:
    """Read the fields of the page; what the protocol does not know is answered, not dropped.

    `base` is what the page showed before anything was typed, where that is known.
    """
    entry = PanelEntry(laboratory=texts.get("laboratory", "").strip())
    entry.header = _header(texts, entry.errors)
    for panel in protocol.labs.panels:
        if texts.get(f"panel.{panel.key}", "").strip():
            entry.panels.append(panel.key)
    rest = {part: texts.get(f"rest{part}", "").strip() for part in (".missing", ".ref")}
    asked_for = _asked_for(protocol, entry.panels, base or {})
    known = {analyte.key: analyte for analyte in protocol.labs.analytes}
    for key in rows_named(texts):
        if key not in known:
            entry.errors[key] = [_("The protocol has no analyte %(key)s.") % {"key": key}]
            continue
        try:
            of_rest = rest if key in asked_for else rest | {".missing": ""}
            entry.rows[key] = _row(known[key], texts, of_rest, base)
        except ValidationError as error:
            entry.errors[key] = list(error.messages)
    return entry


def _asked_for(protocol: Protocol, panels: Iterable[str], base: Mapping[str, str]) -> set[str]:
    """The lines of the draw's panels, and those that stand already: only they can be left empty.

    The page posts every further analyte too; nobody has said of those that they were not done.
    """
    chosen = (each for each in protocol.labs.panels if each.key in panels)
    of_panels = {key for each in chosen for key in each.analytes}
    return of_panels | {key for key in rows_named(base) if base.get(key, "").strip()}


def rows_named(texts: Mapping[str, str]) -> list[str]:
    """The analytes that the fields name; their keys are written in capitals."""
    names = (name.partition(".")[0] for name in texts)
    return list(dict.fromkeys(name for name in names if name[:1].isupper()))


def _header(texts: Mapping[str, str], errors: dict[str, list[str]]) -> dict[str, Any]:
    header: dict[str, Any] = {"comment": texts.get("comment", "").strip()}
    for name in TIMES:
        try:
            header[name] = _minute(texts.get(name, ""))
        except ValidationError as error:
            errors[name] = list(error.messages)
            header[name] = None
    for name, codes in CODES.items():
        header[name] = texts.get(name, "").strip()
        if header[name] and header[name] not in codes:
            errors[name] = [_("“%(text)s” is not one of the choices.") % {"text": header[name]}]
    for name in STATED:
        said = texts.get(name, "").strip().lower()
        header[name] = {"true": True, "false": False}.get(said)
    for name in MARKS:
        header[name] = texts.get(name, "").strip().lower() in {"true", "on", "1"}
    drawn, received = header["collected_at"], header["received_at"]
    if drawn and received and received < drawn:
        errors["received_at"] = [_("A specimen is received after it was drawn.")]
    return header


def _minute(text: str) -> dt.datetime | None:
    moment: dt.datetime | None = WallTimeField().to_python(text.strip())
    return moment


#: What is said about a value, and its part of the row.
ABOUT = {"significance": ".sig", "confirmed": ".confirm"}


def _restated(key: str, texts: Mapping[str, str], base: Mapping[str, str] | None) -> frozenset[str]:
    if base is None:
        return frozenset()
    names = {name: f"{key}{part}" for name, part in ABOUT.items()}
    return frozenset(
        name for name, part in names.items() if texts.get(part, "") != base.get(part, "")
    )


def _row(
    analyte: Analyte,
    texts: Mapping[str, str],
    rest: Mapping[str, str],
    base: Mapping[str, str] | None,
) -> RowEntry:
    parts = {part: texts.get(f"{analyte.key}{part}", "").strip() for part in PARTS}
    text, missing, significance = parts[""], parts[".missing"], parts[".sig"]
    if missing and missing not in MissingReason.values:
        raise ValidationError(_("This is no reason for a missing value."))
    if text and missing:
        raise ValidationError(_("Either a value or a reason why there is none."))
    if significance and significance not in Significance.values:
        raise ValidationError(_("“%(text)s” is not one of the choices.") % {"text": significance})
    ref = _specimen_ref(parts, rest)
    if not text:
        return RowEntry(missing=missing or rest[".missing"], specimen_ref=ref)
    comparator, value = read_result(analyte, text)
    unit = parts[".unit"]
    if (unit or value is not None) and unit not in analyte.accepted_units:
        raise ValidationError(unit_refusal(analyte, unit))
    return RowEntry(
        text=text,
        unit=unit if value is not None else "",
        significance=significance,
        confirmed=parts[".confirm"][:500],
        specimen_ref=ref,
        comparator=comparator,
        value=value,
        restated=_restated(analyte.key, texts, base),
    )


def _specimen_ref(parts: Mapping[str, str], rest: Mapping[str, str]) -> str:
    """The row's own specimen, else the one stated for every line that has a result."""
    own = parts[".ref"]
    if own and not (parts[""] or parts[".missing"] or rest[".missing"]):
        raise ValidationError(_("Enter the result of this specimen, or why there is none."))
    ref = own or (rest[".ref"] if parts[""] else "")
    if len(ref) > MOST_REF or not ref.isprintable():
        raise ValidationError(_("This is longer than a specimen ID, or holds what cannot be read."))
    return ref


def unit_refusal(analyte: Analyte, unit: str) -> str:
    """Why a unit is not taken: unstated, or not on the analyte's list."""
    if not unit:
        return _("Say in which unit the laboratory reports.")
    return _("%(analyte)s is not accepted in %(unit)s.") % {"analyte": analyte.key, "unit": unit}


def read_result(analyte: Analyte, text: str) -> tuple[str, Decimal | None]:
    """Comparator and number of a printed result; words such as “not detected” have no number."""
    try:
        parsed = parse_result(text)
    except ResultError as error:
        message = REFUSALS.get(error.code, _("“%(text)s” is no result.") % {"text": text[:40]})
        raise ValidationError(str(message)) from error
    value = parsed.value
    if value is None:
        return "", None
    exponent = value.as_tuple().exponent
    if abs(value) >= _LARGEST or not isinstance(exponent, int) or exponent < _FINEST:
        raise ValidationError(_("This number has too many digits."))
    if value < 0 and analyte.hard is not None and (analyte.hard.low or 0) >= 0:
        raise ValidationError(_("This cannot be negative."))
    return parsed.comparator, value


def texts_of(panel: LabPanel | None, results: Iterable[LabResult]) -> dict[str, str]:
    """A stored panel as the page's fields: the inverse of `read_panel`."""
    texts: dict[str, str] = {}
    if panel is not None:
        texts |= _header_texts(panel)
    for result in results:
        parts = {
            "": result.text,
            ".unit": result.unit,
            ".missing": result.missing,
            ".sig": result.significance,
            ".confirm": result.confirmed,
            ".ref": result.specimen_ref,
        }
        texts |= {f"{result.analyte}{part}": text for part, text in parts.items() if text}
    return texts


def _header_texts(panel: LabPanel) -> dict[str, str]:
    found = {f"panel.{key}": "true" for key in panel.panels}
    found["laboratory"] = panel.laboratory.code if panel.laboratory else ""
    for name in TIMES:
        moment = getattr(panel, name)
        found[name] = moment.isoformat(timespec="minutes") if moment else ""
    for name in (*STATED, *MARKS):
        value = getattr(panel, name)
        words = {True: "true", False: "false" if name in STATED else ""}
        found[name] = words.get(value, "")
    for name in (*CODES, "comment"):
        found[name] = getattr(panel, name)
    return {name: text for name, text in found.items() if text}
