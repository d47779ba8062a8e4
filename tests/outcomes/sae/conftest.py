"""A serious adverse event under way, and a clock that a test may set."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from outcomes.models import AdverseEvent, SaeCase, SaeReceipt, SaeReport, Suspected, Way
from outcomes.services.sae_deadlines import event_of_case
from outcomes.services.sae_entry import FirstWord, report_event
from outcomes.services.sae_receipts import record_receipt
from outcomes.services.sae_reports import reading_of, sign_report
from outcomes.services.sae_sending import Sending, record_submission
from tests.api.conftest import api
from tests.factories import as_person, make_user
from tests.notify.conftest import clock, run, sink
from tests.outcomes.conftest import complication, session, subject
from tests.signing import proof_of
from trialsite.access.capabilities import Role
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.models import stored

__all__ = ["api", "clock", "complication", "run", "session", "sink", "subject"]

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: A Friday, ten minutes before midnight in Shanghai.
FRIDAY = dt.datetime(2026, 3, 6, 23, 50, tzinfo=SHANGHAI)


@pytest.fixture
def officer(cast) -> User:
    return make_user(Role.SAFETY_OFFICER, full_name="Sana Safety")


@pytest.fixture
def case(cast, subject, clock) -> SaeCase:
    """Known to the site on Friday at 23:50, entered five minutes later."""
    clock(FRIDAY + dt.timedelta(minutes=5))
    return first_word(subject, cast.nurse)


def first_word(subject: Subject, by: User, **said: Any) -> SaeCase:
    """The nurse's minimum entry."""
    fields: dict[str, Any] = {
        "term": "Septic shock",
        "reporter": "Dr Wei, ICU",
        "suspected": Suspected.CIRCUIT,
        "criterion": "life_threatening",
        "aware_at": FRIDAY.replace(tzinfo=None),
        "started_on": PartialDate.parse("2026-03-06"),
        "started_time": dt.time(22, 30),
    } | said
    options = {name: fields.pop(name) for name in ("complication", "another") if name in fields}
    with as_person(by):
        return report_event(subject=subject, word=FirstWord(**fields), by=by, **options)


def signed(case: SaeCase, by: User, kind: str = "initial") -> SaeReport:
    with as_person(by):
        case = SaeCase.objects.get(pk=case.pk)
        _read, seen = reading_of(case, event_of_case(case), kind)
        return sign_report(case=case, kind=kind, by=by, proof=proof_of(by), seen=seen)


def sent(report: SaeReport, to: str, at: dt.datetime, by: User) -> SaeReceipt:
    with as_person(by):
        sending = Sending(recipient=to, submitted_at=at, way=Way.PORTAL)
        return record_submission(report=report, sending=sending, by=by)


def received(receipt: SaeReceipt, at: dt.datetime, by: User, number: str = "R-1") -> SaeReceipt:
    with as_person(by):
        return record_receipt(receipt=receipt, received_at=at, number=number, by=by)


def event_of(case: SaeCase, by: User) -> AdverseEvent:
    with as_person(by):
        found: AdverseEvent = stored(AdverseEvent).select_related("record").get(pk=case.record_id)
        return found


def local(moment: dt.datetime) -> str:
    """A moment as the clock in Shanghai shows it."""
    return f"{moment.astimezone(SHANGHAI):%a %Y-%m-%d %H:%M}"
