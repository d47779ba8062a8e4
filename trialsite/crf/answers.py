"""The shapes in which the API shows and takes a form's data, derived from its definition."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.casebook.answers import said_number
from trialsite.casebook.models import RecordStatus
from trialsite.crf.entry import text_of
from trialsite.crf.items import Item, MissingReason, all_items_of, items_of
from trialsite.crf.models import CrfRow, ItemData

#: What every row of a rectangular answer starts with: answer key -> path from the data table.
KEYS = {
    "SITEID": "site__code",
    "SUBJID": "subject__number",
    "SCRNID": "subject__screening_number",
    "STUDYEVENT": "record__visit__event_oid",
    "VISITNUM": "record__visit__visit_number",
    "REPEATKEY": "record__repeat_key",
    "RECORD": "record_id",
    "STATUS": "record__status",
}

_FIELDS: dict[str, Callable[..., serializers.Field[Any, Any, Any, Any]]] = {
    "integer": serializers.IntegerField,
    "float": serializers.CharField,
    "boolean": serializers.BooleanField,
    "date": serializers.DateField,
}


class AsWritten(serializers.Field[Any, Any, Any, Any]):
    """Whatever was written; the form's own reading, the pages' too, judges it (trust DI9)."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Values(serializers.DictField):
    child = AsWritten(allow_null=True)


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {"type": "string", "enum": list(MissingReason.values)},
    }
)
class Reasons(serializers.DictField):
    child = AsWritten(allow_null=True)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class Texts(serializers.DictField):
    child = AsWritten(allow_null=True)


class EntryBody(Body):
    """A whole row of entry: an item that is not named is emptied."""

    values = Values()
    missing = Reasons(required=False, default=dict)
    confirmed = Texts(required=False, default=dict)
    units = Texts(required=False, default=dict)
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class FormBody(EntryBody):
    complete = serializers.BooleanField(required=False, default=False)


class NewRecord(Body):
    subject = serializers.UUIDField()
    visit = serializers.UUIDField(required=False, allow_null=True, default=None)


def rectangular_keys(table: type[ItemData]) -> list[str]:
    """The columns of one row of the list, in order."""
    group = ["ROW", "ROWNUM"] if issubclass(table, CrfRow) else []
    items: list[str] = []
    for name, item in all_items_of(table).items():
        items += [name, item.reported, item.reported_unit] if item.units else [name]
    return [*KEYS, *group, *items, "missing", "confirmed"]


def paths_of(table: type[ItemData]) -> dict[str, str]:
    """Answer key -> path for `values_list`."""
    own = {"ROW": "pk", "ROWNUM": "number"}
    return {key: KEYS.get(key) or own.get(key) or key for key in rectangular_keys(table)}


def said(value: Any) -> Any:
    """A stored value as JSON holds it exactly: a decimal as text, never as a float."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (str, int, dict)) or value is None:
        return value
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)


def said_row(keys: Iterable[str], row: tuple[Any, ...]) -> dict[str, Any]:
    found = {key: said(value) for key, value in zip(keys, row, strict=True)}
    visit = row[list(KEYS).index("VISITNUM")]
    found["VISITNUM"] = said_number(visit)
    return found


def said_entry(table: type[ItemData], row: ItemData | None) -> dict[str, Any]:
    """A row as a client may send it back: values as reported, with their units."""
    if row is None:
        parts = ("values", "units", "missing", "confirmed", "canonical", "derived")
        return {part: {} for part in parts}
    items = items_of(table)
    several = {name: item for name, item in items.items() if item.units}
    return {
        "values": {name: _as_entered(row, name, item) for name, item in items.items()},
        "units": {
            name: unit
            for name, item in several.items()
            if (unit := getattr(row, item.reported_unit))
        },
        "missing": row.missing,
        "confirmed": row.confirmed,
        "canonical": {name: said(getattr(row, name)) for name in several},
        "derived": {name: said(getattr(row, name)) for name in derived_of(table)},
    }


def derived_of(table: type[ItemData]) -> dict[str, Item]:
    """The items that are computed from others."""
    return {name: item for name, item in all_items_of(table).items() if item.derived}


def _as_entered(row: ItemData, name: str, item: Item) -> Any:
    return (text_of(row, name, item) or None) if item.units else said(getattr(row, name))


def _field(item: Item) -> serializers.Field[Any, Any, Any, Any]:
    text = f"{item.oid} {item.label}" + (f" [{item.unit}]" if item.unit else "")
    if item.choices:
        return serializers.ChoiceField(choices=item.choices, allow_null=True, help_text=text)
    make = _FIELDS.get(item.data_type, serializers.CharField)
    return make(allow_null=True, help_text=text)


def _serializer(name: str, fields: dict[str, Any]) -> type[serializers.Serializer[Any]]:
    return type(name, (serializers.Serializer,), fields)


def row_answer(table: type[ItemData]) -> type[serializers.Serializer[Any]]:
    """The schema of one rectangular row."""
    items = all_items_of(table)
    fields: dict[str, Any] = {}
    for key in rectangular_keys(table):
        if key in items:
            fields[key] = _field(items[key])
        elif key == "STATUS":
            fields[key] = serializers.ChoiceField(choices=RecordStatus.choices)
        elif key in {"RECORD", "ROW"}:
            fields[key] = serializers.UUIDField()
        elif key in {"REPEATKEY", "ROWNUM"}:
            fields[key] = serializers.IntegerField()
        elif key in {"missing", "confirmed"}:
            fields[key] = serializers.DictField(child=serializers.CharField())
        else:
            fields[key] = serializers.CharField(allow_null=True)
    return _serializer(f"{table.__name__}Row", fields)


def entry_answer(table: type[ItemData]) -> type[serializers.Serializer[Any]]:
    """The schema of one record's (or group row's) data."""
    named = {name: _field(item) for name, item in items_of(table).items()}
    computed = {name: _field(item) for name, item in derived_of(table).items()}
    head: dict[str, Any] = {
        "record": serializers.UUIDField(),
        "version": serializers.IntegerField(help_text="Also the ETag"),
        "status": serializers.ChoiceField(choices=RecordStatus.choices),
    }
    if issubclass(table, CrfRow):
        head |= {
            "row": serializers.UUIDField(),
            "number": serializers.IntegerField(),
            "voided_at": serializers.DateTimeField(allow_null=True),
            "void_reason": serializers.CharField(),
        }
    texts = serializers.DictField(child=serializers.CharField())
    canonical = serializers.DictField(child=serializers.CharField(allow_null=True))
    return _serializer(
        f"{table.__name__}Data",
        {
            **head,
            "values": _serializer(f"{table.__name__}Values", named)(),
            "units": texts,
            "missing": texts,
            "confirmed": texts,
            "canonical": canonical,
            "derived": _serializer(f"{table.__name__}Derived", computed)(
                help_text="What the database computes from the values; it cannot be entered"
            ),
            "asked": serializers.DictField(
                child=serializers.CharField(),
                help_text="After a save: item -> the question that a broken check asks",
            ),
        },
    )
