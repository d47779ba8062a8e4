"""The exported study is the entered one: every cell of every form, in every format.

What a person typed is read anew here, by the form's definition and not by the code that
saved it, and compared with CSV, NDJSON and JSON.
"""

from __future__ import annotations

import csv
import io
import json
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction

from tests.api.conftest import ApiClient
from tests.api.filling import texts_for
from tests.factories import Cast, as_person, make_record, make_subject, make_visit
from trialsite.casebook.models import CrfRecord
from trialsite.core.exceptions import DomainError
from trialsite.core.spreadsheets import restore
from trialsite.crf.codebook import dataset_name
from trialsite.crf.entry import Entry, read_texts
from trialsite.crf.items import Item, items_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import Form, forms
from trialsite.crf.services import save_crf, save_row
from trialsite.exports.registry import Column, Dataset, Kind
from trialsite.exports.writing import Format, write

#: What a spreadsheet would run, what CSV has to quote, what is not Latin.
NASTY = ("=1+1", "+86 10", "-2", "@SUM(1)", "'07", 'a "b", c', "肝衰竭，第二次", "𠮷 ½")
PAIRS = [
    (form, table)
    for form in forms().values()
    for table in form.tables
    if form.data is not None or issubclass(table, CrfRow)
]
TABLES = [pytest.param(*pair, id=pair[1].__name__) for pair in PAIRS]
Texts = dict[str, str]


def valued(table: type[ItemData]) -> Texts:
    """Values in every item; free text as nasty as it comes, units other than the canonical."""
    texts = texts_for(table)
    for number, (name, item) in enumerate(items_of(table).items()):
        if item.data_type == "text" and not item.choices and texts[name] == "好 =1+1":
            texts[name] = NASTY[number % len(NASTY)]
        if item.units:
            texts[f"{name}.unit"] = list(item.units)[-1]
    return texts


def missing(table: type[ItemData]) -> Texts:
    """No value anywhere, and why."""
    reasons = ("ND", "UNK", "NA")
    texts: Texts = {}
    for number, name in enumerate(items_of(table)):
        texts |= {name: "", f"{name}.missing": reasons[number % len(reasons)]}
    return texts


def enter(form: Form, table: type[ItemData], texts: Texts, cast: Cast) -> tuple[Texts, CrfRecord]:
    """Save it as a person does; an item that refuses what stands there gets what it takes."""
    usual = texts_for(table)
    visit = make_visit(make_subject(cast.site))
    record = make_record(visit.subject, form_oid=form.oid, visit=visit)
    with as_person(cast.nurse):
        for _attempt in range(len(usual) + 1):
            entry = read_texts(table, texts)
            refused = set(entry.errors) or _save(record, table, entry, cast)
            if not refused:
                return texts, record
            for name in refused:
                texts = {k: v for k, v in texts.items() if k.partition(".")[0] != name}
                texts[name] = usual[name]
    raise AssertionError(refused)


def _save(record: CrfRecord, table: type[ItemData], entry: Entry, cast: Cast) -> set[str]:
    try:
        with transaction.atomic():
            if issubclass(table, CrfRow):
                save_row(record=record, group=table, entry=entry, by=cast.nurse)
            else:
                save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)
    except DomainError as error:
        named = set(getattr(error, "errors", {})) & set(items_of(table))
        if not named:
            raise
        return named
    return set()


def expected(item: Item, texts: Texts) -> dict[str, Any]:
    """The cells of one item by what was typed: as NDJSON has them, None for no value."""
    text = texts.get(item.name, "").strip()
    cells: dict[str, Any] = {item.name: _value(item, text, texts) if text else None}
    if item.units:
        unit = texts.get(f"{item.name}.unit") or item.unit
        cells |= {item.reported: text or None, item.reported_unit: unit if text else None}
    cells[f"{item.name}_missing"] = texts.get(f"{item.name}.missing") or None
    return cells


