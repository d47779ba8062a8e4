"""The demonstration study: invented sites and subjects, made through the services people use.

Deterministic under its seed, dated relative to today, and SYNTHETIC wherever it says
anything. Its past is made with the trial's clock shifted by the owner (decisions D15), day
by day and hour by hour, so that what came first was entered first.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings

from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site
from trialsite.casebook.protocols import approve_version, register_version
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.registry import forms, items_by_oid
from trialsite.demo.amendment import put_in_force, register_amendment
from trialsite.demo.cast import Study
from trialsite.demo.clock import on_day
from trialsite.demo.coding import code_terms
from trialsite.demo.committee import prepare_meeting
from trialsite.demo.consent import make_first_documents, make_second_documents
from trialsite.demo.course import When, live
from trialsite.demo.eligibility import confirm
from trialsite.demo.labs import make_laboratories
from trialsite.demo.log import CONSIDERED, Considered, consider
from trialsite.demo.mail import send_what_is_due
from trialsite.demo.people import make_people
from trialsite.demo.persons import CONSENTED
from trialsite.demo.product import destroy_one, make_lots
from trialsite.demo.samples import (
    CAME,
    FREEZER_CAME,
    SENT,
    USED,
    arrived,
    open_bench,
    send,
    use_one,
)

SITES = {
    "001": ("Harbour Light Hospital (SYNTHETIC)", "港湾之光医院（虚构）", "Asia/Shanghai"),
    "002": ("Plum Valley Hospital (SYNTHETIC)", "梅谷医院（虚构）", "Asia/Shanghai"),
    "003": ("Western Gate Hospital (SYNTHETIC)", "西门医院（虚构）", "Asia/Urumqi"),
}

#: Days from today: when the study began, and when sites put its amendment in force.
BEGAN = -120
AMENDED = {"002": -11, "001": -4}
#: The coder's afternoon, and since when the reminders of each morning were sent.
_CODED, _REMINDED = -10, -14

#: Where what concerns the whole study is counted.
_ZONE = SITES["001"][2]


def _zone(site: str) -> str:
    return SITES[site][2]


def make_study() -> None:
    """Sites, people, the log, and participants with what was entered of them up to today."""
    study = _begin()
    _happen(
        [
            *(
                (_zone(told.site), _considered(study, told, number))
                for number, told in enumerate(CONSIDERED)
            ),
            *((_zone(person.site), live(study, person)) for person in CONSENTED),
            *((_ZONE, story(study)) for story in (_amend, _keep_samples, _code, _remind)),
        ]
    )
    destroy_one(study.sites["001"], by=study.people["nurse"], witness=study.people["nurse2"])
    prepare_meeting(by=study.people["pi"])


def _happen(stories: Iterable[tuple[str, Iterator[When]]]) -> None:
    """Let every story go on at its own times in its zone, in their order; not beyond today."""
    waiting: list[tuple[dt.datetime, int, When, str, Iterator[When]]] = []
    today = {zone: trial_today(zone) for _name, _zh, zone in SITES.values()}

    def wait(number: int, zone: str, story: Iterator[When]) -> None:
        """Let a story do what it came for, and put it down for its next time."""
        when = next(story, None)
        if when is not None and when[0] <= 0:
            on = today[zone] + dt.timedelta(days=when[0])
            at = dt.datetime.combine(on, dt.time(when[1]), ZoneInfo(zone))
            heapq.heappush(waiting, (at.astimezone(dt.UTC), number, when, zone, story))

    for number, (zone, story) in enumerate(stories):
        wait(number, zone, story)
    while waiting:
        _at, number, (day, hour), zone, story = heapq.heappop(waiting)
        with on_day(day, zone, hour=hour):
            wait(number, zone, story)


def _begin() -> Study:
    """What stands before anybody is considered: sites, people, protocol, documents, ranges."""
    with on_day(BEGAN, _ZONE), acting(system_context("demo", Channel.COMMAND)):
        since = trial_today(_ZONE)
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
    return Study(sites=sites, people=people)


def _considered(study: Study, told: Considered, number: int) -> Iterator[When]:
    """Somebody who never consented."""
    yield told.day, 10
    site, nurse = study.sites[told.site], study.people[told.nurse]
    with acting(context_of(nurse, Channel.COMMAND)):
        consider(told, site, by=nurse, chance=study.chance(f"considered {number}"))


def _amend(study: Study) -> Iterator[When]:
    """The amendment and the consent that goes with it, site by site."""
    pi = study.people["pi"]
    version = None
    for code, day in sorted(AMENDED.items(), key=lambda pair: pair[1]):
        yield day, 7
        if version is None:
            version = register_amendment(by=pi)
            confirm(version, by=pi)
        put_in_force(version, [study.sites[code]], by=pi)
        make_second_documents([study.sites[code]], by=pi)


def _keep_samples(study: Study) -> Iterator[When]:
    """The freezer of the first site, and what left it."""
    yield FREEZER_CAME, 7
    bench = open_bench(study.sites["001"], study.people)
    study.benches["001"] = bench
    for day, act in ((USED, use_one), (SENT, send), (CAME, arrived)):
        yield day, 14
        act(bench)


def _code(study: Study) -> Iterator[When]:
    yield _CODED, 11
    coder = study.people["dm"]
    with acting(context_of(coder, Channel.COMMAND)):
        code_terms(coder)


def _remind(_study: Study) -> Iterator[When]:
    """The reminders of each morning, when whoever is told is at work; today's are to come."""
    for day in range(_REMINDED, 0):
        yield day, 11
        send_what_is_due()
