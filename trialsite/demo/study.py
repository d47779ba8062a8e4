"""The demonstration study: invented sites and subjects, made through the services people use.

Deterministic under its seed, dated relative to today, and SYNTHETIC wherever it says
anything. Its past is made with the trial's clock shifted by the owner (decisions D15).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from screening.models.log import Outcome, ScreeningEntry, Source
from screening.services.enrolment import enrol_subject
from screening.services.log import close_entry, screen_fail
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, ProtocolVersion, Subject
from trialsite.casebook.protocols import approve_version, protocol_of, register_version
from trialsite.casebook.services import attend_visit, set_day_zero
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.registry import forms, items_by_oid
from trialsite.crf.services import save_draft
from trialsite.demo.clock import on_day
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
    revise_range,
)
from trialsite.demo.log import CONSIDERED, consider, enter
from trialsite.demo.people import make_people
from trialsite.protocol import EventRole
from visits.models import VitalSigns

SEED = 6904755

SITES = {
    "001": ("Harbour Light Hospital (SYNTHETIC)", "港湾之光医院（虚构）", "Asia/Shanghai"),
    "002": ("Plum Valley Hospital (SYNTHETIC)", "梅谷医院（虚构）", "Asia/Shanghai"),
    "003": ("Western Gate Hospital (SYNTHETIC)", "西门医院（虚构）", "Asia/Urumqi"),
}

#: When the study began, and when its second consent document and a new CRP range came.
BEGAN, SECOND_DOCUMENT, NEW_RANGE = -90, -11, -10


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
    exchanged: bool = False
    #: Somebody prepares a session that consent does not carry.
    attempted: bool = False


#: MELD far above the limit, coagulation beyond its range, one result not yet there.
KIDNEYS_FAIL = Illness({"BILI": 430, "INR": 2.5, "CREAT": 290, "UREA": 17, "SODIUM": 131})
DOES_NOT_CLOT = Illness({"INR": 3.05, "BILI": 260, "FIBRINO": 0.9})
INR_AWAITED = Illness(unknown=("INR",))

COURSE = (
    Person("002", "nurse-b", -57, attempted=True),
    Person("003", "nurse-c", -37, illness=KIDNEYS_FAIL, source=Source.REFERRAL),
    Person("001", "nurse", -29, exchanged=True),
    Person("002", "nurse-b", -22, illness=DOES_NOT_CLOT),
    Person("001", "nurse", -14),
    Person("001", "nurse2", -8, decided=False, withdrew=True),
    Person("001", "nurse2", -7, source=Source.OUTPATIENT),
    Person("002", "nurse-b", -5),
    Person("003", "nurse-c", -3, source=Source.REFERRAL),
    Person("001", "nurse", 0),
    Person("001", "nurse", 1, decided=False, illness=INR_AWAITED, exchanged=True),
)


@dataclass(slots=True)
class Study:
    """What the study consists of while it is made."""

    sites: dict[str, Site]
    people: dict[str, User]
    version: ProtocolVersion
    chance: random.Random

    def investigator(self, site: str) -> User:
        """Who decides on eligibility there."""
        return self.people["subi" if site == "001" else "pi"]


def make_study() -> Study:
    """Sites, people, the log, and participants with what was entered of them up to today."""
    study = _begin()
    for told in CONSIDERED:
        site, nurse = study.sites[told.site], study.people[told.nurse]
        with on_day(told.day, site.time_zone), acting(context_of(nurse, Channel.COMMAND)):
            consider(told, site, by=nurse, chance=study.chance)
    pi = study.people["pi"]
    for person in COURSE:
        if person.zero > SECOND_DOCUMENT and SECOND_DOCUMENT not in done:
            pass
    return study
