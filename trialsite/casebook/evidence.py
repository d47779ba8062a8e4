"""Dated observations of a living person, whichever app keeps them.

What a date of death is compared with (decisions C10), and by what survival on a day is
proven (C11): any dated evidence at or after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models

from trialsite.casebook.models import CrfRecord
from trialsite.core.partial_dates import PartialDateField
from trialsite.core.wall_time import WallTimeField

RECORDS = CrfRecord._meta.db_table


@dataclass(frozen=True, slots=True)
class Evidence:
    """A column in which a day is written on which the person was seen alive."""

    model: type[models.Model]
    column: str
    #: A column and the value of it with which the day is none on which the person lived.
    unless: tuple[str, str] | None = None

    @property
    def select(self) -> str:
        """SQL of the standing evidence: subject, day as ISO text as far as it is known, form
        and record it stands on."""
        meta = self.model._meta
        known = meta.get_field(self.column)
        column = f'e."{self.column}"'
        day = column if isinstance(known, PartialDateField) else f"to_char({column}, 'YYYY-MM-DD')"
        headed = any(each.column == "record_id" for each in meta.concrete_fields)
        join = f' JOIN "{RECORDS}" r ON r.id = e.record_id' if headed else ""
        standing = " AND r.voided_at IS NULL" if headed else ""
        form, record = ("r.form_oid", "r.id") if headed else ("NULL", "NULL::uuid")
        own = " AND e.voided_at IS NULL" if _has(self.model, "voided_at") else ""
        if self.unless is not None:
            name, value = self.unless
            own += f" AND e.\"{name}\" IS DISTINCT FROM '{value}'"
        return (
            f"SELECT e.subject_id AS subject_id, {day} AS day, "
            f"{form} AS form, {record} AS record_id "
            f'FROM "{meta.db_table}" e{join} WHERE {column} IS NOT NULL{standing}{own}'
        )

    @property
    def timed(self) -> bool:
        """Whether it has a time of day beside the day."""
        return isinstance(self.model._meta.get_field(self.column), WallTimeField)

    @property
    def moments(self) -> str:
        """SQL of the same with the time on the clock at the site, where it is `timed`."""
        return self.select.replace(
            f"to_char(e.\"{self.column}\", 'YYYY-MM-DD') AS day", f'e."{self.column}" AS at', 1
        )


_evidence: list[Evidence] = []


def register_evidence(
    model: type[models.Model], *columns: str, unless: tuple[str, str] | None = None
) -> None:
    """Say that these columns of a table with a subject date an observation; where the table has
    a companion record, its voiding counts too. In a row whose other column says what `unless`
    names (a column, its value) they date none."""
    _evidence.extend(Evidence(model, column, unless) for column in columns)


def evidence() -> Iterator[Evidence]:
    """Every kind of dated evidence, in the order of registration."""
    yield from _evidence


def _has(model: type[models.Model], name: str) -> bool:
    return any(column.name == name for column in model._meta.concrete_fields)
