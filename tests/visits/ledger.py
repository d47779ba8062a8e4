"""A study whose clock is put forward from tick to tick, and every mail that left on the way."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.message import Message
from zoneinfo import ZoneInfo

from tests.factories import Cast, as_person, given, make_subject
from tests.notify.sink import Sink
from tests.visits.clock import SHANGHAI, Clock
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, ProtocolVersion, Subject, Visit
from trialsite.casebook.services import (
    add_visit,
    attend_visit,
    give_subject_number,
    lay_out_visits,
    set_day_zero,
)
from trialsite.core.clock import trial_now
from trialsite.notify.delivery import deliver_due
from trialsite.notify.planning import plan_notices
from trialsite.protocol import EventRole
from visits.models import TreatmentSession
from visits.reminders.planning import SESSION_KIND, VISIT_KIND

#: A worker comes by at these times of each day.
TICKS = ("00:05", "07:00", "07:59", "08:00", "08:01", "18:00", "22:30")

#: One reminder as a person reads it: the visit, and what is said of it.
Line = tuple[str, str]


@dataclass(frozen=True)
class Sent:
    """One mail: when it left on the wall's clock, to whom, and what it says."""

    at: str
    to: str
    lines: frozenset[Line]


@dataclass
class Ledger:
    """Walks through a study and writes down each mail."""

    cast: Cast
    clock: Clock
    sink: Sink
    sent: list[Sent] = field(default_factory=list)
    acts: dict[str, list[Callable[[], object]]] = field(default_factory=dict)

    def on(self, moment: str, act: Callable[[], object]) -> None:
        """Something that happens at a moment of the walk."""
        self.acts.setdefault(moment, []).append(act)

    def walk(self, first: str, last: str, ticks: Iterable[str] = TICKS) -> list[Sent]:
        """From day to day; at each tick what happens, then the beat and the worker."""
        day, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
        moments = {each for each in self.acts if each[:10] <= last}
        while day <= end:
            moments |= {f"{day} {tick}" for tick in ticks}
            day += dt.timedelta(days=1)
        for moment in sorted(moments):
            self.clock.put(moment)
            for act in self.acts.pop(moment, ()):
                act()
            self.pass_by(moment)
        return self.sent

    def pass_by(self, moment: str) -> None:
        for kind in (VISIT_KIND, SESSION_KIND):
            plan_notices(trial_now(), kind=kind)
        deliver_due()
        self.collect(moment)

    def collect(self, moment: str) -> None:
        for mail in self.sink.arrived:
            lines = frozenset(lines_of(text_of(mail)))
            self.sent.append(Sent(moment, str(mail["To"]), lines))
        self.sink.arrived.clear()

    def to(self, person: User) -> list[tuple[str, frozenset[Line]]]:
        return [(mail.at, mail.lines) for mail in self.sent if mail.to == person.email]


def text_of(mail: Message) -> str:
    """The words of a mail as they arrived."""
    content = mail.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode().replace("\r\n", "\n")


def lines_of(body: str) -> list[Line]:
    """What a mail says, alone or in a digest."""
    merged = re.findall(r"^- \S+ · (.+?) · (.+?)(?: · .*)?$", body, re.MULTILINE)
    if merged:
        return merged
    what = body.split("\n\n")[1].rstrip(".")
    visit = re.search(r"^Visit: (.+)$", body, re.MULTILINE)
    session = re.search(r"^Session: (\d+)", body, re.MULTILINE)
    if visit:
        return [(visit[1], what)]
    assert session, body
    return [(f"Session {session[1]}", what)]


@dataclass
class Course:
    """One subject and what its nurse does."""

    nurse: User
    subject: Subject

    @classmethod
    def begin(
        cls, cast: Cast, site: Site | None = None, version: ProtocolVersion | None = None
    ) -> Course:
        """Enrolled and laid out, without day zero."""
        site = site or cast.site
        nurse = cast.nurse if site == cast.site else cast.stranger
        fields = {"protocol_version": version} if version else {}
        subject = make_subject(site, consent_state="given", **fields)
        with as_person(nurse):
            give_subject_number(subject=subject, by=nurse)
            lay_out_visits(subject=subject, by=nurse)
        return cls(nurse, subject)

    def visit(self, name: str) -> Visit:
        """The visit with this end of its identifier."""
        with as_person(self.nurse):
            return Visit.objects.select_related("subject__site").get(
                subject=self.subject, event_oid=f"SE.{name}"
            )

    def anchor(self, day: str | None) -> None:
        with as_person(self.nurse):
            on = dt.date.fromisoformat(day) if day else None
            set_day_zero(
                subject=self.subject, day_zero=on, by=self.nurse, reason="As the session says."
            )

    def attend(self, name: str, on: str) -> None:
        with as_person(self.nurse):
            attend_visit(visit=self.visit(name), on=dt.date.fromisoformat(on), by=self.nurse)

    def session_ended(self, started: str, ended: str) -> TreatmentSession:
        """A session that went from start to end, entered now."""
        begin, end = dt.datetime.fromisoformat(started), dt.datetime.fromisoformat(ended)
        with as_person(self.nurse):
            visit = add_visit(
                subject=self.subject, role=EventRole.TREATMENT, on=begin.date(), by=self.nurse
            )
            attend_visit(visit=visit, on=begin.date(), by=self.nurse)
        return a_session(self, visit, begin, end)


@given
def a_session(
    course: Course, visit: Visit, begin: dt.datetime, end: dt.datetime
) -> TreatmentSession:
    record = CrfRecord.objects.get(visit=visit, form_oid="F.TX")
    return TreatmentSession.objects.create(
        record=record,
        site_id=record.site_id,
        subject=course.subject,
        number=visit.repeat_key,
        modality=["PE"],
        planned_minutes=180,
        started_at=begin,
        ended_at=end,
        stop_reason="COMPLETED",
        time_zone=str(SHANGHAI),
        operator=course.nurse,
        second_checker=course.nurse,
        physician=course.nurse,
        distinct_people=1,
        planned_at=trial_now(),
    )


def at(moment: str, zone: ZoneInfo = SHANGHAI) -> dt.datetime:
    return dt.datetime.fromisoformat(moment).replace(tzinfo=zone)
