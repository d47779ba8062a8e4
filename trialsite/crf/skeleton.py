"""The fields of a form as HTML, rendered once and filled with values ever after.

Rendering a form of thirty items widget by widget costs 13 to 15 ms of CPU; the skeleton
is rendered by the template once for each form, protocol version and language, cut at
its slots, and filling it is joining strings (docs/benchmarks.md).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import override

from trialsite.core.units import unit_label
from trialsite.crf.items import Item, MissingReason, all_items_of
from trialsite.crf.limits import Limits, limits_of, text_of
from trialsite.crf.models import ItemData, Section

#: A slot stands between two characters of the private use area, which no text of ours holds.
_SLOT = re.compile("\ue000([^\ue001]*)\ue001")

SELECTED = " selected"

#: The slot that takes the record's id, wherever an address names it.
RECORD = "record"
_NO_RECORD = uuid.UUID(int=0)


def slot(name: str) -> SafeString:
    """The mark that the skeleton is cut at."""
    return mark_safe(f"\ue000{name}\ue001")  # noqa: S308  (a constant of the code)


@dataclass(frozen=True, slots=True)
class Field:
    """One item as the template of the skeleton sees it."""

    item: Item
    limits: Limits

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def usual(self) -> str:
        return text_of(self.limits.usual) if self.limits.usual else ""

    @property
    def value(self) -> SafeString:
        return slot(f"{self.name}/value")

    @property
    def options(self) -> list[tuple[str, str, SafeString]]:
        """Each choice: code, word, and the slot that selects it."""
        choices = self.item.choices
        if self.item.data_type == "boolean":
            choices = [("true", _("Yes")), ("false", _("No"))]
        return [(code, str(word), slot(f"{self.name}/value={code}")) for code, word in choices]

    @property
    def unit_options(self) -> list[tuple[str, str, SafeString]]:
        return [
            (unit, unit_label(unit), slot(f"{self.name}.unit/value={unit}"))
            for unit in self.item.units
        ]

    @property
    def unit_label(self) -> str:
        return unit_label(self.item.unit)

    @property
    def missing_options(self) -> list[tuple[str, str, SafeString]]:
        return [
            (code, str(word), slot(f"{self.name}.missing/value={code}"))
            for code, word in MissingReason.choices
        ]

    @property
    def comment(self) -> SafeString:
        return slot(f"{self.name}.confirm/value")

    @property
    def history(self) -> SafeString:
        """Where the item's trail is read."""
        address = reverse("crf:item_trail", args=[_NO_RECORD, self.name])
        return mark_safe(address.replace(str(_NO_RECORD), slot(RECORD)))  # noqa: S308  (our own)

    @property
    def is_number(self) -> bool:
        return self.item.data_type in {"integer", "float"}

    @property
    def slots(self) -> dict[str, SafeString]:
        """The other places of an item's row, by name."""
        names = ("row", "invalid", "previous", "canonical", "messages", "confirming", "menu")
        return {name: slot(f"{self.name}/{name}") for name in names}


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Alternating texts and slot names, ending with a text."""

    texts: tuple[str, ...]
    slots: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> SafeString:
        """Join; values are HTML already. An unknown slot is empty."""
        parts = [self.texts[0]]
        for name, text in zip(self.slots, self.texts[1:], strict=True):
            value = values.get(name)
            if value:
                parts.append(value)
            parts.append(text)
        return mark_safe("".join(parts))  # noqa: S308  (every value is escaped by `slots_of`)


@lru_cache(maxsize=256)
def skeleton_of(table: type[ItemData], version_id: int, language: str) -> Skeleton:
    """The cached skeleton of a table's fields under a protocol version, in a language."""
    items = all_items_of(table)
    fields = {name: Field(item, limits_of(item, version_id)) for name, item in items.items()}
    sections = table.sections or (Section(title="", items=tuple(items)),)
    with override(language):
        html = render_to_string(
            "crf/_items.html",
            {
                "sections": [
                    (str(section.title), [fields[name] for name in section.items])
                    for section in sections
                ]
            },
        )
    pieces = _SLOT.split(html)
    return Skeleton(tuple(pieces[::2]), tuple(pieces[1::2]))


def values_of(texts: Mapping[str, str]) -> dict[str, str]:
    """Slots of the fields' values: escaped text, and the option each code selects."""
    slots: dict[str, str] = {}
    for name, text in texts.items():
        slots[f"{name}/value"] = escape(text)
        slots[f"{name}/value={text}"] = SELECTED
    return slots
