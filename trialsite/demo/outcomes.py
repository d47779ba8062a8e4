"""How it went on with some of the invented participants: a transplantation, a telephone call
after a missed visit, a withdrawal from treatment, one who was lost, two deaths, the end of the
study for one who was seen to its end, and one who was never treated and is not found."""

from __future__ import annotations

import datetime as dt
from functools import partial
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
from trialsite.casebook.models import CrfRecord, Visit
from trialsite.core.clock import trial_now, trial_today
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row
from trialsite.demo.consent import attempt_procedure, consent_again
from trialsite.demo.one import Befalls, One


def reconsent(one: One) -> None:
    """The participant reads the new version of the information, and signs it."""
    with one.entering():
        consent_again(one.subject, by=one.nurse)


def prepare_in_error(one: One) -> None:
    """A nurse prepares a session for somebody who wants none any more: refused."""
    with one.entering():
        one.subject.refresh_from_db()
        attempt_procedure(one.subject, by=one.nurse)


def call(one: One) -> None:
    """Day 14 was missed in the snow; the family answers two days later."""
    with one.entering() as today:
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


def transplant(one: One) -> None:
    """Bilirubin does not fall: evaluated, listed, and transplanted in the fourth week."""
    with one.entering() as today:
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


def withdraw(one: One) -> None:
    """No more treatments are wanted; visits and survival go on."""
    with one.entering() as today:
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


def look_for(one: One, *, result: str) -> None:
    """An attempt at contact with somebody who is not found."""
    with one.entering():
        record = CrfRecord.objects.filter(
            subject=one.subject, form_oid=SurvivalContact.form_oid, voided_at=None
        ).first() or start_contact(subject=one.subject, stands_for=_last_past(one), by=one.nurse)
        _attempt(one, record, result)


def _last_past(one: One) -> Visit | None:
    """The last planned visit whose window has gone by."""
    today = trial_today(one.subject.site.time_zone)
    past = one.subject.visits.filter(last_day__lt=today, status="planned")
    return past.order_by("last_day").last()


def die(one: One, *, cause: str, words: str, at: str) -> None:
    """The ward tells on the same day."""
    with one.entering() as today:
        record = open_death(subject=one.subject, by=one.nurse)
        told = {
            "died_on": today.isoformat(),
            "died_time": at,
            "cause": cause,
            "cause_in_words": f"{words} (SYNTHETIC)",
            "related_cells": "NOT RELATED",
            "related_circuit": "UNLIKELY",
            "related_anticoagulant": "NOT RELATED",
            "autopsy": "false",
            "source": "HOSPITAL",
            "document": "Ward record (SYNTHETIC)",
        }
        one.save(record, Death, told)


def end(
    one: One, *, scopes: tuple[str, ...], reason: str, words: str = "", days_ago: int = 0
) -> None:
    """Treatment, study or both have ended, and why."""
    with one.entering() as today:
        for scope in scopes:
            told = {
                "scope": scope,
                "ended_on": (today - dt.timedelta(days=days_ago)).isoformat(),
                "reason": reason,
            }
            if words:
                told["reason_in_words"] = f"{words} (SYNTHETIC)"
            record = open_disposition(subject=one.subject, scope=scope, by=one.nurse)
            one.save(record, Disposition, told)


def _attempt(one: One, record: CrfRecord, result: str, *, minutes: int = 30) -> None:
    at = trial_now().astimezone(ZoneInfo(one.zone)) - dt.timedelta(minutes=minutes)
    record.refresh_from_db()
    texts = {
        "attempted_at": at.strftime("%Y-%m-%dT%H:%M"),
        "way": "TELEPHONE CALL",
        "result": result,
        "made_by": one.nurse.full_name,
    }
    entry = read_texts(ContactAttempt, texts)
    save_row(record=record, group=ContactAttempt, entry=entry, by=one.nurse)


_BOTH = ("TREATMENT", "STUDY")
_SEPSIS = partial(die, cause="INFECTION", words="Sepsis, multi-organ failure", at="14:20")
_FAILURE = partial(die, cause="LIVER FAILURE", words="Liver failure, cerebral oedema", at="15:05")

#: By participant, what befell them after what the schedule asked.
OUTCOMES: dict[str, tuple[Befalls, ...]] = {
    "first": (
        Befalls(5, 11, partial(end, scopes=("TREATMENT",), reason="COMPLETED")),
        Befalls(84, 17, partial(end, scopes=("STUDY",), reason="COMPLETED")),
    ),
    "snow": (Befalls(16, 10, call), Befalls(56, 9, reconsent)),
    "grafted": (Befalls(24, 10, transplant), Befalls(28, 9, reconsent)),
    "weary": (Befalls(6, 10, withdraw), Befalls(9, 11, prepare_in_error)),
    "lost": (
        Befalls(17, 10, partial(look_for, result="NO ANSWER")),
        Befalls(20, 10, partial(look_for, result="MESSAGE LEFT")),
        Befalls(27, 10, partial(look_for, result="NO ANSWER")),
        Befalls(29, 10, partial(end, scopes=("TREATMENT",), reason="COMPLETED", days_ago=27)),
        Befalls(29, 11, partial(end, scopes=("STUDY",), reason="LOST TO FOLLOW-UP", days_ago=2)),
    ),
    "sepsis": (
        Befalls(9, 17, _SEPSIS),
        Befalls(10, 10, partial(end, scopes=_BOTH, reason="DEATH", days_ago=1)),
    ),
    "never": (
        Befalls(
            1,
            10,
            partial(
                end,
                scopes=("TREATMENT",),
                reason="PHYSICIAN DECISION",
                words="Bled from varices in the night before the first session",
            ),
        ),
        # Taken to a hospital near home; whether they are lost nobody has decided yet.
        Befalls(9, 10, partial(look_for, result="NO ANSWER")),
        Befalls(14, 10, partial(look_for, result="MESSAGE LEFT")),
        Befalls(21, 10, partial(look_for, result="NO ANSWER")),
    ),
    "fails": (
        Befalls(12, 17, _FAILURE),
        Befalls(13, 10, partial(end, scopes=_BOTH, reason="DEATH", days_ago=1)),
    ),
}
