"""One invented participant's way through the study, one entry after the other.

A life says on which day, at which hour something is entered next; the study lives all of
them through at once, in the order of the days (`trialsite.demo.study`). What lies in the
future does not happen.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from screening.models.log import Outcome, ScreeningEntry
from screening.services.enrolment import enrol_subject
from screening.services.log import close_entry, screen_fail
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject, Visit, VisitMode, VisitStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.services import save_draft
from trialsite.demo.cast import Study
from trialsite.demo.clock import just_now
from trialsite.demo.coding import look_after
from trialsite.demo.consent import consent_of
from trialsite.demo.eligibility import decide
from trialsite.demo.events import EVENTS
from trialsite.demo.forms import Patient, fill_visit, give_medicines
from trialsite.demo.labs import draw_at, enter_ward_draw, give_earlier_exchange
from trialsite.demo.log import enter
from trialsite.demo.outcomes import OUTCOMES
from trialsite.demo.persons import Person
from trialsite.demo.safety import SERIOUS
from trialsite.demo.samples import FREEZER_CAME, collect
from trialsite.demo.treatment import Bedside, load, prepare, read, run, start
from trialsite.protocol import EventRole
from visits.models import VitalSigns
from visits.services.visits import attend, miss

#: Days from today, and the hour: when the next entry is made.
When = tuple[int, int]

#: How late a late visit is: beyond every window of a fortnight's visit.
_LATE = 3
_FIRST_THING, _MORNING, _AFTERNOON, _EVENING = 8, 9, 15, 17


@dataclass(slots=True)
class Life:
    """One person, as far as they have come."""

    study: Study
    person: Person
    chance: random.Random
    subject: Subject | None = None

    @property
    def nurse(self) -> User:
        return self.study.people[self.person.nurse]

    @property
    def zone(self) -> str:
        return self.study.sites[self.person.site].time_zone

    @property
    def participant(self) -> Subject:
        assert self.subject is not None
        return self.subject

    def patient(self, day: float) -> Patient:
        """Who they are at a visit of that day, counted from day zero."""
        person = self.person
        return Patient(
            chance=self.chance,
            sex=person.sex,
            age=person.age,
            weight=person.weight,
            severity=person.illness.severity(day),
            says=person.says if day < 0 else {},
        )


def live(study: Study, person: Person) -> Iterator[When]:
    """The whole way: first contact, consent, decision, visits, treatments, what befalls."""
    life = Life(study, person, study.chance(person.key))
    zero = person.zero
    yield zero - 1, _MORNING
    entry = _consent(life)
    yield zero - 1, _AFTERNOON
    _screen(life)
    if person.withdrew:
        yield zero, _MORNING
        _go_home(life, entry)
    if not person.decided:
        return
    yield zero, _FIRST_THING
    if not _decide(life, entry):
        return
    for day, hour, happen in _agenda(life):
        yield zero + day, hour
        happen()


def _agenda(life: Life) -> list[tuple[int, int, Callable[[], None]]]:
    """What is to come for somebody enrolled, in order; days count from day zero."""
    person = life.person
    found: list[tuple[int, int, Callable[[], None]]] = [
        (0, _AFTERNOON, partial(_sample, life, EventRole.DAY_ZERO, 0))
    ]
    schedule = protocol_of(life.participant.protocol_version_id).schedule
    for event in schedule.with_role(EventRole.FOLLOW_UP):
        day = event.target_day
        if day is None or not person.is_seen(day):
            continue
        on = day + (_LATE if day in person.late else 0)
        found.append((on, _FIRST_THING, partial(_follow_up, life, event.oid, day)))
        found.append((on, _AFTERNOON, partial(_sample, life, EventRole.FOLLOW_UP, on)))
    for day in person.treated:
        found.append((day, _EVENING, partial(_treat, life, day)))
        found.append((day + 1, _EVENING, partial(_look, life)))
    for told in (OUTCOMES, EVENTS, SERIOUS):
        found += [
            (each.day, each.hour, partial(_befall, life, each.act))
            for each in told.get(person.key, ())
        ]
    return sorted(found, key=lambda entry: entry[:2])


def _consent(life: Life) -> ScreeningEntry:
    """First contact, identifiers and consent, in the morning."""
    person, nurse = life.person, life.nurse
    with acting(context_of(nurse, Channel.COMMAND)):
        site = life.study.sites[person.site]
        entry = enter(site, by=nurse, source=person.source, chance=life.chance)
        subject = consent_of(entry, by=nurse, signer=person.signer)
        life.subject = Subject.objects.select_related("site").get(pk=subject.pk)
        life.study.subjects[person.key] = subject.pk
        return ScreeningEntry.objects.select_related("site", "subject__site").get(pk=entry.pk)


def _screen(life: Life) -> None:
    """The screening visit, the medicines, the ward's plasma exchange of two days ago."""
    subject, nurse = life.participant, life.nurse
    with acting(context_of(nurse, Channel.COMMAND)):
        schedule = protocol_of(subject.protocol_version_id).schedule
        screening = schedule.with_role(EventRole.SCREENING)[0].oid
        _enter_visit(life, screening, -1)
        if life.person.ward_bilirubin is not None:
            visit = subject.visits.get(event_oid=screening)
            bilirubin = life.person.ward_bilirubin
            enter_ward_draw(visit=visit, bilirubin=bilirubin, by=nurse, chance=life.chance)
        give_medicines(subject=subject, by=nurse, chance=life.chance)
        if life.person.exchanged:
            give_earlier_exchange(subject=subject, by=nurse)


