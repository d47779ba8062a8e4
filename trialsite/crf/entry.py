"""What a person or a client entered into a form, understood or answered item by item.

One reading for pages, API and imports (trust DI9): texts in, values, reported texts,
missing reasons and errors out. Nothing here touches the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from trialsite.crf.items import Item, MissingReason, items_of
from trialsite.crf.models import ItemData


@dataclass(slots=True)
class Entry:
    """One row's worth of entry: column values, reasons for what is missing, errors."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    confirmed: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        return {**self.values, "missing": self.missing, "confirmed": self.confirmed}


def read_texts(table: type[ItemData], texts: Mapping[str, str]) -> Entry:
    """Read a page's fields: `<item>`, `<item>.unit`, `<item>.missing`, `<item>.confirm`."""
    entry = Entry()
    for name, item in items_of(table).items():
        try:
            _read_item(entry, name, item, texts)
        except ValidationError as error:
            entry.errors[name] = list(error.messages)
    return entry


def read_values(
    table: type[ItemData],
    *,
    values: Mapping[str, Any],
    missing: Mapping[str, str],
    confirmed: Mapping[str, str],
    units: Mapping[str, str],
) -> Entry:
    """Read a client's JSON by turning it into the page's fields first."""
    texts: dict[str, str] = {}
    parts = {"": values, ".unit": units, ".missing": missing, ".confirm": confirmed}
    errors: dict[str, list[str]] = {}
    for suffix, given in parts.items():
        for name, value in given.items():
            if name not in items_of(table):
                errors[name] = [_("This form has no such item.")]
            elif isinstance(value, (dict, list)):
                errors[name] = [_("This is no value of an item.")]
            elif value is not None:
                texts[f"{name}{suffix}"] = str(value)
    entry = read_texts(table, texts)
    entry.errors |= errors
    return entry


def _read_item(entry: Entry, name: str, item: Item, texts: Mapping[str, str]) -> None:
    text = texts.get(name, "").strip()
    reason = texts.get(f"{name}.missing", "").strip()
    _set(entry, name, item, None, "", "")
    if reason:
        if reason not in MissingReason.values:
            raise ValidationError(_("This is no reason for a missing value."))
        if text:
            raise ValidationError(_("Either a value or a reason why there is none."))
        entry.missing[name] = reason
    if not text:
        return
    unit = texts.get(f"{name}.unit", "").strip() or item.unit
    _set(entry, name, item, item.parse(text), text, unit)
    comment = texts.get(f"{name}.confirm", "").strip()
    if comment:
        entry.confirmed[name] = comment[:500]


def _set(entry: Entry, name: str, item: Item, value: Any, text: str, unit: str) -> None:
    """Several units: the text as printed and its unit are kept beside the canonical value."""
    if not item.units:
        entry.values[name] = value
        return
    if value is not None:
        assert isinstance(value, Decimal)
        value = item.to_canonical(value, unit)
    entry.values[name] = value
    entry.values[item.reported] = text or None
    entry.values[item.reported_unit] = unit or None


def texts_of(row: ItemData | None) -> dict[str, str]:
    """A stored row as the page's fields: the inverse of `read_texts`."""
    if row is None:
        return {}
    texts: dict[str, str] = {}
    for name, item in items_of(type(row)).items():
        texts[name] = text_of(row, name, item)
        if item.units and getattr(row, item.reported_unit):
            texts[f"{name}.unit"] = getattr(row, item.reported_unit)
        if name in row.missing:
            texts[f"{name}.missing"] = row.missing[name]
        if name in row.confirmed:
            texts[f"{name}.confirm"] = row.confirmed[name]
    return texts


def text_of(row: ItemData, name: str, item: Item) -> str:
    """One value as its page field shows it."""
    if item.units:
        return getattr(row, item.reported) or ""
    value = getattr(row, name)
    if value is None:
        return ""
    if item.data_type == "datetime":
        return str(value.isoformat(timespec="minutes"))
    if isinstance(value, dt.time):
        return value.isoformat(timespec="seconds" if value.second else "minutes")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if item.places else f"{value:f}"
    return str(value)
