"""A subject's sex and age, as far as reference ranges need them.

Whichever registered form carries the SDTM variable is asked: laboratories know no form
of the study by name.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from trialsite.core.partial_dates import PartialDate
from trialsite.crf.items import items_of
from trialsite.crf.models import ItemData, stored
from trialsite.crf.registry import forms
from trialsite.labs.codes import Sex

SEX, BORN, AGE = "DM.SEX", "DM.BRTHDTC", "DM.AGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of a subject's sex ("" where nothing) and age."""

    sex: str = ""
    born: str = ""
    age: int | None = None

    def age_on(self, day: dt.date) -> int | None:
        """Completed years on a day; None where the known part of the birth date leaves it open."""
        if not self.born:
            return self.age
        born = PartialDate.parse(self.born)
        oldest, youngest = (_years(each, day) for each in (born.earliest, born.latest))
        return oldest if oldest == youngest else None


def _years(born: dt.date, day: dt.date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def person_of(subject_id: uuid.UUID) -> Person:
    """The subject as the forms describe them: one query for each form that does."""
    return people_of([subject_id])[subject_id]


def people_of(subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """Each of the subjects, by as many queries as for one."""
    said: dict[uuid.UUID, dict[str, Any]] = {each: {} for each in subjects}
    for _form, table, names in _tables():
        rows = stored(table).filter(subject_id__in=subjects, record__voided_at=None)
        seen: set[uuid.UUID] = set()
        for row in rows.order_by("-record__completed_at"):
            if row.subject_id in seen:
                continue
            seen.add(row.subject_id)
            for variable, name in names.items():
                if getattr(row, name) not in (None, ""):
                    said[row.subject_id].setdefault(variable, getattr(row, name))
    return {each: _person(found) for each, found in said.items()}


def _person(said: dict[str, Any]) -> Person:
    sex, age, born = said.get(SEX, ""), said.get(AGE), said.get(BORN)
    return Person(
        sex=sex if sex in {Sex.MALE, Sex.FEMALE} else "",
        age=int(age) if age is not None else None,
        born=born.isoformat() if isinstance(born, dt.date) else str(born or ""),
    )


def forms_of_people() -> frozenset[str]:
    """The forms that say who a subject is."""
    return frozenset(form for form, _table, _names in _tables())


def _tables() -> Iterator[tuple[str, type[ItemData], dict[str, str]]]:
    for oid, form in forms().items():
        for table in form.tables:
            names = {
                item.sdtm: name
                for name, item in items_of(table).items()
                if item.sdtm in {SEX, BORN, AGE}
            }
            if names:
                yield oid, table, names
