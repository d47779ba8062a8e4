"""Serious adverse events of the demonstration: one reported in time, one whose clock runs."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from outcomes.models import AdverseEvent, SaeCase, SaeReport, Suspected, To, Way
from outcomes.services.sae_cases import describe_case
from outcomes.services.sae_deadlines import event_of_case
from outcomes.services.sae_entry import FirstWord, report_event
from outcomes.services.sae_receipts import record_receipt
from outcomes.services.sae_reports import reading_of, sign_report
from outcomes.services.sae_sending import Sending, record_submission
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.entry import texts_of
from trialsite.crf.models import stored
from trialsite.demo.clock import clock_shifted
from trialsite.demo.coding import SEPSIS, follow_up
from trialsite.demo.eligibility import proof_of
from trialsite.demo.one import Befalls, One

#: How many hours ago the one was entered whose clock runs.
RUNNING_FOR = 5

_JUDGED = {
    "description": "Fever and hypotension; blood cultures taken, antibiotics begun (SYNTHETIC)",
    "special_interest": "INFECTION",
    "ongoing": "false",
    "grade": "3",
    "related_cells": "NOT RELATED",
    "related_circuit": "UNLIKELY",
    "related_anticoagulant": "NOT RELATED",
    "related_procedure": "POSSIBLE",
    "related_disease": "PROBABLE",
    "expectedness": "EXPECTED",
    "action": "DOSE NOT CHANGED",
    "action_device": "NONE",
    "outcome": "RECOVERED/RESOLVED",
}


def _word(subject: Subject, *, hours: float, term: str, suspected: str, criterion: str,
          reporter: str) -> FirstWord:  # fmt: skip
    """What is said of an event that was known so many hours before this moment."""
    known = trial_now() - dt.timedelta(hours=hours)
    wall = known.astimezone(ZoneInfo(subject.site.time_zone)).replace(tzinfo=None)
    wall = wall.replace(second=0, microsecond=0)
    return FirstWord(
        term=term,
        reporter=reporter,
        suspected=suspected,
        criterion=criterion,
        aware_at=wall,
        started_on=PartialDate.parse(wall.date().isoformat()),
        started_time=wall.time(),
    )


def report(one: One) -> None:
    """Known an hour ago: the first word of the catheter's sepsis, and what is known of it."""
    with one.entering():
        case = report_event(
            subject=one.subject,
            word=_word(one.subject, hours=1, term=SEPSIS, suspected=Suspected.PROCEDURE,
                       criterion="hospitalisation", reporter="Ward physician (SYNTHETIC)"),
            by=one.nurse,
        )  # fmt: skip
        describe_case(
            case=case,
            reporter="Ward physician (SYNTHETIC)",
            suspected=Suspected.PROCEDURE,
            narrative="Chills during the night, the catheter was changed. (SYNTHETIC)",
            by=one.nurse,
        )


def sign_initial(one: One) -> None:
    """The investigator reads the report and signs it."""
    with one.entering("pi"):
        case = _case(one)
        _read, seen = reading_of(case, event_of_case(case), "initial")
        pi = one.people["pi"]
        sign_report(case=case, kind="initial", by=pi, proof=proof_of(pi), seen=seen)


def send_out(one: One) -> None:
    """Every recipient has it by the afternoon; the sponsor's own safety officer enters the
    sponsor's receipt."""
    for number, to in enumerate((To.SPONSOR, To.INSTITUTION, To.ETHICS), start=1):
        with one.entering():
            now = trial_now()
            sending = Sending(recipient=to, submitted_at=now - dt.timedelta(minutes=9 * number),
                              way=Way.PORTAL)  # fmt: skip
            signed = SaeReport.objects.get(case=_case(one))
            receipt = record_submission(report=signed, sending=sending, by=one.nurse)
        keeper = "safety" if to == To.SPONSOR else ""
        with one.entering(keeper):
            record_receipt(
                receipt=receipt,
                received_at=now - dt.timedelta(minutes=2),
                number=f"SYN-{number:03d}",
                by=one.people[keeper] if keeper else one.nurse,
            )


def judge(one: One) -> None:
    """A week later the form says everything."""
    with one.entering() as today:
        record = _case(one).record
        event = stored(AdverseEvent).get(pk=record.pk)
        one.save(record, AdverseEvent, texts_of(event) | _JUDGED | {"ended_on": str(today)})


def _case(one: One) -> SaeCase:
    return SaeCase.objects.select_related("record").get(subject=one.subject)


def running(one: One) -> None:
    """Entered some hours ago; nobody has reported it yet."""
    with clock_shifted(dt.timedelta(hours=-RUNNING_FOR)), one.entering():
        report_event(
            subject=one.subject,
            word=_word(one.subject, hours=0, term="Gastrointestinal bleeding (SYNTHETIC)",
                       suspected=Suspected.ANTICOAGULANT, criterion="life_threatening",
                       reporter="Night nurse (SYNTHETIC)"),
            by=one.nurse,
        )  # fmt: skip


#: By participant, what was reported and what became of it.
SERIOUS: dict[str, tuple[Befalls, ...]] = {
    "snow": (
        Befalls(6, 10, report),
        Befalls(6, 13, sign_initial),
        Befalls(6, 16, send_out),
        Befalls(12, 10, judge),
        Befalls(13, 9, follow_up),
    ),
    "grafted": (Befalls(29, 23, running),),
}
