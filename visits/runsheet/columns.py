"""The columns of the grid of readings, in the order of the paper, with their short headings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.core.units import unit_label
from trialsite.crf.items import Item, all_items_of
from trialsite.crf.limits import NO_LIMITS, Limits, limits_of, text_of
from visits.models import SessionReading

TIME = "observed_at"
PLANNED = "planned_minute"

#: Column -> the heading of the grid; what has none here is not in the grid.
SHORT: Mapping[str, str | Promise] = {
    "systolic": pgettext_lazy("run sheet", "SBP"),
    "diastolic": pgettext_lazy("run sheet", "DBP"),
    "mean_arterial": pgettext_lazy("run sheet", "MAP"),
    "heart_rate": pgettext_lazy("run sheet", "HR"),
    "respiratory_rate": pgettext_lazy("run sheet", "RR"),
    "oxygen_saturation": pgettext_lazy("run sheet", "SpO₂"),
    "temperature": pgettext_lazy("run sheet", "Temp"),
    "gcs": pgettext_lazy("run sheet", "GCS"),
    "west_haven": pgettext_lazy("run sheet", "HE"),
    "blood_flow": pgettext_lazy("run sheet", "Blood"),
    "plasma_flow": pgettext_lazy("run sheet", "Plasma"),
    "reactor_flow": pgettext_lazy("run sheet", "Reactor"),
    "access_pressure": pgettext_lazy("run sheet", "Access"),
    "return_pressure": pgettext_lazy("run sheet", "Return"),
    "prefilter_pressure": pgettext_lazy("run sheet", "Pre-filter"),
    "effluent_pressure": pgettext_lazy("run sheet", "Effluent"),
    "transmembrane": pgettext_lazy("run sheet", "TMP"),
    "filter_drop": pgettext_lazy("run sheet", "Drop"),
    "plasma_colour": pgettext_lazy("run sheet", "Colour"),
    "alarms": pgettext_lazy("run sheet", "Alarms and what was done"),
}

#: Headings over several columns: title, unit, number of columns.
BANDS: tuple[tuple[str | Promise, str, int], ...] = (
    (_("Blood pressure"), "mm[Hg]", 3),
    (_("Rates and gas"), "", 3),
    ("", "Cel", 1),
    (_("Consciousness"), "", 2),
    (_("Flows"), "mL/min", 3),
    (_("Circuit pressures"), "mm[Hg]", 6),
    (_("Plasma and alarms"), "", 2),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its item, its heading, what is usual and plausible in it."""

    name: str
    item: Item
    short: str
    limits: Limits = NO_LIMITS
    #: Of its input: the numeric pad, the limits for the mark beside it, the longest text.
    attributes: SafeString = SafeString("")

    @property
    def is_number(self) -> bool:
        return self.item.data_type in {"integer", "float"} and not self.item.choices

    @property
    def unit(self) -> str:
        return unit_label(self.item.unit)

    @property
    def usual(self) -> str:
        return text_of(self.limits.usual) if self.limits.usual else ""

    @property
    def starts_band(self) -> bool:
        return self.name in _FIRST

    @property
    def kind(self) -> str:
        """How it is entered and drawn."""
        if self.item.derived:
            return "derived"
        if self.item.choices:
            return "choice"
        return "long" if self.name == "alarms" else "number" if self.is_number else "code"


def columns_of(version_id: int) -> list[Column]:
    """The grid's columns under a protocol version, in the present language."""
    items = all_items_of(SessionReading)
    found = []
    for name, short in SHORT.items():
        column = Column(name, items[name], str(short), limits_of(items[name], version_id))
        found.append(replace(column, attributes=_attributes(column)))
    return found


def _attributes(column: Column) -> SafeString:
    given: dict[str, object] = {"maxlength": getattr(column.item.field, "max_length", None)}
    if column.is_number:
        usual, plausible = column.limits.usual, column.limits.plausible
        given |= {
            "inputmode": "decimal",
            "data-number": column.item.data_type,
            "data-usual-low": usual and usual.low,
            "data-usual-high": usual and usual.high,
            "data-plausible-low": plausible and plausible.low,
            "data-plausible-high": plausible and plausible.high,
        }
    stated = ((name, value) for name, value in given.items() if value is not None)
    return format_html_join("", ' {}="{}"', stated)


def _first_of_bands() -> frozenset[str]:
    names, found, at = list(SHORT), [], 0
    for _title, _unit, width in BANDS:
        found.append(names[at])
        at += width
    return frozenset(found)


_FIRST = _first_of_bands()
