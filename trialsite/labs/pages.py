"""What the page of a lab panel shows: every analyte in one line, and what stands in the way."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core.units import unit_label
from trialsite.crf.items import MissingReason
from trialsite.crf.models import Draft
from trialsite.labs.codes import ResultFlag, Significance, item_oid
from trialsite.labs.entry import ABOUT, PARTS, PanelEntry, read_panel, rows_named, texts_of
from trialsite.labs.facts import LabFact
from trialsite.labs.grade_lines import SheetGrades
from trialsite.labs.grades import grading_of
from trialsite.labs.models import Laboratory, LabPanel, LabResult
from trialsite.labs.names import analyte_names
from trialsite.labs.selectors import last_units, panels_open, plain
from trialsite.labs.sheet import Sheet
from trialsite.protocol.labs import Analyte
from trialsite.review.models import Query, QueryStatus

FLAG_ICONS = {
    ResultFlag.LOW: "arrow-down",
    ResultFlag.HIGH: "arrow-up",
    ResultFlag.NORMAL: "check",
    ResultFlag.UNKNOWN: "help",
}
_PLACES = Decimal("0.001")

HEADER_LABELS = {
    each.name: each.verbose_name for each in LabPanel._meta.concrete_fields if each.name != "site"
}


def short(number: Decimal | None) -> str:
    """A converted value to three places at most, as people read it beside the printout."""
    if number is None:
        return ""
    rounded = number.quantize(_PLACES) if abs(number) < 10**9 else number
    shown = plain(rounded)
    return "" if shown is None else f"{shown:f}"


def limits_text(low: Decimal | None, high: Decimal | None) -> str:
    """A range in words: 3–23, ≤ 7, ≥ 70."""
    low, high = plain(low), plain(high)
    if low is not None and high is not None:
        return f"{low:f}–{high:f}"
    if high is not None:
        return f"≤ {high:f}"
    return f"≥ {low:f}" if low is not None else ""


@dataclass(slots=True)
class Line:
    """One analyte on the page."""

    analyte: Analyte
    name: str
    texts: Mapping[str, str]
    result: LabResult | None = None
    before: LabFact | None = None
    unit: str = ""
    errors: list[str] = field(default_factory=list)
    hint: str = ""
    confirming: bool = False
    shifted: bool = False
    inherited: bool = False
    #: The CTCAE grade with that of the baseline, in words.
    grade: str = ""
    #: What the people of the specimens say against the one named here.
    warning: str = ""
    mine: str = ""
    theirs: str = ""
    queries: list[Query] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.analyte.key

    def _part(self, part: str) -> str:
        return self.texts.get(f"{self.key}{part}", "")

    @property
    def text(self) -> str:
        return self._part("")

    @property
    def confirm(self) -> str:
        return self._part(".confirm")

    @property
    def specimen_ref(self) -> str:
        return self._part(".ref")

    @property
    def units(self) -> list[tuple[str, str, bool]]:
        return [
            (unit, unit_label(unit) or _("no unit"), unit == self.unit)
            for unit in self.analyte.accepted_units
        ]

    @property
    def reasons(self) -> list[tuple[str, str, bool]]:
        chosen = self._part(".missing")
        return [(code, str(word), code == chosen) for code, word in MissingReason.choices]

    @property
    def judgements(self) -> list[tuple[str, str, bool]]:
        chosen = self._part(".sig")
        return [(code, str(word), code == chosen) for code, word in Significance.choices]

    @property
    def open(self) -> bool:
        return bool(self._part(".missing"))

    @property
    def canonical(self) -> str:
        row = self.result
        if row is None or row.canonical is None or row.unit == row.canonical_unit:
            return ""
        return f"{row.comparator}{short(row.canonical)} {unit_label(row.canonical_unit)}".strip()

    @property
    def range(self) -> str:
        row = self.result
        if row is None or not row.range_unit:
            return ""
        limits = limits_text(row.range_low, row.range_high)
        other = row.range_unit != row.unit
        return f"{limits} {unit_label(row.range_unit)}" if other else limits

    @property
    def flag(self) -> str:
        return self.result.flag if self.result is not None else ""

    @property
    def flag_word(self) -> str:
        return str(ResultFlag(self.flag).label) if self.flag else ""

    @property
    def flag_icon(self) -> str:
        return FLAG_ICONS[ResultFlag(self.flag)] if self.flag else ""

    @property
    def previous(self) -> str:
        if self.before is None:
            return ""
        return f"{self.before.text} {unit_label(self.before.unit)}".strip()


@dataclass(slots=True)
class PanelPage:
    """The page of one draw before it becomes HTML."""

    record: CrfRecord
    texts: dict[str, str]
    base: dict[str, str]
    version: int
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    draft: Draft | None = None
    #: What somebody else saved meanwhile.
    theirs: dict[str, str] = field(default_factory=dict)
    #: Fields and rows in which both have changed something.
    conflicts: set[str] = field(default_factory=set)
    errors: dict[str, list[str]] = field(default_factory=dict)
    needs_reason: bool = False

    @property
    def rest_ref(self) -> str:
        """The specimen stated for every result that names none, while it is not yet saved."""
        return self.texts.get("rest.ref", "")

    @property
    def base_text(self) -> str:
        return json.dumps(self.base, ensure_ascii=False)


def page_of(record: CrfRecord, user: User) -> PanelPage:
    """The stored panel with the person's draft laid over it."""
    sheet = Sheet(record)
    stored = stored_texts(sheet)
    texts = dict(stored)
    if sheet.is_new:
        texts |= {f"panel.{key}": "true" for key in panels_open(record)}
        texts |= only_laboratory(record)
    page = PanelPage(record, texts, stored, record.version)
    draft = Draft.objects.filter(record=record, user=user, part="").first()
    typed = differing(draft.fields, stored) if draft is not None else {}
    if draft is not None and typed:
        page.draft = draft
        if draft.base_version != record.version:
            page.texts = {**page.texts, **typed}
            # What stood when the typing began is not known: whatever differs is asked about.
            meet(page, typed=typed, theirs=stored, base={})
        else:
            page.texts = {**page.texts, **typed}
    return page


