"""Everything the run sheet of one session shows, read once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core.clock import trial_now
from trialsite.core.units import unit_label
from trialsite.crf.items import all_items_of, items_of
from trialsite.crf.judging import unconfirmed
from trialsite.crf.models import CrfRow
from trialsite.crf.pages import as_read, queries_of
from trialsite.crf.registry import form
from trialsite.review.models import Query
from visits.effective import Minutes, minutes_between
from visits.models import (
    Complication,
    EventLook,
    IntegrityTest,
    Interruption,
    SessionEnd,
    SessionPreparation,
    SessionReading,
    TreatmentSession,
)
from visits.models.session_codes import InterruptionReason, State
from visits.reminders.standing import steps_of_session
from visits.runsheet.acts import SheetActs
from visits.runsheet.chart import Chart, Happening, chart_of
from visits.runsheet.columns import SHORT
from visits.runsheet.forms import ActForm
from visits.runsheet.grid import Grid
from visits.runsheet.parts import Asked, CheckLine, RowRead
from visits.runsheet.times import shown
from visits.selectors.readiness import Readiness, readiness
from visits.services.checklist import Question, questions_of
from visits.views.session_product import SessionProduct, session_product


class RunSheet(SheetActs):
    """The page of one session for one person."""

    def __init__(
        self,
        session: TreatmentSession,
        user: User,
        *,
        refused: ActForm | None = None,
        checklist_typed: Mapping[str, tuple[bool, str]] | None = None,
        now: dt.datetime | None = None,
    ) -> None:
        self.checklist_typed = checklist_typed or {}
        self.session, self.user, self.refused = session, user, refused
        self.record: CrfRecord = session.record
        self.moment = now or trial_now()
        self.zone = ZoneInfo(session.time_zone)
        self.now = self.moment.astimezone(self.zone).replace(tzinfo=None)
        self.may_enter = (
            user.can(Capability.ENTER_DATA, site=session.site_id) and not self.record.is_closed
        )
        self.may_override = self.may_enter and user.can(Capability.SIGN_FORM, site=session.site_id)

    # ---- where it stands

    @property
    def state(self) -> State:
        return self.session.state

    @property
    def day(self) -> dt.date:
        return (self.session.started_at or self.now).date()

    @property
    def near(self) -> dt.datetime:
        """The moment near which a clock without a day is meant: now, or the end long past."""
        ended: dt.datetime | None = self.session.ended_at
        if ended is not None and self.now - ended > dt.timedelta(hours=12):
            return ended
        return self.now

    def clock(self, moment: dt.datetime | None) -> str:
        """A time of this session as the sheet writes it."""
        return shown(moment, self.day)

    @cached_property
    def minutes(self) -> Minutes:
        """As they are; while it runs, as they are by now."""
        session, running = self.session, self.state == State.RUNNING
        pauses = [(r.off_at, r.on_at) for r in self.interruptions if r.off_at is not None]
        cells_off = session.cells_off_at or (self.now if running and session.cells_on_at else None)
        return minutes_between(
            zone=session.time_zone,
            started_at=session.started_at,
            cells_on_at=session.cells_on_at,
            cells_off_at=cells_off,
            ended_at=session.ended_at or (self.now if running else None),
            interruptions=pauses,
        )

    @property
    def effective(self) -> str:
        return _hours(self.minutes.effective)

    @property
    def circuit(self) -> str:
        return _hours(self.minutes.circuit)

    @property
    def contact(self) -> str:
        return _hours(self.minutes.contact)

    @property
    def prescribed(self) -> str:
        return _hours(Decimal(self.session.planned_minutes))

    @cached_property
    def standing_still(self) -> Interruption | None:
        """The interruption that has not ended."""
        return next((r for r in self.interruptions if r.on_at is None and r.off_at), None)

    @property
    def still_since(self) -> str:
        return self.clock(self.standing_still.off_at) if self.standing_still else ""

    @property
    def step(self) -> str:
        """Which step of the paper comes next; the page opens it."""
        session = self.session
        if session.state == State.PREPARED:
            return "checklist" if self.unanswered else "start"
        if session.state == State.RUNNING:
            return "readings" if session.cells_on_at or not self.has_cells else "cells-on"
        return "end"

    @property
    def has_cells(self) -> bool:
        return "REACTOR" in self.session.modality

    # ---- its parts

    @cached_property
    def looks(self) -> list[EventLook]:
        """Who has looked for adverse events after it, and what that came to."""
        return list(self.session.looks.select_related("looked_by", "voided_by"))

    @property
    def standing_looks(self) -> list[EventLook]:
        return [each for each in self.looks if each.voided_at is None]

    @property
    def looks_asked(self) -> list[dt.datetime]:
        """When the protocol asks for a look that nobody has stated, on the site's clock."""
        last = max((each.looked_at for each in self.standing_looks), default=None)
        steps = steps_of_session(self.session, last)
        return [step.at.astimezone(self.zone) for step in steps]

    @cached_property
    def readiness(self) -> Readiness:
        return readiness(self.session.subject, now=self.moment, session=self.session)

    @cached_property
    def questions(self) -> list[Question]:
        return questions_of(self.session)

    @property
    def checklist(self) -> list[CheckLine]:
        found = []
        for each in self.questions:
            stands = each.answer
            said = "" if stands is None else "yes" if stands.answer else "no"
            why = stands.reason if stands else ""
            if each.key in self.checklist_typed:
                answer, why = self.checklist_typed[each.key]
                said = "yes" if answer else "no"
            found.append(CheckLine(each.key, each.title, said, why, stands))
        return found

    @cached_property
    def product(self) -> SessionProduct:
        return session_product(self.session, self.user)

    @property
    def stops(self) -> list[tuple[str, str]]:
        """Why a circuit may have stood still."""
        return [(str(code), str(word)) for code, word in InterruptionReason.choices]

    @property
    def unanswered(self) -> int:
        return sum(question.answer is None for question in self.questions)

    @cached_property
    def queries(self) -> list[Query]:
        return queries_of(self.record, form(self.record.form_oid))

    @cached_property
    def grid(self) -> Grid:
        return Grid(
            self.session,
            self.user,
            now=self.moment,
            editable=self.may_enter,
            queries=self.queries,
        )

    @cached_property
    def interruptions(self) -> list[Interruption]:
        return list(_standing(Interruption, self.record))

    @cached_property
    def complications(self) -> list[Complication]:
        return list(_standing(Complication, self.record))

    @cached_property
    def tests(self) -> list[IntegrityTest]:
        return list(_standing(IntegrityTest, self.record))

    def read(self, rows: Sequence[CrfRow]) -> list[RowRead]:
        """Rows in words, without what is empty."""
        return [RowRead(row, tuple(self._pairs(row))) for row in rows]

    def _pairs(self, row: CrfRow) -> list[tuple[str, str]]:
        found = []
        for name, item in all_items_of(type(row)).items():
            value = getattr(row, name)
            if value is None:
                continue
            text = self.clock(value) if item.data_type == "datetime" else as_read(row, name, item)
            found.append((item.label, text))
        return found

    @property
    def interruption_rows(self) -> list[RowRead]:
        return self.read(self.interruptions)

    @property
    def complication_rows(self) -> list[RowRead]:
        return self.read(self.complications)

    @property
    def test_rows(self) -> list[RowRead]:
        return self.read(self.tests)

    @cached_property
    def companions(self) -> Mapping[str, CrfRecord]:
        """The engine's forms of this session's visit, by form."""
        wanted = (SessionPreparation.form_oid, SessionEnd.form_oid)
        visit = self.record.visit
        if visit is None:
            return {}
        records = CrfRecord.objects.standing().filter(visit=visit, form_oid__in=wanted)
        return {each.form_oid: each for each in records}

    @property
    def preparation(self) -> CrfRecord | None:
        return self.companions.get(SessionPreparation.form_oid)

    @property
    def closing(self) -> CrfRecord | None:
        return self.companions.get(SessionEnd.form_oid)

    @cached_property
    def preparation_pairs(self) -> list[tuple[str, str]]:
        """What the preparation says, in one line."""
        if self.preparation is None or not self.preparation.version:
            return []
        row = SessionPreparation.objects.filter(pk=self.preparation.pk).first()
        if row is None:
            return []
        return [
            (item.label, f"{as_read(row, name, item)} {unit_label(item.unit)}".strip())
            for name, item in items_of(SessionPreparation).items()
            if getattr(row, name) is not None
        ]

    @cached_property
    def to_confirm(self) -> list[Asked]:
        """Values outside the plausible range that nobody has confirmed yet (decisions C1)."""
        found = []
        items = all_items_of(SessionReading)
        for row in self.grid.standing:
            for name in unconfirmed(row, self.record.protocol_version_id):
                item = items[name]
                found.append(
                    Asked(
                        key=f"{row.pk}.{name}",
                        number=row.number,
                        at=self.clock(row.observed_at),
                        label=item.label,
                        text=as_read(row, name, item),
                        unit=unit_label(item.unit),
                    )
                )
        return found

    # ---- the chart

    @cached_property
    def chart(self) -> Chart | None:
        labels = all_items_of(SessionReading)
        return chart_of(
            self.grid.standing,
            self._happenings(),
            start=self.session.started_at,
            names={name: labels[name].label for name in SHORT},
            titles={
                "pressures": (_("Circuit pressures"), "mmHg"),
                "flows": (_("Flows"), "mL/min"),
                "circulation": (_("Circulation"), _("mmHg, /min")),
            },
        )

    def _happenings(self) -> list[Happening]:
        session, found = self.session, []
        marks = (
            ("start", _("start"), session.started_at),
            ("cells", _("cells on"), session.cells_on_at),
            ("cells", _("cells off"), session.cells_off_at),
            ("end", _("end"), session.ended_at),
        )
        found += [Happening(kind, word, at) for kind, word, at in marks if at is not None]
        found += [
            Happening("still", _("off"), r.off_at, r.on_at or session.ended_at or self.now)
            for r in self.interruptions
            if r.off_at is not None
        ]
        found += [
            Happening("trouble", str(r.get_code_display()), r.onset_at)
            for r in self.complications
            if r.onset_at is not None and r.code
        ]
        return found


def _standing(table: type[CrfRow], record: CrfRecord) -> Any:
    return table.objects.filter(record=record, voided_at=None).order_by("number")


def _hours(minutes: Decimal | None) -> str:
    """Hours and minutes."""
    if minutes is None:
        return "–"
    hours, rest = divmod(int(minutes), 60)
    return f"{hours}:{rest:02d}"
