"""Treatment sessions of the demonstration: run at the bedside, hour by hour."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from outcomes.models import AdverseEvent
from outcomes.services.adverse_events import record_from_complication
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import Subject, Visit
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfRow
from trialsite.crf.rows import add_rows
from trialsite.crf.services import save_crf, save_row
from trialsite.demo.clock import clock_shifted
from trialsite.demo.forms import Patient, fill_visit
from trialsite.demo.product import IN_USE
from visits.models import (
    Complication,
    IntegrityTest,
    Interruption,
    SessionReading,
    TreatmentSession,
)
from visits.models.session_codes import Modality, StopReason
from visits.services.checklist import Answer, answer_checklist, questions_of
from visits.services.products.loading import LoadFacts, load_product
from visits.services.sessions import (
    cells_on,
    complete_session,
    end_session,
    plan_session,
    start_session,
)

HOURS = 6
_WALL = "%Y-%m-%dT%H:%M"
#: Minutes after the start at which somebody reads.
_READ_AT = (0, 30, 60, 120, 180, 240, 300, 330, 360)
#: And at which there is a hand free to type.
_TYPED_AT = (120, 360)


@dataclass(frozen=True, slots=True)
class Team:
    """Who treats at a site."""

    nurse: User
    second: User
    physician: User


@contextmanager
def _at(wall: dt.datetime, zone: str) -> Iterator[None]:
    """Let it be this time on the clock of a site, never later than it is."""
    now = trial_now()
    with clock_shifted(min(wall.replace(tzinfo=ZoneInfo(zone)) - now, dt.timedelta())):
        yield


@dataclass(slots=True)
class Bedside:
    """One session as it is entered: the clock stands at each act's own time."""

    subject: Subject
    team: Team
    patient: Patient
    began: dt.datetime
    session: TreatmentSession | None = None

    @property
    def chance(self) -> random.Random:
        return self.patient.chance

    @property
    def zone(self) -> str:
        return self.subject.site.time_zone

    @contextmanager
    def at(self, minutes: int) -> Iterator[dt.datetime]:
        """The nurse at the bedside, so many minutes after the circuit started."""
        wall = self.began + dt.timedelta(minutes=minutes)
        with _at(wall, self.zone), acting(context_of(self.team.nurse, Channel.COMMAND)):
            yield wall

    def here(self) -> TreatmentSession:
        assert self.session is not None
        self.session.refresh_from_db()
        return self.session

    def row(self, group: type[CrfRow], texts: dict[str, str]) -> CrfRow:
        saved = save_row(
            record=self.here().record,
            group=group,
            entry=read_texts(group, texts),
            by=self.team.nurse,
        )
        assert isinstance(saved.row, group)
        return saved.row


def prepare(bedside: Bedside) -> TreatmentSession:
    """An hour before: session planned, circuit described, checklist gone through."""
    with bedside.at(-60):
        session = plan_session(
            subject=bedside.subject,
            by=bedside.team.nurse,
            planned_minutes=HOURS * 60,
            modality=[Modality.REACTOR, Modality.PE],
        )
        bedside.session = session
    with bedside.at(-45):
        keys = [question.key for question in questions_of(session)]
        answer_checklist(
            session=session,
            answers={key: Answer(answer=True) for key in keys},
            by=bedside.team.nurse,
        )
        bedside.row(IntegrityTest, _tested(bedside.began, -50, "BEFORE", "PRESSURE_HOLD"))
    return session


def load(bedside: Bedside, serial: str) -> None:
    """Cells thawed and loaded, checked by a second person."""
    with bedside.at(-10):
        load_product(
            session=bedside.here(),
            lot_code=IN_USE,
            facts=LoadFacts(
                reactor_serial=serial,
                viable_cells=Decimal(500),
                prescribed_cells=Decimal(500),
                viability_thawed=Decimal("91.5"),
                viability_loaded=Decimal("90.2"),
                thaw_started_at=bedside.began - dt.timedelta(minutes=55),
                thaw_ended_at=bedside.began - dt.timedelta(minutes=40),
                loaded_at=bedside.began - dt.timedelta(minutes=20),
                loaded_by=bedside.team.nurse,
                checked_by=bedside.team.second,
                washed=True,
            ),
            by=bedside.team.nurse,
        )


def start(bedside: Bedside) -> None:
    """The circuit runs, then the cells."""
    with bedside.at(0) as wall:
        start_session(
            session=bedside.here(),
            started_at=wall,
            operator=bedside.team.nurse,
            second_checker=bedside.team.second,
            physician=bedside.team.physician,
            by=bedside.team.nurse,
        )
    with bedside.at(15) as wall:
        cells_on(session=bedside.here(), at=wall, by=bedside.team.nurse)


def read(bedside: Bedside, *, until: int, low_at: int | None = None) -> None:
    """Readings as the protocol asks for, closer at both ends; at one the pressure is low.

    They are written down at the bedside and typed in when there is a hand free.
    """
    done = -1
    for typed in _TYPED_AT:
        minutes = [each for each in _READ_AT if done < each <= min(typed, until)]
        done = typed
        if minutes:
            with bedside.at(min(typed, until)):
                add_rows(
                    record=bedside.here().record,
                    group=SessionReading,
                    entries=[
                        read_texts(SessionReading, _line(bedside, each, low=each == low_at))
                        for each in minutes
                    ],
                    by=bedside.team.nurse,
                )