def _value(item: Item, text: str, texts: Texts) -> Any:
    if item.units:
        unit = texts.get(f"{item.name}.unit") or item.unit
        how = item.units[unit]
        exact = (Fraction(text) - how.offset) * how.factor
        number = Decimal(exact.numerator) / Decimal(exact.denominator)
        return number.quantize(Decimal(1).scaleb(-item.places), rounding=ROUND_HALF_UP)
    match item.data_type:
        case "integer":
            return int(text)
        case "float":
            return Decimal(text)
        case "boolean":
            return {"true": True, "false": False}[text]
        case "datetime":
            return f"{text}:00"
        case "time":
            return f"{text}:00"
    return text


def same(item: Item, told: Any, found: Any) -> bool:
    """Whether a cell of JSON says what was typed; of a decimal the number, never a float."""
    if isinstance(told, Decimal):
        return isinstance(found, (str, int)) and Decimal(found) == told
    return bool(found == told and type(found) is type(told))


def as_csv(told: Any) -> str:
    if isinstance(told, bool):
        return "true" if told else "false"
    return "" if told is None else str(told)


@pytest.mark.requirement("EX1")
@pytest.mark.parametrize("typed", [valued, missing])
@pytest.mark.parametrize(("form", "table"), TABLES)
def test_every_cell_of_every_format_is_what_was_typed(cast, form, table, typed):
    texts, record = enter(form, table, typed(table), cast)
    manager = ApiClient(cast.data_manager)
    name = dataset_name(table)
    bodies = {
        each: b"".join(manager.get(f"datasets/{name}/", format=each).streaming_content).decode()
        for each in Format
    }
    (line,) = bodies[Format.NDJSON].splitlines()
    row = json.loads(line, parse_float=pytest.fail)
    (again,) = json.loads(bodies[Format.JSON], parse_float=pytest.fail)["rows"]
    assert again == row
    (cells,) = csv.DictReader(io.StringIO(bodies[Format.CSV], newline=""))
    assert list(cells) == list(row)
    assert (cells["RECORD"], cells["SCRNID"]) == (str(record.pk), record.subject.screening_number)
    assert record.visit is not None
    assert cells["STUDYEVENT"] == record.visit.event_oid
    compared = 0
    for item in items_of(table).values():
        for column, told in expected(item, texts).items():
            assert same(item, told, row[column]), (column, told, row[column])
            cell = restore(cells[column])
            alike = Decimal(cell) == told if isinstance(told, Decimal) else cell == as_csv(told)
            assert alike, (column, told, cell)
            compared += 1
    assert compared >= 2 * len(items_of(table)) > 0


def test_the_kinds_of_trouble_are_really_among_what_was_typed(cast):
    """Codes for what is missing, units, partial dates, Chinese, formulas: all of them occur."""
    texts = [text for _form, table in PAIRS for text in valued(table).items()]
    typed = {text for _name, text in texts}
    assert typed >= set(NASTY)
    assert "2026-03" in typed, "a partial date"
    assert any(name.endswith(".unit") for name, _text in texts)
    kept = [enter(form, table, missing(table), cast)[0] for form, table in PAIRS[:3]]
    codes = {text for one in kept for name, text in one.items() if name.endswith(".missing")}
    assert codes == {"ND", "UNK", "NA"}


@pytest.mark.requirement("EX3")
@pytest.mark.parametrize("as_", list(Format))
def test_a_file_is_one_copy_by_the_application_under_row_level_security(cast, as_):
    """The statement says of itself what it is and who runs it."""
    make_subject(cast.site)
    make_subject(cast.other_site)
    asked = Dataset(
        name="probe",
        title="Probe",
        columns=(
            Column(name="statement", sql="left(current_query(), 6)", label="x"),
            Column(name="role", sql="current_user::text", label="x"),
            Column(
                name="secured",
                sql="row_security_active('casebook_subject')",
                label="x",
                kind=Kind.BOOLEAN,
            ),
        ),
        source="casebook_subject s",
        order="s.id",
    )
    with as_person(cast.nurse):
        # No site is asked for: what keeps the other site's subject out is the policy.
        written = write(asked, by=cast.data_manager, as_=as_)
        with written.file as file:
            body = file.read().decode()
    assert written.rows == 1
    assert "COPY (" in body
    assert "trialsite_app" in body
    assert "true" in body
