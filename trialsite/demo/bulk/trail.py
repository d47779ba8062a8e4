"""What happened in the story, from its trail: transactions, each of steps that copies take."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from django.db import connection

from outcomes.models import SaeReportPdf
from trialsite.audit.models import Event, Operation
from trialsite.core.context import Channel, Context
from trialsite.demo.bulk.covered import MATERIAL, copied
from trialsite.demo.bulk.retold import Retold
from trialsite.demo.bulk.statements import has_counted_key, key_column

#: Tables of the vault, which has its own door (`screening.services.identity`).
IDENTITY, IDENTIFIER = "identity", "identifier"
PAPERS = SaeReportPdf._meta.db_table


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of the trail, its row as PostgreSQL wrote it."""

    xid: int
    trial_at: dt.datetime
    actor_id: int | None
    system: str
    role: str
    channel: str
    reason: str
    operation: str
    act: str
    table: str
    row_id: str
    site_id: int | None
    subject_id: str | None
    record_id: str | None
    text: str
    names: list[str]

    @property
    def who(self) -> tuple[object, ...]:
        """On whose behalf, from where and why."""
        return self.actor_id, self.system, self.role, self.channel, self.reason

    def context(self, sites: frozenset[int]) -> Context:
        """The same, for these sites."""
        return Context(
            channel=Channel(self.channel),
            actor_id=self.actor_id,
            system=self.system,
            role=self.role,
            sites=sites,
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """Events of one kind, one after the other, that one statement can tell of all copies."""

    operation: str
    table: str
    events: tuple[Happened, ...]

    @property
    def first(self) -> Happened:
        return self.events[0]


def keys_of_copied_rows() -> frozenset[str]:
    """The keys of every row that each copy has its own of."""
    found: set[str] = set()
    doubtful: list[tuple[str, str]] = []
    for table, (model, guard) in copied().items():
        if has_counted_key(model):
            continue
        subject = "true" if model._meta.label in MATERIAL else f"{guard.subject} IS NOT NULL"
        key = key_column(model)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}::text, {subject}, "
                f"CASE WHEN {subject} THEN '' ELSE (to_jsonb(t) - '{key}')::text END "
                f"FROM public.{table} t"
            )
            for row_id, belongs, text in cursor.fetchall():
                if belongs:
                    found.add(row_id)
                else:
                    doubtful.append((row_id, text))
    # Of no subject, like the signature under a lot: it belongs to what it names.
    of_those = Retold(frozenset(found))
    return frozenset({*found, *(row_id for row_id, text in doubtful if of_those.mentions(text))})


def story(retold: Retold) -> list[list[Step]]:
    """The transactions of the story as far as they concern what is copied, in their order."""
    told = [each for each in _events() if _is_told(each, retold)]
    return [
        list(_steps(events)) for _xid, events in itertools.groupby(told, key=lambda each: each.xid)
    ]


def _events() -> Iterator[Happened]:
    tables = [*copied(), PAPERS, IDENTITY, IDENTIFIER]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xid, trial_at, actor_id, system, role, channel, reason, operation, act, "
            "table_name, row_id, site_id, subject_id::text, record_id::text, "
            "coalesce(new::text, ''), ARRAY(SELECT jsonb_object_keys(new) ORDER BY 1) "
            f"FROM public.{Event._meta.db_table} "
            "WHERE operation = 'A' OR table_name = ANY (%s) ORDER BY eid",
            [tables],
        )
        for row in cursor.fetchall():
            yield Happened(*row)


def _is_told(event: Happened, retold: Retold) -> bool:
    if event.operation == Operation.ACT:
        return retold.mentions(f"{event.subject_id} {event.record_id} {event.text}")
    if event.table == IDENTIFIER:
        return False  # the identity's own step keeps them
    if event.operation == Operation.DELETE:
        raise LookupError(f"The story takes a row of {event.table} away; no copy can.")
    if event.row_id in retold.keys:
        return True
    if event.table == PAPERS:
        return retold.mentions(event.text)
    model, _guard = copied().get(event.table, (None, None))
    counted = model is not None and has_counted_key(model)
    return counted and retold.mentions(event.text)


def _steps(events: Iterable[Happened]) -> Iterator[Step]:
    """Neighbours that are alike; a row that changes twice is two steps."""
    waiting: list[Happened] = []
    rows: set[str] = set()
    for event in events:
        if waiting and (not _alike(waiting[0], event) or event.row_id in rows):
            yield _step(waiting)
            waiting, rows = [], set()
        waiting.append(event)
        if event.row_id:
            rows.add(event.row_id)
    if waiting:
        yield _step(waiting)


def _step(events: Collection[Happened]) -> Step:
    first = next(iter(events))
    return Step(first.operation, first.table, tuple(events))


def _alike(one: Happened, other: Happened) -> bool:
    return (one.operation, one.table, one.act, one.names, one.who, one.site_id) == (
        other.operation,
        other.table,
        other.act,
        other.names,
        other.who,
        other.site_id,
    )
