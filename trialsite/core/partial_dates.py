"""Dates known only to the year or the month, kept as precisely as they were given.

ISO 8601 truncated from the right, as CDISC writes them: `2026`, `2026-03`, `2026-03-05`.
No day is ever invented; comparisons answer None where the precision does not decide.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Least, Left, Length
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _

#: How a date is written at the bedside with the year first, which leaves no doubt:
#: 1970年5月3日, 1970.5.3, 1970/5/3, 1970-5-3, and the eight digits of an identity card.
_WRITTEN = re.compile(
    r"(?P<year>\d{4})年?"
    r"(?:[-./](?P<month>\d{1,2})(?:[-./](?P<day>\d{1,2}))?"
    r"|(?P<zh_month>\d{1,2})月(?:(?P<zh_day>\d{1,2})日)?"
    r"|(?P<mm>\d{2})(?P<dd>\d{2}))?",
    re.ASCII,
)

_DASHES = str.maketrans("‐‑‒–—。", "-----.")

PATTERN = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A year, a year and month, or a full date."""

    year: int
    month: int | None = None
    day: int | None = None

    @classmethod
    def parse(cls, text: str) -> PartialDate:
        """Read ISO text; raises ValueError for anything that is no calendar date."""
        if not re.match(PATTERN, text):
            raise ValueError(text)
        parts = [int(part) for part in text.split("-")]
        date = cls(*parts)
        date.earliest  # noqa: B018  (31 February is refused here)
        return date

    @classmethod
    def read(cls, text: str) -> PartialDate:
        """Read what a person wrote, year first; raises ValueError where that is not certain."""
        plain = unicodedata.normalize("NFKC", text).translate(_DASHES).replace(" ", "")
        found = _WRITTEN.fullmatch(plain)
        if found is None:
            raise ValueError(text)
        said = found.groupdict()
        month = said["month"] or said["zh_month"] or said["mm"]
        day = said["day"] or said["zh_day"] or said["dd"]
        parts = [said["year"], *(part.zfill(2) for part in (month, day) if part)]
        return cls.parse("-".join(parts))

    def __str__(self) -> str:
        parts = [f"{self.year:04d}"]
        if self.month is not None:
            parts.append(f"{self.month:02d}")
        if self.day is not None:
            parts.append(f"{self.day:02d}")
        return "-".join(parts)

    @property
    def earliest(self) -> dt.date:
        return dt.date(self.year, self.month or 1, self.day or 1)

    @property
    def latest(self) -> dt.date:
        month = self.month or 12
        return dt.date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])

    def before(self, other: PartialDate) -> bool | None:
        """Whether this is earlier: True, False, or None where precision does not tell."""
        if self.latest < other.earliest:
            return True
        return False if self.earliest >= other.latest else None


class PartialDateField(models.CharField[Any, Any]):
    """A `PartialDate` stored as its ISO text; the database checks the shape."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 10)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, *_args: object) -> PartialDate | None:
        return PartialDate.parse(value) if value else None

    def to_python(self, value: Any) -> PartialDate | None:
        if value in (None, "") or isinstance(value, PartialDate):
            return value or None
        try:
            return PartialDate.read(str(value))
        except ValueError as error:
            message = _("Enter a year (2026), a month (2026-03) or a date (2026-03-05).")
            raise ValidationError(message, code="invalid") from error

    def get_prep_value(self, value: Any) -> str | None:
        return None if value in (None, "") else str(value)

    def run_validators(self, value: Any) -> None:
        super().run_validators(self.get_prep_value(value))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""


def not_before(later: str, earlier: str) -> GreaterThanOrEqual:
    """The condition that one column's date is not known to lie before another's.

    ISO texts are compared as far as both are known: 2026-03 does not lie before 2026-03-05.
    """
    known = Least(Length(later), Length(earlier))
    return GreaterThanOrEqual(Left(later, known), Left(earlier, known))
