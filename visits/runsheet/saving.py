"""Saving lines of the grid: what was posted, what is made of it, what is said about it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction

from trialsite.access.models import User
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError
from trialsite.crf.entry import Entry, read_texts, texts_of
from trialsite.crf.models import CrfRow
from trialsite.crf.posting import clean, integer
from trialsite.crf.services import ReasonRequiredError, close_draft, save_draft, save_row
from trialsite.crf.violations import ImpossibleError
from visits.models import SessionReading
from visits.runsheet.columns import PLANNED, SHORT, TIME
from visits.runsheet.due import id_of, is_slot, minute_of
from visits.runsheet.grid import Grid, Typed, part_of
from visits.runsheet.times import clock, moment_of

_FIELD = re.compile(r"r\.([0-9a-f-]{36})\.([a-z_]+)(\.keep)?")
_NAMES = frozenset({TIME, *SHORT})


@dataclass(slots=True)
class Posted:
    """One line as its fields were posted."""

    row_id: uuid.UUID
    texts: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    version: int = 0
    slot: str = ""
    page: str = ""

    @property
    def changed(self) -> dict[str, str]:
        """What differs from what the person was shown."""
        return {n: text for n, text in self.texts.items() if text != self.base.get(n, "")}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line: `saved`, `conflict`, `refused`, or `reason` where one is missing."""

    status: str
    typed: Typed | None = None


def posted_lines(post: Mapping[str, str]) -> list[Posted]:
    """The lines of a posted sheet; where the other's value was chosen, that one."""
    lines: dict[str, Posted] = {}
    theirs: list[tuple[Posted, str]] = []
    for key, value in post.items():
        found = _FIELD.fullmatch(key)
        line = _line(lines, found[1]) if found else None
        if found is None or line is None:
            continue
        if found[3]:
            if value == "theirs":
                theirs.append((line, found[2]))
        else:
            _take(line, found[2], str(value))
    for line, name in theirs:
        line.texts[name] = line.base.get(name, "")
    return list(lines.values())


def _line(lines: dict[str, Posted], key: str) -> Posted | None:
    if key not in lines:
        try:
            lines[key] = Posted(uuid.UUID(key))
        except ValueError:
            return None
    return lines[key]


def _take(line: Posted, name: str, value: str) -> None:
    match name:
        case "version":
            line.version = max(integer(value), 0)
        case "slot":
            line.slot = value if is_slot(value) else ""
        case "page":
            line.page = value.replace("\x00", "")[:36]
        case "base":
            line.base = _base(value)
        case _ if name in _NAMES:
            line.texts[name] = clean(name, value)


def _base(value: str) -> dict[str, str]:
    try:
        base = json.loads(value)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in base.items()} if isinstance(base, dict) else {}


def belongs(grid: Grid, posted: Posted) -> bool:
    """Whether the line is a reading of this session, or may become one."""
    if any(row.pk == posted.row_id for row in grid.rows):
        return True
    return bool(posted.slot) and id_of(grid.session, posted.slot) == posted.row_id


def keep_draft(grid: Grid, posted: Posted, *, by: User) -> str:
    """Keep what is typed so far, outside the casebook; when, on the clock of the site."""
    texts = dict(posted.texts)
    try:
        moment = moment_of(texts.get(TIME, ""), grid.near(grid.line(posted.row_id)))
    except ValidationError:
        moment = None
    if moment is not None:
        texts[TIME] = moment.isoformat(timespec="minutes")
    kept = save_draft(
        record=grid.session.record,
        texts=texts,
        by=by,
        base_version=posted.version,
        part=part_of(posted.row_id),
        page=posted.page,
    )
    return kept.saved_at.astimezone(grid.zone).strftime("%H:%M:%S")


def save_line(grid: Grid, posted: Posted, *, by: User, reason: str) -> Outcome:
    """Save one line, if anything in it differs from what stands."""
    row = next((each for each in grid.rows if each.pk == posted.row_id), None)
    typed = Typed(dict(posted.texts), base=posted.base, version=posted.version)
    entry = _entry(grid, posted, row, typed)
    if typed.errors:
        return Outcome("refused", typed)
    try:
        with transaction.atomic():
            save_row(
                record=grid.session.record,
                group=SessionReading,
                entry=entry,
                by=by,
                row_id=row.pk if row else None,
                new_id=posted.row_id,
                base_version=posted.version,
                reason=reason,
            )
    except StaleError as error:
        return _met(grid, posted, typed, error, by=by)
    except NotPermittedError:
        raise
    except DomainError as error:
        return _refused(typed, error)
    _close(grid, posted, by=by)
    return Outcome("saved")


def _entry(grid: Grid, posted: Posted, row: CrfRow | None, typed: Typed) -> Entry:
    """The whole row: what the grid shows, and what it does not show as it stands."""
    texts = texts_of(row)
    for name, text in posted.texts.items():
        texts[name] = text
        if text.strip():
            texts.pop(f"{name}.missing", None)
    texts[TIME] = _time(grid, posted, typed)
    planned = minute_of(grid.session, posted.slot)
    if row is None and planned is not None:
        texts[PLANNED] = str(planned)
    entry = read_texts(SessionReading, texts)
    typed.errors = {**entry.errors, **typed.errors}
    return entry


def _time(grid: Grid, posted: Posted, typed: Typed) -> str:
    text = posted.texts.get(TIME, posted.base.get(TIME, ""))
    try:
        moment = moment_of(text, grid.near(grid.line(posted.row_id)))
    except ValidationError as error:
        typed.errors[TIME] = list(error.messages)
        return ""
    return moment.isoformat(timespec="minutes") if moment else ""


def _met(grid: Grid, posted: Posted, typed: Typed, error: StaleError, *, by: User) -> Outcome:
    """Somebody saved first. Where both wrote the same, or this very save had arrived and only
    its answer was lost, there is nothing to decide."""
    theirs = {name: str(text) for name, text in error.current.items() if name in _NAMES}
    theirs[TIME] = clock(moment_of(theirs.get(TIME, ""), grid.now))
    typed.version, typed.theirs = error.version, theirs
    mine = posted.changed
    if TIME in mine and _same_time(grid, posted, theirs[TIME]):
        mine[TIME] = theirs[TIME]
    if all(theirs.get(name, "") == text for name, text in mine.items()):
        _close(grid, posted, by=by)
        return Outcome("saved")
    typed.texts = {**theirs, **mine}
    return Outcome("conflict", typed)


def _same_time(grid: Grid, posted: Posted, theirs: str) -> bool:
    near = grid.near(grid.line(posted.row_id))
    return moment_of(posted.texts[TIME], near) == moment_of(theirs, near)


def _close(grid: Grid, posted: Posted, *, by: User) -> None:
    close_draft(record=grid.session.record, by=by, part=part_of(posted.row_id), page=posted.page)


def _refused(typed: Typed, error: DomainError) -> Outcome:
    match error:
        case ImpossibleError():
            typed.errors = error.errors
        case _:
            typed.errors = {"": [str(error)]}
    return Outcome("reason" if isinstance(error, ReasonRequiredError) else "refused", typed)