def only_laboratory(record: CrfRecord) -> dict[str, str]:
    """A site with one laboratory need not choose it."""
    codes = list(
        Laboratory.objects.filter(site_id=record.site_id, active=True).values_list(
            "code", flat=True
        )[:2]
    )
    return {"laboratory": codes[0]} if len(codes) == 1 else {}


def stored_texts(sheet: Sheet) -> dict[str, str]:
    """What stands, as the page's fields."""
    return texts_of(None if sheet.is_new else sheet.panel, sheet.results.values())


def differing(texts: Mapping[str, str], base: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text != base.get(name, "")}


def without_idle_parts(texts: Mapping[str, str]) -> dict[str, str]:
    """A row without a result has no unit, judgement or comment of its own: those are presets."""
    idle = {key for key in rows_named(texts) if not texts.get(key, "").strip()}
    return {
        name: text
        for name, text in texts.items()
        if name.partition(".")[0] not in idle
        or name.endswith((".missing", ".ref"))
        or "." not in name
    }


def row_parts(key: str) -> list[str]:
    return [f"{key}{part}" for part in PARTS]


def group_of(name: str) -> str:
    """What belongs together in a conflict: an analyte's whole row, else the field."""
    head = name.partition(".")[0]
    return head if head[:1].isupper() else name


def meet(
    page: PanelPage, *, typed: Mapping[str, str], theirs: dict[str, str], base: Mapping[str, str]
) -> None:
    """Lay what this person typed over what stands now; a row is theirs or this person's as a
    whole, never a number of one with the unit of the other."""
    touched = {group_of(name) for name in typed}
    moved = {group_of(name) for name in differing({**dict.fromkeys(base, ""), **theirs}, base)}
    mine = {name: text for name, text in page.texts.items() if group_of(name) in touched}
    kept = {name: text for name, text in theirs.items() if group_of(name) not in touched}
    together = {**kept, **mine}
    page.conflicts = {
        group for group in touched & moved if _said(together, group) != _said(theirs, group)
    }
    page.texts, page.theirs = together, theirs


def _said(texts: Mapping[str, str], group: str) -> dict[str, str]:
    return {n: text for n, text in texts.items() if group_of(n) == group and text}


def in_words(texts: Mapping[str, str], key: str) -> str:
    """A row or field in one line, as a conflict shows it."""
    if not key[:1].isupper():
        return texts.get(key, "") or "–"
    reasons = {str(code): str(word) for code, word in MissingReason.choices}
    judged = {str(code): str(word) for code, word in Significance.choices}
    value, unit, missing, sig, comment, ref = (texts.get(part, "") for part in row_parts(key))
    words = [value, unit_label(unit) if value else "", reasons.get(missing, "")]
    words += [judged.get(sig, ""), f"({comment})" if comment else "", ref]
    return " ".join(word for word in words if word) or "–"


