"""The numbers of copies: each site's counters go on, block by block, as its services count.

Where the story took the numbers 1 to L of a counter, copy k has k L + 1 to (k + 1) L, in the
form and with the check character that the service would have given them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.db import connection, models

from samples.models import Aliquot, Box, Freezer, Shipment, Specimen
from screening.models import ScreeningEntry
from trialsite.casebook.models import NumberSequence, Subject
from trialsite.core.ids import with_check
from visits.models import LoadedProduct, ProductLot

Tell = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A column of numbers: the counter they come from, and where in them it stands."""

    model: type[models.Model]
    column: str
    counter: str
    #: What stands before the count, the count, what stands behind it; then the check character.
    shape: re.Pattern[str]
    checked: bool = True

    def block(self, text: str, last: int) -> Tell:
        """The number that each copy has in place of this one."""
        found = self.shape.fullmatch(text)
        if found is None:
            raise LookupError(f"{text} is no number of {self.model._meta.label}")
        before, count, behind = found["before"], found["count"], found["behind"]

        def tell(copy: int) -> str:
            said = f"{before}{int(count) + copy * last:0{len(count)}d}{behind}"
            return with_check(said) if self.checked else said

        return tell


def _shape(before: str, behind: str = "", check: str = "-.") -> re.Pattern[str]:
    return re.compile(rf"(?P<before>{before})(?P<count>\d+)(?P<behind>{behind}){check}")


NUMBERED = (
    Numbered(ScreeningEntry, "number", "screening", _shape(r".+-S")),
    Numbered(Subject, "number", "subject", _shape(r".+-", check=""), checked=False),
    Numbered(Specimen, "code", "specimen", _shape(r"S.+-")),
    Numbered(Aliquot, "code", "specimen", _shape(r"S.+-", behind=r"-\d\d")),
    Numbered(Box, "code", "box", _shape(r"B.+-")),
    Numbered(Shipment, "code", "shipment", _shape(r"T.+-")),
)

#: Names that people gave; a copy's says which one it is.
NAMED = ((Freezer, "name"), (ProductLot, "code"), (LoadedProduct, "reactor_serial"))


def numbers() -> dict[str, Tell]:
    """What the story says -> what each copy says, for all numbers and names of the story."""
    return {**dict(_counted()), **dict(_named())}


def _counted() -> Iterator[tuple[str, Tell]]:
    last = {
        (site, kind): count
        for site, kind, count in NumberSequence.objects.values_list("site_id", "kind", "last")
    }
    for each in NUMBERED:
        rows = each.model._default_manager.exclude(**{each.column: None})
        for site, text in rows.order_by().values_list("site_id", each.column):
            yield text, each.block(text, last[site, each.counter])


def _named() -> Iterator[tuple[str, Tell]]:
    for model, column in NAMED:
        for text in model._default_manager.order_by().values_list(column, flat=True):
            yield text, _numbered_name(text)


def _numbered_name(text: str) -> Tell:
    return lambda copy: f"{text}-{copy}"


def count_on(scale: int) -> None:
    """Let every counter go on behind the last copy's number."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE public.{NumberSequence._meta.db_table} SET last = last * %s", [scale]
        )


def last_numbers() -> Mapping[tuple[int, str], int]:
    """The last number of each counter, by site and kind."""
    rows = NumberSequence.objects.values_list("site_id", "kind", "last")
    return {(site, kind): last for site, kind, last in rows}
