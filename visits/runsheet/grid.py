"""The grid of readings: what is due, what was read, what was typed and is not yet kept."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from trialsite.access.models import User
from trialsite.audit.models import Event, Operation
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.entry import text_of, texts_of
from trialsite.crf.items import MissingReason
from trialsite.crf.models import Draft
from trialsite.protocol.sessions import ReadingSchedule
from trialsite.review.models import Query, QueryStatus
from visits.models import SessionReading, TreatmentSession
from visits.runsheet.cells import Cell
from visits.runsheet.columns import BANDS, PLANNED, TIME, Column, columns_of
from visits.runsheet.due import (
    MINUTE,
    Due,
    due_readings,
    duration_of,
    free_slot,
    id_of,
    paired,
    spare_slots,
)
from visits.runsheet.times import clock, shown

#: Entered so much later than read, a reading says so (clinical 6.2).
LATE = 30 * MINUTE
#: Where a reading without a time stands: at the end.
_FAR = dt.timedelta(days=366)
#: Empty lines for readings beyond the plan.
SPARE = 3


@dataclass(slots=True)
class Typed:
    """What a person has typed into one line and what they saw when they began."""

    texts: dict[str, str]
    base: dict[str, str] = field(default_factory=dict)
    version: int = 0
    #: What stands now, where somebody else saved meanwhile.
    theirs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    #: A draft does not say what its author was shown: whatever differs is for them to decide.
    blind: bool = False


@dataclass(slots=True)
class Line:
    """One line of the grid."""

    id: uuid.UUID
    slot: str
    state: str
    due: Due | None = None
    row: SessionReading | None = None
    typed: Typed | None = None
    time: str = ""
    #: The day of the reading or of its minute, where it is another than the sheet's.
    day: str = ""
    #: The cells as HTML, made when the page asks for them: most requests are for one line.
    draw: Callable[[Line], SafeString] | None = None
    base: dict[str, str] = field(default_factory=dict)
    entered_at: str = ""
    late: bool = False
    token: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def cells(self) -> SafeString:
        """The line's cells as the page shows them."""
        return self.draw(self) if self.draw else SafeString("")

    @property
    def part(self) -> str:
        """Under which name its draft is kept; the engine's own page has the same."""
        return part_of(self.id)

    @property
    def version(self) -> int:
        return self.row.version if self.row else 0

    @property
    def voided(self) -> bool:
        return self.row is not None and self.row.voided_at is not None

    @property
    def base_text(self) -> str:
        return json.dumps(self.base, ensure_ascii=False)

    @property
    def status(self) -> str:
        """How it stands in the casebook, for the script and for people."""
        if self.voided:
            return "voided"
        if self.typed is not None:
            if self.typed.errors:
                return "refused"
            if self.typed.theirs:
                return "conflict"
            return "draft"
        return "saved" if self.row else "empty"

    @property
    def time_errors(self) -> list[str]:
        return self.typed.errors.get(TIME, []) if self.typed else []

    @property
    def errors(self) -> list[str]:
        """What stands in the way and belongs to no cell."""
        return self.typed.errors.get("", []) if self.typed else []

    @property
    def time_conflict(self) -> str | None:
        return conflict_of(TIME, self.typed)


def part_of(row_id: uuid.UUID) -> str:
    """The name of a reading's draft."""
    return f"{SessionReading.group_oid}/{row_id}"


def conflict_of(name: str, typed: Typed | None) -> str | None:
    """What somebody else saved in a field that this person changed too, if it differs."""
    if typed is None or not typed.theirs:
        return None
    mine, theirs = typed.texts.get(name, ""), typed.theirs.get(name, "")
    seen = typed.base.get(name, "")
    both = typed.blind or (mine != seen and theirs != seen)
    return theirs if both and mine != theirs else None


