"""Clinical times as observed: the clock on the wall, beside the zone it hung in.

A later change of the time zone database must not move what a nurse wrote down, so the
column is `timestamp without time zone`; the row keeps the site's IANA zone.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

EARLIEST = 1900


def _read(text: str) -> dt.datetime | None:
    """A date with its time; a date alone is no time anybody observed."""
    text = text.strip().replace("/", "-")
    if ":" not in text:
        return None
    try:
        return parse_datetime(text)
    except ValueError:
        return None


class WallTimeField(models.Field[Any, Any]):
    """A naive `datetime` to the minute or second, as read from the clock at the site."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002  (Django's signature)
        return "timestamp"

    def to_python(self, value: Any) -> dt.datetime | None:
        if value in (None, ""):
            return None
        moment = value if isinstance(value, dt.datetime) else _read(str(value))
        if moment is None or not moment.year >= EARLIEST:
            raise ValidationError(_("Enter a date and time, such as 2026-03-05 14:30."))
        if moment.tzinfo is not None:
            raise ValidationError(_("Enter the time on the clock at the site, without an offset."))
        return moment

    def get_prep_value(self, value: Any) -> dt.datetime | None:
        return self.to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        value = self.value_from_object(obj)
        return value.isoformat(timespec="minutes") if value else ""
