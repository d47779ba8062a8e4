"""How lists of the API are narrowed and cut."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


def text(value: str) -> str:
    """Plain text of a reasonable length."""
    if not value or len(value) > 100 or "\x00" in value:
        raise ValueError(value)
    return value


def moment(value: str) -> dt.datetime:
    """An ISO 8601 moment with its offset; without one nobody knows which moment it is."""
    read = dt.datetime.fromisoformat(value)
    if read.tzinfo is None:
        raise ValueError(value)
    return read


def day(value: str) -> dt.date:
    """An ISO 8601 date."""
    return dt.date.fromisoformat(value)


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter of a list: the lookup is ours, only the value is the asker's."""

    lookup: str
    read: Callable[[str], Any] = text
    choices: tuple[str, ...] = ()

    def apply(self, rows: QuerySet[Any, Any], value: str) -> QuerySet[Any, Any]:
        """The rows that match; raises ValueError for a value of the wrong kind."""
        if self.choices and value not in self.choices:
            raise ValueError(value)
        return rows.filter(**{self.lookup: self.read(value)})

    @property
    def kind(self) -> type:
        """The Python type of the value, for the schema."""
        read: dict[Any, type] = {uuid.UUID: uuid.UUID, moment: dt.datetime, day: dt.date}
        return read.get(self.read, str)


class Pages(PageNumberPagination):
    """Pages of 100 rows, up to 1,000 on request; more in one go is what datasets are for."""

    parameters: ClassVar[frozenset[str]] = frozenset({"page", "page_size"})
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size")
        if asked is None:
            return self.page_size
        if not (asked.isascii() and asked.isdigit() and len(asked) < 5):
            raise ValidationError({"page_size": [_("Ask for 1 to 1,000 rows.")]})
        if not 1 <= int(asked) <= self.max_page_size:
            raise ValidationError({"page_size": [_("Ask for 1 to 1,000 rows.")]})
        return int(asked)
