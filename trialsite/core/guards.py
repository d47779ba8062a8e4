"""What the database itself enforces, said once beside each model.

A model is `guarded`: row-level security by its site, the audit trigger, the least
privileges for the application's role. Apps add further protections (functions, triggers,
constraints) through `protect`. `migrate` brings the database to this desired state, and
`drift` names every difference between it and the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.apps import apps
from django.db import models

from trialsite.core.catalog import Check, Function, Grant, Policy, Protection, Table, Trigger
from trialsite.core.declared import Declared
from trialsite.core.stores import Schema, Store

OWNER, APP, PUBLIC, BACKUP, AUDIT, VAULT = (
    f"trialsite_{name}" for name in ("owner", "app", "public", "backup", "audit", "vault")
)

M = TypeVar("M", bound=type[models.Model])


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """How the database protects one table."""

    #: Column that names the site; rows are seen and written for the context's sites only.
    site: str = ""
    #: Columns by which the trail finds a row's subject and CRF record.
    subject: str = ""
    record: str = ""
    #: Columns whose values never enter the trail, only the fact that they changed.
    secret: tuple[str, ...] = ()
    #: Why the table has no audit trail; empty for every table of the trial's data.
    unaudited: str = ""
    #: Why rows of a table with a site column are visible beyond the site.
    unscoped: str = ""
    #: Why some rows have no site and are then everybody's to read (facts of the whole study).
    siteless: str = ""
    #: Why the app states every protection of this table itself.
    bespoke: str = ""
    #: Whether the application may remove rows (never the trial's data).
    deletable: bool = False
    #: Whether the application may change rows.
    changeable: bool = True
    #: Whether the application may write at all.
    writable: bool = True


_guards: dict[str, Guard] = {}
_providers: list[Callable[[], Iterable[Protection]]] = []


def guarded(**options: str | bool | tuple[str, ...]) -> Callable[[M], M]:
    """Class decorator: state how the database protects this model's table."""

    def decorate(model: M) -> M:
        guard(model._meta.label, **options)
        return model

    return decorate


def guard(label: str, **options: str | bool | tuple[str, ...]) -> None:
    """The same for a model of another package, named by its label."""
    _guards[label] = Guard(**options)  # type: ignore[arg-type]


def guard_of(model: type[models.Model]) -> Guard | None:
    """The guard of a model, or None where nobody has stated one."""
    return _guards.get(model._meta.label)


def protect(provider: Callable[[], Iterable[Protection]]) -> Callable[[], Iterable[Protection]]:
    """Register a function that yields further protections."""
    _providers.append(provider)
    return provider


def guarded_models() -> list[tuple[type[models.Model], Guard]]:
    """Every concrete model with its guard, in a stable order."""
    found = [
        (model, stated)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and (stated := guard_of(model))
    ]
    return sorted(found, key=lambda pair: pair[0]._meta.db_table)


def protections() -> list[Protection]:
    """The whole desired state, in the order it can be made."""
    extra = [protection for provider in _providers for protection in provider()]
    tables: list[Protection] = []
    for model, stated in guarded_models():
        tables.append(Declared(model))
        tables.extend(_table_protections(model, stated))
    order = (Schema, Store, Function, Table, Grant, Check, Declared, Trigger, Policy)
    return sorted([*extra, *tables], key=lambda protection: order.index(type(protection)))


def _table_protections(model: type[models.Model], stated: Guard) -> Iterable[Protection]:
    if stated.bespoke:
        return
    table = model._meta.db_table
    scoped = bool(stated.site) and not stated.unscoped
    yield Table(table, row_security=scoped)
    yield Grant(table, APP, _privileges(stated))
    yield Grant(table, BACKUP, ("SELECT",))
    if scoped:
        seen = f"({stated.site} = ANY (trialsite.sites()))"
        if stated.siteless:
            seen = f"(({stated.site} IS NULL) OR {seen})"
        yield Policy(table, "site_reads", "SELECT", (APP, OWNER), using=seen)
        yield Policy(table, "site_inserts", "INSERT", (APP, OWNER), check=seen)
        yield Policy(table, "site_updates", "UPDATE", (APP, OWNER), using=seen, check=seen)
        if stated.deletable:
            yield Policy(table, "site_deletes", "DELETE", (APP, OWNER), using=seen)
    if not stated.unaudited:
        pk = model._meta.pk
        assert pk is not None
        columns = (
            str(pk.column),
            stated.site,
            stated.subject,
            stated.record,
            ",".join(stated.secret),
        )
        yield Trigger(
            table, "audit", "AFTER INSERT OR DELETE OR UPDATE", "trialsite.record_event", columns
        )
        yield Trigger(
            table, "no_truncate", "BEFORE TRUNCATE", "trialsite.refuse_truncate", each="STATEMENT"
        )


def _privileges(stated: Guard) -> tuple[str, ...]:
    if not stated.writable:
        return ("SELECT",)
    changing = ("UPDATE",) if stated.changeable else ()
    deleting = ("DELETE",) if stated.deletable else ()
    return (*deleting, "INSERT", "SELECT", *changing)
