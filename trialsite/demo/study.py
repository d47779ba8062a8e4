"""The demonstration study: invented sites and subjects, made through the services people use.

Deterministic under its seed, dated relative to today, and SYNTHETIC wherever it says
anything. Its past is made with the trial's clock shifted by the owner (decisions D15).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from screening.models.log import Source
from screening.services.log import open_entry
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.protocols import approve_version, protocol_of, register_version
from trialsite.casebook.services import (
    attend_visit,
    give_subject_number,
    set_day_zero,
)
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.registry import forms, items_by_oid
from trialsite.crf.services import save_draft
from trialsite.demo.consent import consent_of, make_documents
from trialsite.demo.forms import fill_visit, give_medicines
from trialsite.demo.people import make_people
from trialsite.protocol import EventRole
from visits.models import VitalSigns

SEED = 6904755

SITES = {
    "001": ("Harbour Light Hospital (SYNTHETIC)", "港湾之光医院（虚构）", "Asia/Shanghai"),
    "002": ("Plum Valley Hospital (SYNTHETIC)", "梅谷医院（虚构）", "Asia/Shanghai"),
    "003": ("Western Gate Hospital (SYNTHETIC)", "西门医院（虚构）", "Asia/Urumqi"),
}

#: Site, nurse, and the study day each subject has reached today; None: still in screening.
COURSE: tuple[tuple[str, str, int | None], ...] = (
    ("001", "nurse", 29),
    ("001", "nurse", 14),
    ("001", "nurse2", 7),
    ("001", "nurse", 0),
    ("001", "nurse", None),
    ("002", "nurse-b", 57),
    ("002", "nurse-b", 5),
    ("003", "nurse-c", 3),
)


@contextmanager
def clock_shifted(days: int) -> Iterator[None]:
    """Let the trial's clock stand this many days from now; only the owner can."""
    owner = connections["owner"]
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trial_clock (shift) VALUES (make_interval(days => %s)) "
            "ON CONFLICT (only_row) DO UPDATE SET shift = excluded.shift",
            [days],
        )
    try:
        yield
    finally:
        with owner.cursor() as cursor:
            cursor.execute("DELETE FROM trial_clock")


def make_study() -> None:
    """Sites, people and subjects with their vital signs up to today."""
    chance = random.Random(SEED)  # noqa: S311  (a demonstration must be repeatable)
    with clock_shifted(-90), acting(system_context("demo", Channel.COMMAND)):
        since = trial_now().date()
        sites = {
            code: Site.objects.create(code=code, name=name, name_zh=name_zh, time_zone=zone)
            for code, (name, name_zh, zone) in SITES.items()
        }
        version = register_version(
            Path(settings.PROTOCOL_FILE), known_forms=forms(), known_items=items_by_oid()
        )
        for site in sites.values():
            approve_version(site=site, version=version, effective_on=since)
        people = make_people(sites, since=since)
        make_documents(sites.values(), by=people["pi"], since=since)
    for code, nurse, day in COURSE:
        _live_through(sites[code], people[nurse], day, chance)


def _live_through(site: Site, nurse: User, day: int | None, chance: random.Random) -> None:
    """One subject from the screening log to today, entered on the days it happened."""
    first = -(day or 0) - 2
    with clock_shifted(first), acting(context_of(nurse, Channel.COMMAND)):
        entry = open_entry(
            site=site, first_contact_on=trial_today(site.time_zone), source=Source.WARD, by=nurse
        )
        subject = consent_of(entry, by=nurse)
        _enter_visit(subject, nurse, EventRole.SCREENING, 0, chance)
        give_medicines(subject=subject, by=nurse, chance=chance)
    if day is None:
        return
    with clock_shifted(-day), acting(context_of(nurse, Channel.COMMAND)):
        give_subject_number(subject=subject, by=nurse)
        set_day_zero(subject=subject, day_zero=trial_now().date(), by=nurse)
        _enter_visit(subject, nurse, EventRole.DAY_ZERO, 0, chance)
    for event in protocol_of(subject.protocol_version_id).schedule.with_role(EventRole.FOLLOW_UP):
        target = event.target_day
        if target is not None and target < day:
            with clock_shifted(target - day), acting(context_of(nurse, Channel.COMMAND)):
                _enter_visit(subject, nurse, EventRole.FOLLOW_UP, target, chance)
        elif target == day:
            with acting(context_of(nurse, Channel.COMMAND)):
                _begin_visit(subject, nurse, event.oid)


def _enter_visit(
    subject: Subject, nurse: User, role: EventRole, target: int, chance: random.Random
) -> None:
    schedule = protocol_of(subject.protocol_version_id).schedule
    event = next(
        each
        for each in schedule.with_role(role)
        if role is not EventRole.FOLLOW_UP or each.target_day == target
    )
    visit = subject.visits.get(event_oid=event.oid)
    attend_visit(visit=visit, on=trial_now().date(), by=nurse)
    fill_visit(visit=visit, by=nurse, chance=chance, recovery=max(0, target) / 84)


def _begin_visit(subject: Subject, nurse: User, event_oid: str) -> None:
    """Today's visit is under way: somebody was called away from the bedside."""
    record = CrfRecord.objects.filter(
        visit__subject=subject, visit__event_oid=event_oid, form_oid=VitalSigns.form_oid
    ).first()
    if record is not None:
        save_draft(
            record=record, texts={"systolic": "112", "diastolic": "68"}, by=nurse, base_version=0
        )
