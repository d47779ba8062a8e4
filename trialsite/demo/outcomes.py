"""How it went on with some of the invented participants: a transplantation, a telephone call
after a missed visit, a withdrawal from treatment, somebody who is not found, and a death."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from outcomes.models import (
    ContactAttempt,
    Death,
    Disposition,
    SurvivalContact,
    Transplantation,
)
from outcomes.services.deaths import open_death
from outcomes.services.dispositions import open_disposition
from outcomes.services.survival import start_contact
from outcomes.services.transplants import open_transplantation
from screening.models.consent import Scope, Signer
from screening.services.capacity import withdraw_consent
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf, save_row
from trialsite.demo.clock import on_day

#: Day zero of whom each befalls, counted from today (`trialsite.demo.study.COURSE`).
CALLED, TRANSPLANTED, WITHDREW, LOST, DIED = -57, -29, -14, -34, -45


@dataclass(frozen=True, slots=True)
class _One:
    """A participant, and who enters what befalls them."""

    subject: Subject
    nurse: User
    zero: int

    @contextmanager
    def on(self, day: int, *, hour: int = 10) -> Iterator[dt.date]:
        """The nurse at work on that day, counted from day zero."""
        zone = self.subject.site.time_zone
        with (
            on_day(self.zero + day, zone, hour=hour),
            acting(context_of(self.nurse, Channel.COMMAND)),
        ):
            yield trial_today(zone)

    def save(self, record: CrfRecord, table: type[CrfData], texts: Mapping[str, str]) -> None:
        record.refresh_from_db()
        save_crf(
            record=record,
            entry=read_texts(table, texts),
            by=self.nurse,
            base_version=record.version,
            complete=True,
        )


def tell_outcomes(people: Mapping[str, User]) -> None:
    """What befell the participants after what the schedule asked of them."""
    _call(_one(people, CALLED, "nurse-b"))
    _transplant(_one(people, TRANSPLANTED, "nurse"))
    _withdraw(_one(people, WITHDREW, "nurse"))
    _look_for(_one(people, LOST, "nurse-c"))
    _die(_one(people, DIED, "nurse-b"))


def _one(people: Mapping[str, User], zero: int, nurse: str) -> _One:
    who = people[nurse]
    with acting(context_of(who, Channel.COMMAND)):
        for subject in Subject.objects.visible_to(who).select_related("site"):
            if subject.day_zero == trial_today(subject.site.time_zone) + dt.timedelta(days=zero):
                return _One(subject, who, zero)
    message = f"nobody was first treated on day {zero}"
    raise LookupError(message)


def _call(one: _One) -> None:
    """Day 14 was missed in the snow; the family answers two days later."""
    with one.on(16) as today:
        missed = one.subject.visits.filter(status="missed").first()
        assert missed is not None
        record = start_contact(subject=one.subject, stands_for=missed, by=one.nurse)
        _attempt(one, record, "NO ANSWER", minutes=90)
        _attempt(one, record, "REACHED", minutes=5)
        told = {
            "contact_on": today.isoformat(),
            "mode": "TELEPHONE CALL",
            "informant": "FAMILY",
            "status": "ALIVE",
            "last_alive_on": today.isoformat(),
            "last_alive_source": "FAMILY",
            "transplanted_since": "false",
            "remarks": "At home, eats, snow on the pass (SYNTHETIC)",
        }
        one.save(record, SurvivalContact, told)


def _transplant(one: _One) -> None:
    """Bilirubin does not fall: evaluated, listed, and transplanted in the fourth week."""
    with one.on(24) as today:
        ago = {days: (today - dt.timedelta(days=days)).isoformat() for days in (1, 6, 10)}
        record = open_transplantation(subject=one.subject, by=one.nurse)
        told = {
            "evaluated_on": ago[10],
            "suitability": "SUITABLE",
            "listed_on": ago[6],
            "list_status": "SUPER-URGENT",
            "transplanted_on": ago[1],
            "hospital": "Harbour Light Hospital (SYNTHETIC)",
            "donor": "DBD",
            "indication": "LIVER FAILURE",
            "graft_seen_on": today.isoformat(),
            "graft_function": "GOOD",
        }
        one.save(record, Transplantation, told)


def _withdraw(one: _One) -> None:
    """No more treatments are wanted; visits and survival go on."""
    with one.on(6) as today:
        wall = dt.datetime.combine(today, dt.time(9))
        withdraw_consent(
            subject=one.subject,
            withdrawn_at=wall,
            scopes=[Scope.TREATMENT],
            stated_by=Signer.PARTICIPANT,
            reason="Wishes no further session (SYNTHETIC)",
            by=one.nurse,
        )
        record = open_disposition(subject=one.subject, scope="TREATMENT", by=one.nurse)
        told = {
            "scope": "TREATMENT",
            "ended_on": today.isoformat(),
            "reason": "WITHDRAWAL BY SUBJECT",
        }
        one.save(record, Disposition, told)


def _look_for(one: _One) -> None:
    """Discharged on day 6 and not found since: nobody has decided yet."""
    record = None
    for day, result in ((17, "NO ANSWER"), (20, "MESSAGE LEFT"), (27, "NO ANSWER")):
        with one.on(day):
            if record is None:
                milestone = _last_past(one)
                record = start_contact(subject=one.subject, stands_for=milestone, by=one.nurse)
            _attempt(one, record, result)


def _last_past(one: _One) -> Visit | None:
    """The last planned visit whose window has gone by."""
    today = trial_today(one.subject.site.time_zone)
    past = one.subject.visits.filter(last_day__lt=today, status="planned")
    return past.order_by("last_day").last()


def _die(one: _One) -> None:
    """Sepsis in the second week; the ward tells on the same day."""
    with one.on(9, hour=17) as today:
        record = open_death(subject=one.subject, by=one.nurse)
        told = {
            "died_on": today.isoformat(),
            "died_time": "14:20",
            "cause": "INFECTION",
            "cause_in_words": "Sepsis, multi-organ failure (SYNTHETIC)",
            "related_cells": "NOT RELATED",
            "related_circuit": "UNLIKELY",
            "related_anticoagulant": "NOT RELATED",
            "autopsy": "false",
            "source": "HOSPITAL",
            "document": "Ward record (SYNTHETIC)",
        }
        one.save(record, Death, told)
    for scope in ("TREATMENT", "STUDY"):
        with one.on(10) as today:
            ended = {
                "scope": scope,
                "ended_on": (today - dt.timedelta(days=1)).isoformat(),
                "reason": "DEATH",
            }
            record = open_disposition(subject=one.subject, scope=scope, by=one.nurse)
            one.save(record, Disposition, ended)


def _attempt(one: _One, record: CrfRecord, result: str, *, minutes: int = 30) -> None:
    zone = one.subject.site.time_zone
    at = trial_now().astimezone(ZoneInfo(zone)) - dt.timedelta(minutes=minutes)
    record.refresh_from_db()
    texts = {
        "attempted_at": at.strftime("%Y-%m-%dT%H:%M"),
        "way": "TELEPHONE CALL",
        "result": result,
        "made_by": one.nurse.full_name,
    }
    entry = read_texts(ContactAttempt, texts)
    save_row(record=record, group=ContactAttempt, entry=entry, by=one.nurse)
