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
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject, SubjectStatus
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.models import stored
from trialsite.crf.services import save_crf
from trialsite.demo.clock import clock_shifted, on_day
from trialsite.demo.eligibility import proof_of

#: When the first was known, counted from today, and how long ago the second was, in hours.
REPORTED, RUNNING_FOR = -20, 5

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


def report_serious_events(people: dict[str, User]) -> None:
    """The two cases, as nurse and investigators enter them."""
    _reported_in_time(people["nurse-b"], people["pi"], people["safety"])
    _running(people["nurse"])


def _first_enrolled(site: str) -> Subject:
    enrolled = Subject.objects.filter(site__code=site, status=SubjectStatus.ENROLLED)
    found = enrolled.select_related("site").order_by("number").first()
    assert found is not None
    return found


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


def _reported_in_time(nurse: User, investigator: User, officer: User) -> None:
    """Known at ten, signed at one, with every recipient by the afternoon; the sponsor's own
    safety officer enters the sponsor's receipt."""
    with acting(context_of(nurse, Channel.COMMAND)):
        subject = _first_enrolled("002")
    zone = subject.site.time_zone
    with on_day(REPORTED, zone, hour=11), acting(context_of(nurse, Channel.COMMAND)):
        case = report_event(
            subject=subject,
            word=_word(subject, hours=1, term="Catheter-related sepsis (SYNTHETIC)",
                       suspected=Suspected.PROCEDURE, criterion="hospitalisation",
                       reporter="Ward physician (SYNTHETIC)"),
            by=nurse,
        )  # fmt: skip
        describe_case(
            case=case,
            reporter="Ward physician (SYNTHETIC)",
            suspected=Suspected.PROCEDURE,
            narrative="Chills during the night, the catheter was changed. (SYNTHETIC)",
            by=nurse,
        )
    with on_day(REPORTED, zone, hour=13), acting(context_of(investigator, Channel.COMMAND)):
        report = _signed(case, investigator)
    for number, to in enumerate((To.SPONSOR, To.INSTITUTION, To.ETHICS), start=1):
        with on_day(REPORTED, zone, hour=13 + number), acting(context_of(nurse, Channel.COMMAND)):
            now = trial_now()
            sending = Sending(recipient=to, submitted_at=now - dt.timedelta(minutes=9),
                              way=Way.PORTAL)  # fmt: skip
            receipt = record_submission(report=report, sending=sending, by=nurse)
        keeper = officer if to == To.SPONSOR else nurse
        with on_day(REPORTED, zone, hour=13 + number), acting(context_of(keeper, Channel.COMMAND)):
            record_receipt(
                receipt=receipt,
                received_at=now - dt.timedelta(minutes=2),
                number=f"SYN-{number:03d}",
                by=keeper,
            )
    with on_day(REPORTED + 6, zone, hour=10), acting(context_of(nurse, Channel.COMMAND)):
        _judged(case, nurse)


def _signed(case: SaeCase, by: User) -> SaeReport:
    case = SaeCase.objects.get(pk=case.pk)
    _read, seen = reading_of(case, event_of_case(case), "initial")
    return sign_report(case=case, kind="initial", by=by, proof=proof_of(by), seen=seen)


def _judged(case: SaeCase, by: User) -> None:
    """A week later the form says everything."""
    record = CrfRecord.objects.get(pk=case.record_id)
    event = stored(AdverseEvent).get(pk=record.pk)
    ended = {"ended_on": str(trial_now().date())}
    entry = read_texts(AdverseEvent, texts_of(event) | _JUDGED | ended)
    save_crf(record=record, entry=entry, by=by, base_version=record.version, complete=True)


def _running(nurse: User) -> None:
    """Entered this morning; nobody has reported it yet."""
    with (
        clock_shifted(dt.timedelta(hours=-RUNNING_FOR)),
        acting(context_of(nurse, Channel.COMMAND)),
    ):
        subject = _first_enrolled("001")
        report_event(
            subject=subject,
            word=_word(subject, hours=0, term="Gastrointestinal bleeding (SYNTHETIC)",
                       suspected=Suspected.ANTICOAGULANT, criterion="life_threatening",
                       reporter="Night nurse (SYNTHETIC)"),
            by=nurse,
        )  # fmt: skip
