"""The trail as a file: one line for each changed column, whole or not at all."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from trialsite.audit.models import Event
from trialsite.core.exceptions import DomainError
from trialsite.core.spreadsheets import neutralise
from trialsite.crf.trail import Line, lines
from trialsite.crf.trail_words import Change

#: More than this is no page's answer; the filter is to be narrowed.
MOST = 50_000
_CHUNK = 1000

COLUMNS = (
    "eid", "at_utc", "at_site", "time_zone", "site", "subject", "record_id", "person",
    "person_id", "role", "channel", "request_id", "operation", "reason", "thing", "table",
    "row_id", "column", "label", "old", "new", "old_stored", "new_stored",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrailFile:
    """A finished export, at its beginning."""

    file: IO[bytes]
    events: int
    sha256: str


def export(events: QuerySet[Event]) -> TrailFile:
    """Write every event to a file before anybody gets the first byte of it."""
    total = events.count()
    if total > MOST:
        raise DomainError(
            _("%(total)d events are too many for one file. Narrow the filter, say by date.")
            % {"total": total}
        )
    target: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=8 * 1024**2)  # noqa: SIM115
    digest, written = hashlib.sha256(), 0
    for part, count in _parts(events):
        target.write(part)
        digest.update(part)
        written += count
    target.seek(0)
    return TrailFile(target, written, digest.hexdigest())


def _parts(events: QuerySet[Event]) -> Iterator[tuple[bytes, int]]:
    """Encoded pieces of the file, with the number of events in each."""
    yield "\ufeff".encode() + _encoded([COLUMNS]), 0
    rows = events.order_by("eid").iterator(chunk_size=_CHUNK)
    while chunk := list(islice(rows, _CHUNK)):
        told = lines(chunk)
        yield _encoded([row for line in told for row in _rows(line)]), len(chunk)


def _encoded(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _rows(line: Line) -> Iterator[tuple[str, ...]]:
    """An event without a visible change still has its line."""
    for change in line.changes or [Change("", "", "", "")]:
        yield tuple(neutralise(cell) for cell in (*_event_cells(line), *_change_cells(change)))


def _event_cells(line: Line) -> tuple[str, ...]:
    event = line.event
    return (
        str(event.eid),
        event.at.astimezone(dt.UTC).isoformat(),
        event.at.astimezone(ZoneInfo(line.zone)).isoformat(),
        line.zone,
        line.site.code if line.site else "",
        line.subject.label if line.subject else "",
        str(event.record_id or ""),
        line.who,
        str(event.actor_id or ""),
        line.role,
        line.channel,
        str(event.request_id or ""),
        line.operation,
        event.reason,
        line.thing,
        event.table_name,
        event.row_id,
    )


def _change_cells(change: Change) -> tuple[str, ...]:
    stored = ("", "") if not change.column else (_json(change.raw_old), _json(change.raw_new))
    return (change.column, change.label, change.old, change.new, *stored)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
