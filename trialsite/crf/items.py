"""An item: what a trial knows about a field beyond what a database knows (ODM ItemDef)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.core.partial_dates import PartialDateField
from trialsite.core.wall_time import WallTimeField

F = TypeVar("F", bound=models.Field[Any, Any])

#: What Chinese input methods put for digits, points and signs; nothing else is guessed at.
_PLAIN = str.maketrans("０１２３４５６７８９。．·－−＋", "0123456789...--+")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?")
LONGEST_NUMBER = 40
LARGEST_NUMBER = Decimal(10) ** 9


class MissingReason(models.TextChoices):
    """Why an item has no value; distinct from zero and from not yet entered (trust DI5)."""

    NOT_DONE = "ND", _("Not done")
    UNKNOWN = "UNK", _("Unknown")
    NOT_APPLICABLE = "NA", _("Not applicable")
    REFUSED = "REF", _("Refused by the subject")
    NOT_AVAILABLE = "NAV", _("Result not available")


@dataclass(frozen=True, slots=True)
class Conversion:
    """canonical = (reported - offset) x factor, computed exactly, rounded half-up once."""

    factor: Fraction
    offset: Fraction = Fraction(0)

    def to_canonical(self, value: Decimal, places: int) -> Decimal:
        exact = (Fraction(value) - self.offset) * self.factor
        quantum = Decimal(1).scaleb(-places)
        number = Decimal(exact.numerator) / Decimal(exact.denominator)
        return number.quantize(quantum, rounding=ROUND_HALF_UP)


SAME = Conversion(Fraction(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The metadata of one item; everything the system derives from a form reads these."""

    oid: str
    #: Canonical unit (UCUM), and the units a source may report, each with its conversion.
    unit: str = ""
    units: Mapping[str, Conversion] = field(default_factory=dict)
    sdtm: str = ""
    section: str = ""
    required: bool = True
    #: Key of the usual and plausible ranges among the protocol's `item_limits`.
    limits: str = ""
    help: str | Promise = ""
    #: Filled in when the form is read: the column, its name, its ODM DataType.
    field: models.Field[Any, Any] | None = None
    name: str = ""
    data_type: str = ""

    #: The dictionary by whose terms the text is coded afterwards (MedDRA, WHODrug).
    dictionary: str = ""

    #: Computed by the database from other items; shown and exported, never typed.
    derived: bool = False
    #: Dates an observation of the living person: never in the future, never after death (C10).
    observed: bool = False
    #: An item and its code with which the date is no evidence of life: the end of a fatal event.
    observed_unless: tuple[str, str] | None = None
    #: Dates something that has happened, though not in the person's life.
    past: bool = False

    @property
    def label(self) -> str:
        assert self.field is not None
        return str(self.field.verbose_name)

    @property
    def choices(self) -> list[tuple[Any, Any]]:
        assert self.field is not None
        return list(self.field.flatchoices)

    @property
    def is_long(self) -> bool:
        """Free text of more than a line."""
        return isinstance(self.field, models.TextField)

    @property
    def reported(self) -> str:
        """The column that keeps the text as reported, where several units are accepted."""
        return f"{self.name}_reported"

    @property
    def reported_unit(self) -> str:
        return f"{self.name}_unit"

    @property
    def places(self) -> int:
        return getattr(_typed(self.field), "decimal_places", None) or 0

    def parse(self, text: str) -> Any:
        """The value a person typed, or None; raises ValidationError in the person's language."""
        text = unicodedata.normalize("NFC", text).strip()
        if "\x00" in text:
            raise ValidationError(_("This text holds a character that cannot be kept."))
        if not text:
            return None
        assert self.field is not None
        if self.data_type in {"integer", "float"}:
            return self._number(text)
        if self.data_type == "boolean":
            text = text.capitalize()
        value = self.field.to_python(text)
        self.field.run_validators(value)
        if self.choices and value not in dict(self.choices):
            raise ValidationError(_("“%(text)s” is not one of the choices."), params={"text": text})
        return value

    def _number(self, text: str) -> int | Decimal:
        plain = text.translate(_PLAIN)
        if not _NUMBER.fullmatch(plain):
            raise ValidationError(
                _("“%(text)s” is not a number."), code="number", params={"text": text[:40]}
            )
        if len(plain) > LONGEST_NUMBER or abs(Decimal(plain)) >= LARGEST_NUMBER:
            raise ValidationError(_("This number has too many digits."))
        return self.fit(Decimal(plain)) if not self.units else Decimal(plain)

    def fit(self, number: Decimal) -> int | Decimal:
        """The number as the column keeps it; refused rather than rounded."""
        if self.data_type == "integer":
            if number != number.to_integral_value():
                raise ValidationError(_("Enter a whole number."), code="whole")
            return self._within(number, 10)
        exponent = number.normalize().as_tuple().exponent
        if isinstance(exponent, int) and -exponent > self.places:
            raise ValidationError(
                _("At most %(places)d decimal places."), params={"places": self.places}
            )
        return self._within(number, self.field.max_digits - self.places)  # type: ignore[union-attr]

    def _within(self, number: Decimal, digits: int) -> int | Decimal:
        if abs(number) >= Decimal(10) ** min(digits, 9):
            raise ValidationError(_("This number has too many digits."))
        if self.data_type == "integer":
            return int(number)
        return number.quantize(Decimal(1).scaleb(-self.places))

    def to_canonical(self, number: Decimal, unit: str) -> Decimal:
        """A reported number in the canonical unit; the unit must be one of `units`."""
        conversion = self.units.get(unit)
        if conversion is None:
            raise ValidationError(
                _("“%(unit)s” is not a unit of this item."), params={"unit": unit}
            )
        value = conversion.to_canonical(number, self.places)
        return self._within(value, self.field.max_digits - self.places)  # type: ignore[return-value, union-attr]


