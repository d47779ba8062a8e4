"""Serious adverse events of the demonstration: three reported in time, two of them fatal and
one of these closed; and one whose clock runs."""

from __future__ import annotations

import datetime as dt
from functools import partial
from zoneinfo import ZoneInfo

from outcomes.models import AdverseEvent, SaeCase, SaeReport, Suspected, To, Way
from outcomes.services.sae_cases import describe_case
from outcomes.services.sae_deadlines import event_of_case
from outcomes.services.sae_decisions import close_case
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

_WARD = "Ward physician (SYNTHETIC)"
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
          reporter: str, began: int = 0) -> FirstWord:  # fmt: skip
    """What is said of an event that was known so many hours before this moment, and began on
    that day or so many before."""
    known = trial_now() - dt.timedelta(hours=hours)
    wall = known.astimezone(ZoneInfo(subject.site.time_zone)).replace(tzinfo=None)
    wall = wall.replace(second=0, microsecond=0)
    since = wall.date() - dt.timedelta(days=began)
    return FirstWord(
        term=term,
        reporter=reporter,
        suspected=suspected,
        criterion=criterion,
        aware_at=wall,
        started_on=PartialDate.parse(since.isoformat()),
        started_time=None if began else wall.time(),
    )


def report(
    one: One, *, term: str, suspected: str, criterion: str, said: str, hours: float, began: int = 0
) -> None:
    """The first word of what was known so many hours ago, and what is known of it."""
    with one.entering():
        case = report_event(
            subject=one.subject,
            word=_word(one.subject, hours=hours, term=term, suspected=suspected,
                       criterion=criterion, reporter=_WARD, began=began),
            by=one.nurse,
        )  # fmt: skip
        describe_case(
            case=case,
            reporter=_WARD,
            suspected=suspected,
            narrative=f"{said} (SYNTHETIC)",
            by=one.nurse,
        )


def sign(one: One, *, kind: str = "initial") -> None:
    """The investigator reads the report and signs it."""
    with one.entering("pi"):
        case = _case(one)
        _read, seen = reading_of(case, event_of_case(case), kind)
        pi = one.people["pi"]
        sign_report(case=case, kind=kind, by=pi, proof=proof_of(pi), seen=seen)


def send_out(one: One) -> None:
    """Every recipient has it by the afternoon; the sponsor's own safety officer enters the
    sponsor's receipt."""
    for number, to in enumerate((To.SPONSOR, To.INSTITUTION, To.ETHICS), start=1):
        with one.entering():
            now = trial_now()
            sending = Sending(recipient=to, submitted_at=now - dt.timedelta(minutes=9 * number),
                              way=Way.PORTAL)  # fmt: skip
            signed = SaeReport.objects.filter(case=_case(one)).latest("number")
            receipt = record_submission(report=signed, sending=sending, by=one.nurse)
        keeper = "safety" if to == To.SPONSOR else ""
        with one.entering(keeper):
            record_receipt(
                receipt=receipt,
                received_at=now - dt.timedelta(minutes=2),
                number=f"SYN-{number:03d}",
                by=one.people[keeper] if keeper else one.nurse,
            )


def judge(one: One, *, ended_ago: int = 0, **texts: str) -> None:
    """Later the form says everything."""
    with one.entering() as today:
        record = _case(one).record
        event = stored(AdverseEvent).get(pk=record.pk)
        ended = {"ended_on": str(today - dt.timedelta(days=ended_ago))}
        one.save(record, AdverseEvent, texts_of(event) | _JUDGED | ended | texts)


def close(one: One) -> None:
    """The sponsor's safety officer has the final report and expects nothing more."""
    with one.entering("safety"):
        by = one.people["safety"]
        close_case(case=_case(one), reason="Final report received (SYNTHETIC)", by=by)


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


def _fatal(one: One, **texts: str) -> None:
    """The day after a death the form of its event says so."""
    told = {"grade": "5", "outcome": "FATAL", "related_procedure": "NOT RELATED"}
    judge(one, ended_ago=1, **told | texts)


#: Told by the ward within the hour; the death itself is entered when its form is there.
_DIED = partial(report, suspected=Suspected.DISEASE, criterion="results_in_death", hours=0.5)

#: By participant, what was reported and what became of it.
SERIOUS: dict[str, tuple[Befalls, ...]] = {
    "snow": (
        Befalls(
            6,
            10,
            partial(
                report,
                term=SEPSIS,
                suspected=Suspected.PROCEDURE,
                criterion="hospitalisation",
                said="Chills during the night, the catheter was changed.",
                hours=1,
            ),
        ),
        Befalls(6, 13, sign),
        Befalls(6, 16, send_out),
        Befalls(12, 10, judge),
        Befalls(13, 9, follow_up),
    ),
    "sepsis": (
        Befalls(
            9,
            15,
            partial(
                _DIED,
                term="Septic shock (SYNTHETIC)",
                said="Pneumonia since day 6, no response to vasopressors; died at 14:20.",
                began=3,
            ),
        ),
        Befalls(9, 17, sign),
        Befalls(9, 18, send_out),
        Befalls(10, 10, partial(_fatal, description="Septic shock from pneumonia (SYNTHETIC)")),
        Befalls(14, 10, partial(sign, kind="final")),
        Befalls(14, 15, send_out),
        Befalls(15, 11, close),
    ),
    "fails": (
        Befalls(
            12,
            16,
            partial(
                _DIED,
                term="Cerebral oedema (SYNTHETIC)",
                said="Pupils wide since the evening, no transplant offered; died at 15:05.",
                began=1,
            ),
        ),
        # Signed on the next day, after the reminder of the morning; within the 24 hours.
        Befalls(13, 12, sign),
        Befalls(13, 13, send_out),
        Befalls(
            13,
            14,
            partial(
                _fatal,
                description="Cerebral oedema in progressive liver failure (SYNTHETIC)",
                special_interest="NONE",
            ),
        ),
    ),
    "grafted": (Befalls(29, 23, running),),
}
