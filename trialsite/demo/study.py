"""The demonstration study: invented sites and subjects, made through the services people use.

Deterministic under its seed, dated relative to today, and SYNTHETIC wherever it says
anything. Its past is made with the trial's clock shifted by the owner (decisions D15).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from screening.models.log import Outcome, ScreeningEntry, Source
from screening.services.enrolment import enrol_subject
from screening.services.log import close_entry, screen_fail
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.casebook.models import ConsentState, CrfRecord, Subject, VisitMode
from trialsite.casebook.protocols import approve_version, protocol_of, register_version
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.registry import forms, items_by_oid
from trialsite.crf.services import save_draft
from trialsite.demo.clock import just_now, on_day
from trialsite.demo.committee import prepare_meeting
from trialsite.demo.consent import (
    attempt_procedure,
    consent_of,
    make_first_documents,
    make_second_document,
)
from trialsite.demo.eligibility import confirm, decide
from trialsite.demo.forms import fill_visit, give_medicines
from trialsite.demo.labs import (
    USUAL,
    Illness,
    draw_at,
    give_earlier_exchange,
    make_laboratories,
)
from trialsite.demo.log import CONSIDERED, Considered, consider, enter
from trialsite.demo.outcomes import tell_outcomes
from trialsite.demo.people import make_people
from trialsite.demo.product import destroy_one, make_lots
from trialsite.demo.safety import report_serious_events
from trialsite.demo.samples import tell_samples
from trialsite.demo.treatment import Bedside, Team, load, prepare, read, run, start
from trialsite.protocol import EventRole
from visits.models import VitalSigns
from visits.services.visits import attend, miss

SEED = 6904755

SITES = {
    "001": ("Harbour Light Hospital (SYNTHETIC)", "港湾之光医院（虚构）", "Asia/Shanghai"),
    "002": ("Plum Valley Hospital (SYNTHETIC)", "梅谷医院（虚构）", "Asia/Shanghai"),
    "003": ("Western Gate Hospital (SYNTHETIC)", "西门医院（虚构）", "Asia/Urumqi"),
}

#: When the study began, and when one site got a second consent document, counted from today.
BEGAN, SECOND_DOCUMENT = -90, -11
#: How late a late visit is: beyond every window of a fortnight's visit.
_LATE = 3


@dataclass(frozen=True, slots=True)
class Person:
    """An invented participant: where, whose, and how far from the first contact to today."""

    site: str
    nurse: str
    #: The day before this one, counted from today, was the screening visit.
    zero: int
    #: Whether an investigator has decided yet; the engine says what.
    decided: bool = True
    illness: Illness = USUAL
    source: Source = Source.WARD
    #: A consented person who goes home before a decision.
    withdrew: bool = False
    #: The ward had exchanged plasma before.
    exchanged: bool = False
    #: Days, from day zero, of the treatments.
    treated: tuple[int, ...] = (0, 2)
    #: Day zero's session stood still twice, with a hypotension.
    troubled: bool = False
    #: Days of the schedule nobody was seen on, as was said; of others nothing was said yet.
    missed: tuple[int, ...] = ()
    forgotten: tuple[int, ...] = ()
    #: Days of the schedule seen so many days late.
    late: tuple[int, ...] = ()
    #: The last day of the schedule on which anything was seen of them.
    until: int | None = None


#: MELD far above the limit; coagulation beyond its range; a value that asks a query; one
#: result not yet there.
KIDNEYS_FAIL = Illness({"BILI": 430, "INR": 2.5, "CREAT": 290, "UREA": 17, "SODIUM": 131})
DOES_NOT_CLOT = Illness({"INR": 3.05, "BILI": 260, "FIBRINO": 0.9})
IRON_IS_HIGH = Illness({"FERRITIN": 24500})
INR_AWAITED = Illness(unknown=("INR",))

COURSE = (
    Person("002", "nurse-b", -57, troubled=True, missed=(14,), treated=(0, 2, 5)),
    Person("002", "nurse-b", -45, until=7),
    Person("003", "nurse-c", -37, illness=KIDNEYS_FAIL, source=Source.REFERRAL),
    Person("003", "nurse-c", -34, until=5),
    Person("001", "nurse", -29, illness=IRON_IS_HIGH, exchanged=True, late=(14,)),
    Person("002", "nurse-b", -22, illness=DOES_NOT_CLOT),
    Person("001", "nurse", -14, forgotten=(7,), treated=(0, 3)),
    Person("001", "nurse2", -8, decided=False, withdrew=True),
    Person("001", "nurse2", -7, source=Source.OUTPATIENT),
    Person("002", "nurse-b", -5, treated=(0, 2, 5)),
    Person("003", "nurse-c", -3, source=Source.REFERRAL),
    Person("001", "nurse", 0),
    Person("001", "nurse", 0, decided=False, illness=INR_AWAITED, exchanged=True),
)


@dataclass(slots=True)
class Study:
    """What the study consists of while it is made."""

    sites: dict[str, Site]
    people: dict[str, User]
    chance: random.Random

    def investigator(self, site: str) -> User:
        """Who decides on eligibility there."""
        return self.people["subi" if site == "001" else "pi"]

    def team(self, person: Person) -> Team:
        """Who treats this person."""
        second = {"nurse": "nurse2", "nurse2": "nurse"}.get(person.nurse, "pi")
        return Team(
            nurse=self.people[person.nurse],
            second=self.people[second],
            physician=self.investigator(person.site),
        )


def make_study() -> None:
    """Sites, people, the log, and participants with what was entered of them up to today."""
    study = _begin()
    history: list[tuple[int, Callable[[], None]]] = [
        (SECOND_DOCUMENT, partial(_second_document, study)),
        *((told.day, partial(_consider, study, told)) for told in CONSIDERED),
        *((person.zero - 1, partial(_live_through, study, person)) for person in COURSE),
    ]
    for _day, happen in sorted(history, key=lambda event: event[0]):
        happen()
    tell_samples(study.sites["001"], study.people)
    tell_outcomes(study.people)
    _prepare_session(study)
    report_serious_events(study.people)
    destroy_one(study.sites["001"], by=study.people["nurse"], witness=study.people["nurse2"])
    prepare_meeting(by=study.people["pi"])


def _begin() -> Study:
    """What stands before anybody is considered: sites, people, protocol, documents, ranges."""
    zone = next(iter(SITES.values()))[2]
    with on_day(BEGAN, zone), acting(system_context("demo", Channel.COMMAND)):
        since = trial_today(zone)
        sites = {
            code: Site.objects.create(code=code, name=name, name_zh=name_zh, time_zone=own)
            for code, (name, name_zh, own) in SITES.items()
        }
        version = register_version(
            Path(settings.PROTOCOL_FILE), known_forms=forms(), known_items=items_by_oid()
        )
        for site in sites.values():
            approve_version(site=site, version=version, effective_on=since)
        people = make_people(sites, since=since)
        make_first_documents(sites.values(), by=people["pi"], since=since)
        make_laboratories(sites.values(), by=people["dm"], since=since, version=version.pk)
        confirm(version, by=people["pi"])
        keepers = {"001": people["nurse"], "002": people["nurse-b"], "003": people["nurse-c"]}
        make_lots(sites.values(), by=people["pi"], keepers=keepers)
    chance = random.Random(SEED)  # noqa: S311  (a demonstration must be repeatable)
    return Study(sites=sites, people=people, chance=chance)


def _second_document(study: Study) -> None:
    site = study.sites["002"]
    with on_day(SECOND_DOCUMENT, site.time_zone):
        make_second_document(site, by=study.people["pi"])


def _prepare_session(study: Study) -> None:
    """A nurse prepares a session for somebody who has to consent again first."""
    nurse = study.people["nurse-b"]
    with acting(context_of(nurse, Channel.COMMAND)):
        for subject in Subject.objects.filter(consent_state=ConsentState.RECONSENT_DUE):
            attempt_procedure(subject, by=nurse)


def _consider(study: Study, told: Considered) -> None:
    site, nurse = study.sites[told.site], study.people[told.nurse]
    with on_day(told.day, site.time_zone), acting(context_of(nurse, Channel.COMMAND)):
        consider(told, site, by=nurse, chance=study.chance)


def _live_through(study: Study, person: Person) -> None:
    """One participant from the screening log to today, entered on the days it happened."""
    entry = _screen(study, person)
    assert entry.subject is not None
    if person.withdrew:
        _withdraw(study, person, entry)
    subject = _decide(study, person, entry) if person.decided else None
    if subject is None:
        return
    schedule = protocol_of(subject.protocol_version_id).schedule
    seen = {
        event.target_day: event.oid
        for event in schedule.with_role(EventRole.FOLLOW_UP)
        if event.target_day is not None
    }
    for day in sorted({*seen, *person.treated}):
        if person.until is not None and day > person.until:
            break
        if day in seen and day not in person.forgotten and day <= -person.zero:
            _follow_up(study, person, subject, seen[day], day)
        if day in person.treated and day <= -person.zero:
            _treat(study, person, subject, day)


def _follow_up(study: Study, person: Person, subject: Subject, event_oid: str, day: int) -> None:
    """A day of the schedule: seen, seen late, missed, or just begun today."""
    nurse, zone = study.people[person.nurse], subject.site.time_zone
    delay = _LATE if day in person.late else 0
    with (
        on_day(person.zero + day + delay, zone, hour=8),
        acting(context_of(nurse, Channel.COMMAND)),
    ):
        if day in person.missed:
            visit = subject.visits.get(event_oid=event_oid)
            miss(visit=visit, reason="At home, snow on the pass (SYNTHETIC)", by=nurse)
        elif day == -person.zero:
            _begin_visit(subject, nurse, event_oid)
        else:
            _enter_visit(study, person, subject, event_oid, day)


def _treat(study: Study, person: Person, subject: Subject, day: int) -> None:
    """A treatment of that day: over, running just now, or prepared."""
    number = person.treated.index(day) + 1
    serial = f"RX-{subject.number}-{number}"
    zone = subject.site.time_zone
    today = just_now(zone)
    bedside = Bedside(
        subject=subject,
        team=study.team(person),
        chance=study.chance,
        began=today.replace(hour=10, minute=0) + dt.timedelta(days=person.zero + day),
    )
    if day < -person.zero:
        run(bedside, serial, troubled=person.troubled and day == 0)
    elif day == 0:
        bedside.began = today
        prepare(bedside)
    else:
        # Whenever the demonstration is loaded, this one began an hour and a half ago.
        bedside.began = just_now(zone) - dt.timedelta(minutes=95)
        prepare(bedside)
        load(bedside, serial)
        start(bedside)
        read(bedside, until=90)


def _screen(study: Study, person: Person) -> ScreeningEntry:
    """First contact, identifiers and consent in the morning; the screening visit after it."""
    site, nurse = study.sites[person.site], study.people[person.nurse]
    day, zone = person.zero - 1, site.time_zone
    with on_day(day, zone, hour=9), acting(context_of(nurse, Channel.COMMAND)):
        entry = enter(site, by=nurse, source=person.source, chance=study.chance)
        subject = consent_of(entry, by=nurse)
    with on_day(day, zone), acting(context_of(nurse, Channel.COMMAND)):
        version = protocol_of(subject.protocol_version_id)
        visit = version.schedule.with_role(EventRole.SCREENING)[0].oid
        _enter_visit(study, person, subject, visit, -1)
        give_medicines(subject=subject, by=nurse, chance=study.chance)
        if person.exchanged:
            give_earlier_exchange(subject=subject, by=nurse)
        return ScreeningEntry.objects.select_related("site", "subject__site").get(pk=entry.pk)


def _withdraw(study: Study, person: Person, entry: ScreeningEntry) -> None:
    nurse = study.people[person.nurse]
    with on_day(person.zero, entry.site.time_zone), acting(context_of(nurse, Channel.COMMAND)):
        close_entry(
            entry=entry,
            outcome=Outcome.WITHDREW,
            on=trial_today(entry.site.time_zone),
            comment="Wishes to go home (SYNTHETIC)",
            by=nurse,
        )


def _decide(study: Study, person: Person, entry: ScreeningEntry) -> Subject | None:
    """Sign what the data say; whoever is eligible is enrolled."""
    nurse, subject, zone = study.people[person.nurse], entry.subject, entry.site.time_zone
    assert subject is not None
    with on_day(person.zero, zone, hour=8):
        decision = decide(subject, by=study.investigator(person.site))
        with acting(context_of(nurse, Channel.COMMAND)):
            if decision.against:
                screen_fail(entry=entry, on=trial_today(zone), criteria=decision.against, by=nurse)
                return None
            subject = enrol_subject(subject=subject, by=nurse)
            schedule = protocol_of(subject.protocol_version_id).schedule
            _enter_visit(study, person, subject, schedule.with_role(EventRole.DAY_ZERO)[0].oid, 0)
    return subject


def _enter_visit(study: Study, person: Person, subject: Subject, event_oid: str, day: int) -> None:
    """A visit attended today, its forms and its draw completed; `day` counts from day zero."""
    nurse = study.people[person.nurse]
    visit = subject.visits.get(event_oid=event_oid)
    today = trial_today(subject.site.time_zone)
    attend(visit=visit, on=today, mode=VisitMode.WARD, by=nurse)
    fill_visit(visit=visit, by=nurse, chance=study.chance, recovery=max(0, day) / 84)
    draw_at(visit=visit, by=nurse, chance=study.chance, day=day, illness=person.illness)


def _begin_visit(subject: Subject, nurse: User, event_oid: str) -> None:
    """Today's visit is under way: somebody was called away from the bedside."""
    record = CrfRecord.objects.filter(
        visit__subject=subject, visit__event_oid=event_oid, form_oid=VitalSigns.form_oid
    ).first()
    if record is not None:
        save_draft(
            record=record, texts={"systolic": "112", "diastolic": "68"}, by=nurse, base_version=0
        )