def _go_home(life: Life, entry: ScreeningEntry) -> None:
    with acting(context_of(life.nurse, Channel.COMMAND)):
        close_entry(
            entry=entry,
            outcome=Outcome.WITHDREW,
            on=trial_today(life.zone),
            comment="Wishes to go home (SYNTHETIC)",
            by=life.nurse,
        )


def _decide(life: Life, entry: ScreeningEntry) -> bool:
    """Sign what the data say; whoever is eligible is enrolled."""
    nurse, person = life.nurse, life.person
    by = life.study.investigator(person.site)
    decision = decide(life.participant, by=by, against=person.against)
    with acting(context_of(nurse, Channel.COMMAND)):
        if decision.against:
            screen_fail(entry=entry, on=trial_today(life.zone), criteria=decision.against, by=nurse)
            return False
        enrol_subject(subject=life.participant, by=nurse)
        life.subject = Subject.objects.select_related("site").get(pk=life.participant.pk)
        schedule = protocol_of(life.subject.protocol_version_id).schedule
        _enter_visit(life, schedule.with_role(EventRole.DAY_ZERO)[0].oid, 0)
    return True


def _enter_visit(life: Life, event_oid: str, day: int) -> None:
    """A visit attended today, its forms and its draw completed; `day` counts from day zero."""
    subject, nurse = life.participant, life.nurse
    visit = subject.visits.select_related("subject__site", "site").get(event_oid=event_oid)
    attend(visit=visit, on=trial_today(life.zone), mode=VisitMode.WARD, by=nurse)
    fill_visit(visit=visit, by=nurse, patient=life.patient(day))
    draw_at(
        visit=visit,
        by=nurse,
        chance=life.chance,
        day=day,
        illness=life.person.illness,
        also=life.person.also_drawn if day < 0 else (),
    )


def _follow_up(life: Life, event_oid: str, day: int) -> None:
    """A day of the schedule: seen, seen late, missed, or just begun today."""
    person, nurse = life.person, life.nurse
    with acting(context_of(nurse, Channel.COMMAND)):
        if day in person.missed:
            visit = life.participant.visits.get(event_oid=event_oid)
            miss(visit=visit, reason="At home, snow on the pass (SYNTHETIC)", by=nurse)
        elif day == -person.zero:
            _begin_visit(life.participant, nurse, event_oid)
        else:
            _enter_visit(life, event_oid, day)


def _begin_visit(subject: Subject, nurse: User, event_oid: str) -> None:
    """Today's visit is under way: somebody was called away from the bedside."""
    record = CrfRecord.objects.filter(
        visit__subject=subject, visit__event_oid=event_oid, form_oid=VitalSigns.form_oid
    ).first()
    if record is not None:
        save_draft(
            record=record, texts={"systolic": "112", "diastolic": "68"}, by=nurse, base_version=0
        )


def _sample(life: Life, role: EventRole, day: int) -> None:
    """The tubes of a visit, where the site has its freezer by then."""
    bench = life.study.benches.get(life.person.site)
    on = life.person.zero + day
    if bench is None or on < FREEZER_CAME:
        return
    with acting(context_of(bench.technician, Channel.COMMAND)):
        oids = [
            event.oid
            for event in protocol_of(life.participant.protocol_version_id).schedule.with_role(role)
        ]
        visit = (
            Visit.objects.filter(
                subject=life.participant,
                status=VisitStatus.ATTENDED,
                event_oid__in=oids,
                attended_on=trial_today(life.zone),
            )
            .select_related("subject__site", "site")
            .first()
        )
    if visit is not None:
        collect(bench, visit, of_today=on == 0)


def _befall(life: Life, act: Callable[..., None]) -> None:
    act(life.study.one(life.person))


def _look(life: Life) -> None:
    look_after(life.study.one(life.person))


def _treat(life: Life, day: int) -> None:
    """A treatment of that day: over, running just now, or prepared."""
    person, subject = life.person, life.participant
    number = person.treated.index(day) + 1
    serial = f"RX-{subject.number}-{number}"
    bedside = Bedside(
        subject=subject,
        team=life.study.team(person),
        patient=life.patient(day),
        began=just_now(life.zone).replace(hour=10, minute=0),
    )
    if day < -person.zero:
        run(bedside, serial, troubled=person.troubled and day == 0)
    elif day == 0:
        bedside.began = just_now(life.zone)
        prepare(bedside)
    else:
        # Whenever the demonstration is loaded, this one began an hour and a half ago.
        bedside.began = just_now(life.zone) - dt.timedelta(minutes=95)
        prepare(bedside)
        load(bedside, serial)
        start(bedside)
        read(bedside, until=90)