class Grid:
    """The lines of the page, computed from its texts as a save would compute them."""

    def __init__(self, page: PanelPage, queries: Iterable[Query]) -> None:
        self.page = page
        self.sheet = sheet = Sheet(page.record)
        self.names = analyte_names(sheet.protocol.labs)
        own = Laboratory.objects.filter(site_id=page.record.site_id)
        code = page.texts.get("laboratory", "")
        laboratory = own.filter(code=code).first() if code else None
        self.units = last_units(laboratory.pk if laboratory else None)
        self.texts = self._with_units()
        self.entry: PanelEntry = read_panel(sheet.protocol, self.texts, base=page.base)
        sheet.apply(self.entry, laboratory)
        self.grades = SheetGrades(sheet, grading_of(page.record.subject_id))
        self.queries: dict[str, list[Query]] = {}
        for query in queries:
            if query.status != QueryStatus.CLOSED:
                self.queries.setdefault(query.item_oid, []).append(query)

    def _with_units(self) -> dict[str, str]:
        texts = dict(self.page.texts)
        for key in rows_named(texts):
            if texts.get(key) and not texts.get(f"{key}.unit") and key in self.sheet.analytes:
                texts[f"{key}.unit"] = self.preset(key)
        return texts

    def preset(self, key: str) -> str:
        """The unit the laboratory last used for an analyte, else the protocol's."""
        analyte = self.sheet.analytes[key]
        last = self.units.get(key, "")
        return last if last in analyte.accepted_units else analyte.unit

    def ask_anew(self) -> None:
        """Show what was said of another value as not said: it is chosen again for this one."""
        for key, row in self.sheet.results.items():
            for name, part in ABOUT.items():
                field_name = f"{key}{part}"
                if self.page.texts.get(field_name) and not getattr(row, name):
                    self.page.texts[field_name] = self.page.base[field_name] = ""

    def lines(self) -> tuple[list[Line], list[Line]]:
        """The expected and entered analytes, and the others that may be added."""
        named = {key for key in rows_named(self.texts) if self._has_entry(key)}
        first = dict.fromkeys([*self.sheet.expected, *self.sheet.results, *sorted(named)])
        shown = [key for key in first if key in self.sheet.analytes]
        rest = [key for key in self.sheet.analytes if key not in first]
        return [self._line(key) for key in shown], [self._line(key) for key in rest]

    def _has_entry(self, key: str) -> bool:
        return bool(self.texts.get(key) or self.texts.get(f"{key}.missing"))

    def _line(self, key: str) -> Line:
        sheet, page = self.sheet, self.page
        line = Line(
            analyte=sheet.analytes[key],
            name=self.names[key],
            texts=self.texts,
            result=sheet.results.get(key),
            before=sheet.previous.get(key),
            unit=self.texts.get(f"{key}.unit") or self.preset(key),
            errors=page.errors.get(key, []),
            queries=self.queries.get(item_oid(key), []),
        )
        if line.result is not None:
            self._judge(line)
        if key in page.conflicts:
            line.mine, line.theirs = in_words(page.texts, key), in_words(page.theirs, key)
        return line

    def _judge(self, line: Line) -> None:
        doubt = self.sheet.doubt(line.key)
        line.warning = self.sheet.specimens.get(line.specimen_ref, "")
        line.confirming = bool(doubt) or bool(line.confirm)
        line.shifted = self.sheet.shifted(line.key)
        line.grade = self.grades.words(line.key)
        line.inherited = bool(
            not self.texts.get(f"{line.key}.sig") and self.sheet.significance(line.key)
        )
        if doubt.slip is not None and not line.confirm:
            line.hint = slip_question(line.result, doubt.slip.suggested_unit)  # type: ignore[arg-type]

    @property
    def hours(self) -> Decimal | None:
        """Hours between the last blood purification and this draw, as it is saved."""
        own = (fact for fact in self.sheet.history if fact.record_id == self.page.record.pk)
        fact = next(own, None)
        return fact.hours_since_purification if fact is not None else None

    @property
    def post_purification(self) -> bool:
        """Whether the draw is within the hours that the protocol marks."""
        rules = self.sheet.protocol.labs.rules
        hours = self.hours
        return rules is not None and hours is not None and hours < rules.purification_lag_hours

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Anchor, label and message of everything that stands in the way."""
        labels: dict[str, Any] = {**HEADER_LABELS, **self.names}
        return [
            (f"f-{name}", str(labels.get(name, "")), message)
            for name, messages in self.page.errors.items()
            for message in messages
        ]


def slip_question(row: LabResult, other: str) -> str:
    """The question that a suspected unit asks: 1.2 µmol/L — mg/dL?"""
    return f"{row.text} {unit_label(row.unit)}: {unit_label(other)}?"