#: Most specific first: the first class the field is an instance of decides.
DATA_TYPES: tuple[tuple[type[models.Field[Any, Any]], str], ...] = (
    (WallTimeField, "datetime"),
    (models.DateField, "date"),
    (models.TimeField, "time"),
    (PartialDateField, "partialDate"),
    (models.BooleanField, "boolean"),
    (models.IntegerField, "integer"),
    (models.DecimalField, "float"),
    (models.Field, "text"),
)


def _typed(column: Any) -> Any:
    """The column that gives the type: of a computed one, what it is computed into."""
    return column.output_field if getattr(column, "generated", False) else column


def data_type_of(column: models.Field[Any, Any]) -> str:
    """The ODM DataType of a column."""
    return next(odm for kind, odm in DATA_TYPES if isinstance(_typed(column), kind))


def item(column: F, *, oid: str, **metadata: Any) -> F:
    """Attach trial metadata to a model field. Nothing of it reaches a migration.

    Every item's column may be empty: what must be there is a matter of completeness,
    never of saving.
    """
    column.null = True
    column.blank = True
    column.item = Item(oid=oid, **metadata)  # type: ignore[attr-defined]
    return column


def derived(
    label: str | Promise,
    expression: Any,
    column: models.Field[Any, Any],
    *,
    oid: str,
    **metadata: Any,
) -> models.GeneratedField:
    """An item that PostgreSQL computes from other items of the same row, whoever writes them.

    It stands on the form, in exports, trail and API beside what was typed, and cannot be
    entered; where an input is missing there is no value.
    """
    computed = models.GeneratedField(
        expression=expression,
        output_field=column,
        db_persist=True,
        verbose_name=label,  # type: ignore[arg-type]
        null=True,
    )
    metadata |= {"oid": oid, "required": False, "derived": True}
    computed.item = Item(**metadata)  # type: ignore[attr-defined]
    return computed


def reported() -> models.CharField[Any, Any]:
    """The companion column `<item>_reported`: the text exactly as the source prints it."""
    return models.CharField(max_length=40, null=True, blank=True)


def reported_unit() -> models.CharField[Any, Any]:
    """The companion column `<item>_unit`: the unit the source printed."""
    return models.CharField(max_length=20, null=True, blank=True)


def items_of(model: type[models.Model]) -> dict[str, Item]:
    """The items people enter on a form or item group, by column name, in the order of the paper."""
    return {name: item for name, item in all_items_of(model).items() if not item.derived}


def all_items_of(model: type[models.Model]) -> dict[str, Item]:
    """The items people enter and those that are computed from them."""
    found: dict[str, Item] | None = model.__dict__.get("_items")
    if found is None:
        found = {
            column.name: replace(
                metadata, field=column, name=column.name, data_type=data_type_of(column)
            )
            for column in model._meta.concrete_fields
            if isinstance(metadata := getattr(column, "item", None), Item)
        }
        model._items = found  # type: ignore[attr-defined]
    return found