def _line(bedside: Bedside, minute: int, *, low: bool) -> dict[str, str]:
    at = (bedside.began + dt.timedelta(minutes=minute)).strftime(_WALL)
    return reading(bedside.chance, low=low) | {"observed_at": at, "planned_minute": str(minute)}


def run(bedside: Bedside, serial: str, *, troubled: bool = False) -> TreatmentSession:
    """A whole session of six hours; a troubled one stands still twice and has a hypotension."""
    prepare(bedside)
    load(bedside, serial)
    start(bedside)
    read(bedside, until=HOURS * 60, low_at=180 if troubled else None)
    if troubled:
        _trouble(bedside)
    last = HOURS * 60
    with bedside.at(last) as wall:
        end_session(
            session=bedside.here(),
            ended_at=wall,
            cells_off_at=wall - dt.timedelta(minutes=10),
            stop_reason=StopReason.COMPLETED,
            by=bedside.team.nurse,
        )
    with bedside.at(last + 25):
        bedside.row(IntegrityTest, _tested(bedside.began, last + 20, "AFTER", "POST_USE"))
        session = bedside.here()
        visit = Visit.objects.get(records=session.record)
        fill_visit(visit=visit, by=bedside.team.nurse, patient=bedside.patient)
        return complete_session(session=session, by=bedside.team.nurse)


def _trouble(bedside: Bedside) -> None:
    """The pressure falls, the circuit stands; later the bag is changed."""
    pauses = ((180, 205, "HYPOTENSION", "250 mL crystalloid"), (285, 295, "BAG", ""))
    for off, on, why, done in pauses:
        with bedside.at(on):
            bedside.row(
                Interruption,
                {
                    "off_at": (bedside.began + dt.timedelta(minutes=off)).strftime(_WALL),
                    "on_at": (bedside.began + dt.timedelta(minutes=on)).strftime(_WALL),
                    "reason": why,
                    "action": f"{done} (SYNTHETIC)".strip(),
                },
            )
    with bedside.at(210):
        complication = bedside.row(
            Complication,
            {
                "code": "HYPOTENSION",
                "onset_at": (bedside.began + dt.timedelta(minutes=180)).strftime(_WALL),
                "severity": "MODERATE",
                "comment": "SYNTHETIC",
            },
        )
        assert isinstance(complication, Complication)
        record = record_from_complication(complication=complication, by=bedside.team.nurse)
    with bedside.at(240) as wall:
        record.refresh_from_db()
        save_crf(
            record=record,
            entry=read_texts(AdverseEvent, _hypotension(bedside.began, wall)),
            by=bedside.team.nurse,
            base_version=record.version,
            complete=True,
        )


def _hypotension(began: dt.datetime, now: dt.datetime) -> dict[str, str]:
    onset = began + dt.timedelta(minutes=180)
    return {
        "term": "Hypotension (SYNTHETIC)",
        "description": "MAP 58 for a quarter of an hour; fluids; recovered (SYNTHETIC)",
        "started_on": onset.date().isoformat(),
        "started_time": onset.strftime("%H:%M"),
        "ongoing": "false",
        "ended_on": onset.date().isoformat(),
        "ended_time": (now - dt.timedelta(minutes=40)).strftime("%H:%M"),
        "grade": "2",
        "serious": "false",
        "related_cells": "UNLIKELY",
        "related_circuit": "PROBABLE",
        "related_anticoagulant": "NOT RELATED",
        "related_procedure": "NOT RELATED",
        "related_disease": "POSSIBLE",
        "special_interest": "NONE",
        "pattern": "SINGLE",
        "action": "DRUG INTERRUPTED",
        "action_device": "INTERRUPTED",
        "outcome": "RECOVERED/RESOLVED",
    }


def _tested(began: dt.datetime, minutes: int, stage: str, method: str) -> dict[str, str]:
    at = began + dt.timedelta(minutes=minutes)
    return {
        "stage": stage,
        "method": method,
        "tested_at": at.strftime(_WALL),
        "result": "PASS",
    }


def reading(chance: random.Random, *, low: bool = False) -> dict[str, str]:
    """A plausible line of the grid; with a low one the pressures of the circuit fall too."""
    systolic = round(chance.gauss(82 if low else 114, 3 if low else 5))
    returning = round(chance.gauss(82, 6))
    return {
        "systolic": str(systolic),
        "diastolic": str(round(systolic * (0.55 if low else 0.6))),
        "heart_rate": str(round(chance.gauss(112 if low else 86, 4))),
        "respiratory_rate": str(round(chance.gauss(18, 1.5))),
        "oxygen_saturation": str(min(100, round(chance.gauss(97, 0.8)))),
        "temperature": str(round(chance.gauss(36.8, 0.15), 1)),
        "gcs": "15",
        "west_haven": "0",
        "blood_flow": "80" if low else str(round(chance.gauss(120, 2))),
        "plasma_flow": "0" if low else str(round(chance.gauss(22, 0.6))),
        "reactor_flow": "100" if low else str(round(chance.gauss(150, 4))),
        "access_pressure": str(round(chance.gauss(-88, 7))),
        "return_pressure": str(returning),
        "prefilter_pressure": str(returning + round(chance.gauss(68, 5))),
        "effluent_pressure": str(round(chance.gauss(80, 4))),
        "plasma_colour": "0",
    }