class Grid:
    """All lines of one session's sheet as one person sees them now."""

    def __init__(
        self,
        session: TreatmentSession,
        user: User,
        *,
        now: dt.datetime,
        editable: bool,
        queries: Iterable[Query] = (),
    ) -> None:
        record = session.record
        self.session, self.user, self.editable = session, user, editable
        self.version_id = record.protocol_version_id
        plan = protocol_of(self.version_id).sessions
        self.schedule: ReadingSchedule | None = plan.readings if plan else None
        self.zone = ZoneInfo(session.time_zone)
        self.now = now.astimezone(self.zone).replace(tzinfo=None)
        self.columns: list[Column] = columns_of(self.version_id)
        self.asked = {
            (each.row_id, each.item_oid) for each in queries if each.status != QueryStatus.CLOSED
        }
        self.rows = list(SessionReading.objects.filter(record=record).order_by("number"))
        self._entered = self._entries()
        self._drafts = self._typed_before() if editable else {}
        self.lines = self._lines()

    @property
    def bands(self) -> tuple[tuple[str | Promise, str, int], ...]:
        """The headings over several columns."""
        return BANDS

    @property
    def day(self) -> dt.date:
        """The day of the sheet; times of another day say which."""
        return (self.session.started_at or self.now).date()

    @property
    def standing(self) -> list[SessionReading]:
        return [row for row in self.rows if row.voided_at is None]

    @property
    def next_due(self) -> Line | None:
        """The expected reading that comes next; those overdue are counted beside it."""
        waiting = [line for line in self.lines if line.state in {"due", "coming"}]
        return next((line for line in waiting if line.due and line.due.at), None)

    @property
    def overdue(self) -> int:
        return sum(line.state == "overdue" for line in self.lines)

    @property
    def grace(self) -> dt.timedelta:
        """How far from its minute a reading still answers it: half the way to the next."""
        return (self.schedule.every if self.schedule else 30) * MINUTE / 2

    @property
    def fewest(self) -> int:
        """How many readings the protocol asks for at least."""
        return self.schedule.fewest(duration_of(self.session)) if self.schedule else 0

    def line(self, row_id: uuid.UUID) -> Line | None:
        return next((line for line in self.lines if line.id == row_id), None)

    def add(self, row_id: uuid.UUID, slot: str) -> None:
        """One more empty line, for a reading that this sheet did not offer by itself."""
        line = Line(row_id, slot, "spare")
        self.lines.append(line)
        self._fill(line)

    def texts(self, row: SessionReading | None) -> dict[str, str]:
        """A stored reading as the fields of its line."""
        if row is None:
            return {}
        texts = {n: t for n, t in texts_of(row).items() if n != PLANNED}
        return texts | {TIME: clock(row.observed_at)}

    def near(self, line: Line | None) -> dt.datetime:
        """The moment near which a clock without a day is meant."""
        if line is not None and line.row is not None and line.row.observed_at is not None:
            moment: dt.datetime = line.row.observed_at
            return moment
        if line is not None and line.due is not None and line.due.at is not None:
            return line.due.at
        return self.now

    def lay(self, row_id: uuid.UUID, typed: Typed) -> Line | None:
        """Show a line as it was typed instead of as it is stored."""
        found = self.line(row_id)
        if found is not None:
            found.typed = typed
            self._fill(found)
        return found

    # ---- how the lines come about

    def _entries(self) -> dict[str, dt.datetime]:
        """When each reading was first entered, from the trail."""
        events = Event.objects.filter(
            record_id=self.session.pk,
            table_name=SessionReading._meta.db_table,
            operation=Operation.INSERT,
        )
        return dict(events.order_by("-eid").values_list("row_id", "trial_at"))

    def _typed_before(self) -> dict[str, Draft]:
        prefix = part_of(uuid.UUID(int=0)).partition("/")[0]
        found = Draft.objects.filter(
            record=self.session.record, user=self.user, part__startswith=f"{prefix}/"
        )
        return {draft.part: draft for draft in found if draft.fields}

    def _lines(self) -> list[Line]:
        due = due_readings(self.session, self.schedule) if self.schedule else []
        answers, extra = paired(due, self.standing, self.grace // MINUTE)
        taken = {row.pk for row in self.rows}
        lines = [self._expected(each, answers.get(each.slot), taken) for each in due]
        lines += [Line(row.pk, "", "extra", row=row) for row in extra]
        lines += [Line(row.pk, "", "voided", row=row) for row in self.rows if row.voided_at]
        lines.sort(key=self._position)
        if self.editable:
            slots = spare_slots(self.session, self.user.pk, taken, SPARE)
            lines += [Line(id_of(self.session, slot), slot, "spare") for slot in slots]
        for line in lines:
            line.typed = self._draft_of(line)
            self._fill(line)
        return lines

    def _expected(self, due: Due, row: SessionReading | None, taken: set[uuid.UUID]) -> Line:
        if row is not None:
            return Line(row.pk, due.slot, "done", due=due, row=row)
        slot = free_slot(self.session, due.slot, taken)
        return Line(id_of(self.session, slot), slot, self._when(due), due=due)

    def _when(self, due: Due) -> str:
        if due.at is None:
            return "coming"
        if self.now > due.at + self.grace:
            return "overdue"
        return "due" if self.now >= due.at - self.grace / 3 else "coming"

    def _position(self, line: Line) -> tuple[dt.datetime, int]:
        """By the planned minute where there is one, else by the time of reading."""
        start = self.session.started_at or self.now
        if line.due is not None:
            return start + line.due.minute * MINUTE, 0
        at = line.row.observed_at if line.row is not None else None
        return at or start + _FAR, 1

    def _draft_of(self, line: Line) -> Typed | None:
        draft = self._drafts.get(line.part)
        if draft is None or line.voided:
            return None
        stored = self.texts(line.row)
        fields = {name: str(text) for name, text in draft.fields.items()}
        if "T" in fields.get(TIME, ""):
            fields[TIME] = self._shown(fields[TIME])
        if all(stored.get(name, "") == text for name, text in fields.items()):
            return None
        stale = draft.base_version != line.version
        return Typed(
            stored | fields,
            base=stored,
            version=line.version,
            theirs=stored if stale else {},
            blind=True,
        )

    def _shown(self, iso: str) -> str:
        try:
            return clock(dt.datetime.fromisoformat(iso))
        except ValueError:
            return iso

    def _after(self, moment: dt.datetime | None) -> str:
        """The day of a time, where it is not the day of the sheet."""
        if moment is None or moment.date() == self.day:
            return ""
        return moment.strftime("%m-%d")

    def _fill(self, line: Line) -> None:
        """Everything of the line that follows from its row and from what was typed."""
        stored = self.texts(line.row)
        line.base = (line.typed.theirs or line.typed.base) if line.typed else stored
        texts = line.typed.texts if line.typed else stored
        line.time = texts.get(TIME, "")
        at = line.row.observed_at if line.row else line.due.at if line.due else None
        line.day = self._after(at)
        entered = self._entered.get(str(line.row.pk)) if line.row else None
        if entered is not None and line.row is not None:
            typed_at = entered.astimezone(self.zone).replace(tzinfo=None)
            line.entered_at = shown(typed_at, self.day)
            line.late = at is not None and abs(typed_at - at) > LATE
        line.draw = self._drawn

    def _drawn(self, line: Line) -> SafeString:
        editable = self.editable and not line.voided
        texts = line.typed.texts if line.typed else self.texts(line.row)
        cells = (
            self._cell(column, line, texts).html(str(line.id), editable=editable)
            for column in self.columns
        )
        return format_html_join("", "{}", ((cell,) for cell in cells))

    def _cell(self, column: Column, line: Line, texts: Mapping[str, str]) -> Cell:
        name, row = column.name, line.row
        if column.item.derived:
            text = text_of(row, name, column.item) if row is not None else ""
            return Cell(column, text)
        missing = row.missing.get(name, "") if row is not None else ""
        return Cell(
            column,
            texts.get(name, ""),
            errors=tuple(line.typed.errors.get(name, ())) if line.typed else (),
            theirs=conflict_of(name, line.typed),
            confirmed=row.confirmed.get(name, "") if row is not None else "",
            queried=row is not None and (row.pk, column.item.oid) in self.asked,
            missing=str(MissingReason(missing).label) if missing else "",
        )
