"""The forms of the study. Registering one puts its tables under guard, audit and checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import models
from django.utils.functional import Promise

from trialsite.access.models import User
from trialsite.casebook.evidence import register_evidence
from trialsite.casebook.following import after_void
from trialsite.casebook.models import CrfRecord
from trialsite.core.guards import guard
from trialsite.core.slots import declare
from trialsite.crf.items import Item, all_items_of, items_of
from trialsite.crf.models import CrfData, CrfRow, ItemData, stored

#: Actions that apps above offer on a record's page (an adverse event from a complication).
RECORD_ACTIONS = declare("crf.record.actions")

D = TypeVar("D", bound=type[CrfData])
R = TypeVar("R", bound=type[CrfRow])
T = TypeVar("T", bound=ItemData)


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

#: What apps above do when a row of a table changes.
_followers: dict[type[ItemData], list[Callable[[Any, User], None]]] = {}


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


def after_save(table: type[T], follower: Callable[[T, User], None]) -> None:
    """Let an app above follow what happens to a table's rows: each save, and each voiding.

    The follower is called with the row and the person inside the transaction of the act:
    what it refuses takes the act back. `row.stands` tells a row from a voided one,
    `row.changed` names the items that a save changes. Imports stay downward: a follower is
    named in `AppConfig.ready` of the app that owns it.
    """
    _followers.setdefault(table, []).append(follower)


def follow(row: ItemData, by: User) -> None:
    """Tell the followers of a row's table what has just happened to it."""
    for follower in _followers.get(type(row), ()):
        follower(row, by)


@after_void
def _follow_record(record: CrfRecord, by: User) -> None:
    """A voided record takes its rows along: their followers are told of each."""
    known = _forms.get(record.form_oid)
    for table in filter(is_followed, known.tables if known else ()):
        for row in stored(table).filter(record=record):
            if getattr(row, "voided_at", None) is None:
                row.record = record
                follow(row, by)


def is_followed(table: type[ItemData]) -> bool:
    """Whether anybody follows the rows of this table."""
    return table in _followers


def _guard(table: type[ItemData]) -> None:
    guard(table._meta.label, site="site_id", subject="subject_id", record="record_id")
    for name, item in items_of(table).items():
        if item.observed:
            register_evidence(table, name, unless=item.observed_unless)


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
