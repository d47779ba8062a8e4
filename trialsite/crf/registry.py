"""The forms of the study. Registering one puts its tables under guard, audit and checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import models
from django.utils.functional import Promise

from trialsite.casebook.models import CrfRecord
from trialsite.core.guards import guard
from trialsite.core.slots import declare
from trialsite.crf.items import Item, all_items_of, items_of
from trialsite.crf.models import CrfData, CrfRow, ItemData

#: Actions that apps above offer on a record's page (an adverse event from a complication).
RECORD_ACTIONS = declare("crf.record.actions")

D = TypeVar("D", bound=type[CrfData])
R = TypeVar("R", bound=type[CrfRow])


@dataclass(slots=True, kw_only=True)
class Form:
    """One form definition (ODM FormDef): its own row, its repeating groups, or both.

    A form without `data` heads a companion record: the domain model of another app
    (a session, a lot) whose queries, signatures and locks live on the record.
    """

    oid: str
    title: str | Promise
    data: type[CrfData] | None = None
    groups: list[type[CrfRow]] = field(default_factory=list)
    domain: type[models.Model] | None = None
    #: The URL name of the page of a companion's records; it takes the record's id.
    page: str = ""
    #: Many companion records for one subject or visit.
    again: bool = False
    #: Whether people open a record and then fill it; others come with an act, such as signing.
    opened: bool = True
    #: Item OID -> label in the present language, where items are not columns.
    label_of: Callable[[str], str] | None = None
    #: What a companion's domain model says beside the rows of its groups, for its hash.
    content_of: Callable[[CrfRecord], object] | None = None

    @property
    def slug(self) -> str:
        """The form in an address: `F.VS` -> `vs`."""
        return self.oid.removeprefix("F.").lower()

    @property
    def version(self) -> int:
        return self.data.form_version if self.data else 1

    @property
    def repeating(self) -> bool:
        return self.data.repeating if self.data else self.again

    @property
    def startable(self) -> bool:
        """Whether a person may start one more record of it."""
        return self.repeating and self.opened

    @property
    def tables(self) -> list[type[ItemData]]:
        """Every table with items of this form."""
        return [*([self.data] if self.data else []), *self.groups]


_forms: dict[str, Form] = {}


def forms() -> dict[str, Form]:
    """All forms by OID, in the order of their registration."""
    return dict(_forms)


def form(oid: str) -> Form:
    """One form; raises KeyError for an OID nobody has registered."""
    return _forms[oid]


def items_by_oid() -> dict[str, tuple[type[ItemData], Item]]:
    """Every item of every form, computed ones too, with the table whose column it is."""
    return {
        item.oid: (table, item)
        for each in forms().values()
        for table in each.tables
        for item in all_items_of(table).values()
    }


def register(crf: D) -> D:
    """Class decorator: enter a form into the casebook."""
    _check(crf)
    if crf.form_oid in _forms:
        raise TypeError(f"{crf.form_oid} is already registered")
    _forms[crf.form_oid] = Form(oid=crf.form_oid, title=crf.title, data=crf)
    _guard(crf)
    return crf


def register_rows(group: R) -> R:
    """Class decorator: add a repeating item group to its form."""
    _check(group)
    form(group.form_oid).groups.append(group)
    _guard(group)
    return group


def register_companion(
    oid: str,
    title: str | Promise,
    domain: type[models.Model],
    *,
    page: str = "",
    repeating: bool = False,
    opened: bool = True,
    label_of: Callable[[str], str] | None = None,
    content_of: Callable[[CrfRecord], object] | None = None,
) -> Form:
    """Enter the form that heads the companion records of a domain model.

    With a `page` the record's address leads there: every link to a record works for it.
    """
    if oid in _forms:
        raise TypeError(f"{oid} is already registered")
    _forms[oid] = Form(
        oid=oid,
        title=title,
        domain=domain,
        page=page,
        again=repeating,
        opened=opened,
        label_of=label_of,
        content_of=content_of,
    )
    return _forms[oid]


def _guard(table: type[ItemData]) -> None:
    guard(table._meta.label, site="site_id", subject="subject_id", record="record_id")


def _check(table: type[ItemData]) -> None:
    """A definition that cannot work is refused when the process starts."""
    items = items_of(table)
    columns = {column.name for column in table._meta.concrete_fields}
    for name, each in items.items():
        if each.units and not {each.reported, each.reported_unit} <= columns:
            raise TypeError(
                f"{table.__name__}.{name} needs {each.reported} and {each.reported_unit}"
            )
        if each.units and each.unit not in each.units:
            raise TypeError(f"{table.__name__}.{name}: {each.unit} is not among its units")
    named = [name for section in table.sections for name in section.items]
    if table.sections and sorted(named) != sorted(all_items_of(table)):
        raise TypeError(f"{table.__name__}: sections and items differ")
    if getattr(table, "caption", "") and table.caption not in items:  # type: ignore[attr-defined]
        raise TypeError(f"{table.__name__}: its caption is no item")
    for check in table.edit_checks:
        if check.item not in items:
            raise TypeError(f"{table.__name__}: edit check {check.oid} names no item")
