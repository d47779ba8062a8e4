"""Subjects of a study whose lives are written as people write them, on days after day zero.

Everything goes through the services behind the pages, at the hour at which it was done: the
clock of the trial stands then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from outcomes.models import Disposition, SurvivalContact, Transplantation
from outcomes.services.dispositions import open_disposition
from outcomes.services.survival import start_contact
from outcomes.services.transplants import open_transplantation
from screening.models.consent import Scope
from screening.services.enrolment import enrol_subject
from tests.factories import Cast, as_person, given
from tests.outcomes.conftest import save_death
from tests.screening.consenting import withdraw
from tests.screening.deciding import confirm_all, decide, make_candidate
from tests.visits.clock import Clock
from tests.visits.treating import end, prepared, start
from trialsite.casebook.models import CrfRecord, Subject, Visit, VisitMode
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf
from trialsite.review.models import ConfirmedAssumption
from visits.services.visits import attend

ZONE = ZoneInfo("Asia/Shanghai")
NOON = dt.time(12)


class Life:
    """One subject from enrolment on; `zero` is the day of the first treatment, if there is one."""

    def __init__(self, cast: Cast, clock: Clock, zero: dt.date) -> None:
        self.cast, self.clock, self.zero = cast, clock, zero
        self.subject: Subject

    def now(self, day: float) -> dt.datetime:
        """Let it be noon, or a part of the day after it, on a day counted from day zero."""
        moment = dt.datetime.combine(self.zero, NOON, ZONE) + dt.timedelta(days=day)
        return self.clock.put(moment)

    def date(self, day: int) -> str:
        return (self.zero + dt.timedelta(days=day)).isoformat()

    def enrolled(self) -> Life:
        """Consented, judged eligible, signed and enrolled, on the day before the treatment."""
        self.now(-1)
        candidate = make_candidate(self.cast)
        if not given(ConfirmedAssumption.objects.exists)():
            confirm_all(self.cast)
        decide(self.cast, candidate)
        with as_person(self.cast.nurse):
            self.subject = enrol_subject(subject=candidate, by=self.cast.nurse)
        return self

    def treated(self) -> Life:
        """A session of six hours, from seven in the morning; its date is day zero."""
        self.now(-0.25)
        session = prepared(self.cast, self.subject)
        began = dt.datetime.combine(self.zero, dt.time(7))
        self.now(-0.2)
        session = start(self.cast, session, began)
        self.now(0.1)
        end(self.cast, session, began + dt.timedelta(hours=6))
        given(self.subject.refresh_from_db)()
        assert self.subject.day_zero == self.zero
        return self

    def attended(self, event: str, day: int, mode: str = VisitMode.ON_SITE) -> Life:
        """A visit of the protocol took place."""
        self.now(day)
        with as_person(self.cast.nurse):
            visit = Visit.objects.get(subject=self.subject, event_oid=event)
            on = self.zero + dt.timedelta(days=day)
            attend(visit=visit, on=on, mode=mode, by=self.cast.nurse)
        return self

    def contacted(self, day: int, status: str = "ALIVE", **texts: str) -> Life:
        """A contact about survival, entered on its day."""
        self.now(day)
        said = {"contact_on": self.date(day), "mode": "TELEPHONE CALL", "status": status}
        if status == "ALIVE":
            said |= {
                "informant": "FAMILY",
                "last_alive_on": self.date(day),
                "last_alive_source": "FAMILY",
                "transplanted_since": "false",
            }
        with as_person(self.cast.nurse):
            record = start_contact(subject=self.subject, by=self.cast.nurse)
        self.saved(record, SurvivalContact, said | texts)
        return self

    def died(self, on: int | str, told: int) -> Life:
        """A death, with its date as far as it is known, entered on the day it was told."""
        self.now(told)
        date = self.date(on) if isinstance(on, int) else on
        save_death(self.subject, self.cast.nurse, died_on=date)
        return self

    def transplanted(self, on: int | str, told: int) -> Life:
        self.now(told)
        date = self.date(on) if isinstance(on, int) else on
        with as_person(self.cast.nurse):
            record = open_transplantation(subject=self.subject, by=self.cast.nurse)
        self.saved(record, Transplantation, {"transplanted_on": date})
        return self

    def ended(self, scope: str, reason: str, day: int) -> Life:
        """The treatment or the study ended for the subject."""
        self.now(day)
        with as_person(self.cast.nurse):
            record = open_disposition(subject=self.subject, scope=scope, by=self.cast.nurse)
        texts = {"scope": scope, "reason": reason, "ended_on": self.date(day)}
        self.saved(record, Disposition, texts)
        return self

    def withdrew(self, day: int, *scopes: Scope) -> Life:
        self.now(day)
        withdraw(self.cast, self.subject, *scopes, hours=-1)
        return self

    def saved(self, record: CrfRecord, form: type[CrfData], texts: Mapping[str, Any]) -> None:
        """A form completed as its page completes it."""
        entry = read_texts(form, dict(texts))
        assert not entry.errors, entry.errors
        by = self.cast.nurse
        with as_person(by):
            save_crf(record=record, entry=entry, by=by, base_version=0, complete=True)
