"""The datasets of the study. Forms are datasets by themselves; apps register further ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise

from trialsite.access.capabilities import Capability


class Kind(StrEnum):
    """ODM DataTypes, and what else a column can hold."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    #: The clock on the wall at the site, without offset.
    DATETIME = "datetime"
    PARTIAL_DATE = "partialDate"
    #: A moment, written in UTC.
    MOMENT = "moment"
    ID = "uuid"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name in the file, the SQL that computes it, and what it means.

    In a dataset made of Python rows the name is the row's key, and there is no SQL.
    """

    name: str
    sql: str = ""
    label: str | Promise
    kind: Kind = Kind.TEXT
    unit: str = ""
    codes: Mapping[str, str | Promise] = field(default_factory=dict)
    sdtm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A rectangular extract, by one SELECT or by Python rows.

    Every SQL text here is a constant of the code; the person's sites are the only value that
    is ever added, as a literal. What no SELECT says well (an estimate, a reading shared with
    a page) gives `rows` instead: it is asked for the sites and answers in the order of the
    file. Whoever writes the file acts with `one_moment`, so that it is of one moment however
    many statements it takes.
    """

    name: str
    title: str | Promise
    columns: tuple[Column, ...]
    #: What stands after FROM, with its aliases; and which rows of it.
    source: str = ""
    where: str = "true"
    #: The expression for a row's site; only sites where the person may export are read.
    #: Empty: facts of the whole study, for whoever may export anywhere.
    site: str = ""
    order: str = ""
    #: Ids of sites -> the rows of these sites, each with a value for every column.
    rows: Callable[[Collection[int]], Iterable[Mapping[str, Any]]] | None = None
    #: What the person must hold at the site beside EXPORT.
    needs: Capability = Capability.VIEW_CASEBOOK

    def __post_init__(self) -> None:
        by_sql = bool(self.source and self.order) and all(each.sql for each in self.columns)
        if by_sql == (self.rows is not None):
            raise TypeError(f"{self.name}: give either SQL or rows")


_makers: list[Callable[[], list[Dataset]]] = []


def register_datasets(maker: Callable[[], list[Dataset]]) -> Callable[[], list[Dataset]]:
    """Decorator: this function yields datasets, asked anew each time."""
    _makers.append(maker)
    return maker


def datasets() -> dict[str, Dataset]:
    """Every dataset by name, in the order of registration."""
    return {dataset.name: dataset for _maker, dataset in made_by()}


def made_by() -> list[tuple[str, Dataset]]:
    """Every dataset with the full name of its maker, in the order of registration."""
    named = [(f"{maker.__module__}.{maker.__name__}", maker) for maker in _makers]
    return [(name, dataset) for name, maker in named for dataset in maker()]
