"""A day of treatment as the nurse and the physician live it, in Chinese, on a tablet: from the
plan to the reminder of the next morning."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from outcomes.models import AdverseEvent, AdverseEventOrigin
from tests.e2e.bedside import Bedside, deliver
from tests.e2e.stack import chinese
from tests.factories import as_person, given
from tests.notify.sink import Sink
from tests.screening.consenting import paper_in_force
from tests.visits.products import released_long_ago
from tests.visits.treating import treatable
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from visits.models import Complication, LoadedProduct, TreatmentSession
from visits.selectors.reminders import ahead
from visits.selectors.sessions import minutes_of

HOURS = 6


@pytest.fixture
def subject(cast):
    return treatable(cast, paper_in_force(cast))


def test_a_day_of_treatment_and_the_mail_of_the_next_morning(visit, cast, subject, sink, clock):
    lot = released_long_ago(cast)
    zone = ZoneInfo(subject.site.time_zone)
    now = dt.datetime.now(zone).replace(tzinfo=None, second=0, microsecond=0)
    began = now - dt.timedelta(hours=HOURS, minutes=5)
    day = Bedside(visit=visit, cast=cast, subject=subject, lot=lot, began=began)
    for step in (day.planned, day.prepared, day.loaded, day.started, day.troubled):
        step()
    # One touch makes the fall of the pressure an adverse event.
    page = day.page
    page.locator("#complication .tx-row-acts form button").click()
    expect(page.locator("#term")).to_have_value(chinese("Hypotension"))
    expect(page.locator("#started_time")).to_have_value(day.clock(58))
    day.ended()

    with as_person(cast.nurse):
        session = TreatmentSession.objects.get(subject=subject)
        assert session.started_at == began
        assert minutes_of(session).effective == HOURS * 60 - 12 - 18
        assert LoadedProduct.objects.get(session=session).lot_id == lot.pk
        complication = Complication.objects.get(record_id=session.pk)
        origin = AdverseEventOrigin.objects.get(complication=complication)
        assert AdverseEvent.objects.get(pk=origin.record_id).term == chinese("Hypotension")
        assert Subject.objects.get(pk=subject.pk).day_zero == began.date()
        planned = ahead(Subject.objects.select_related("site").get(pk=subject.pk))
        days = [each.at.astimezone(zone) for each in planned]
        assert days == sorted(days)
        assert len({each.visit for each in planned}) > 5

    _next_morning(clock, cast, subject, sink, zone)


def _next_morning(clock, cast, subject, sink: Sink, zone: ZoneInfo) -> None:
    """At eight the nurse gets one mail that names the visit; asking again sends nothing."""
    fresh = given(Subject.objects.get)(pk=subject.pk)
    assert fresh.day_zero is not None
    morning = dt.datetime.combine(fresh.day_zero + dt.timedelta(days=1), dt.time(8, 2), tzinfo=zone)
    if morning < trial_now():
        morning += dt.timedelta(days=1)
    clock(morning)
    for _again in range(3):
        deliver()
    to_the_nurse = [mail for mail in sink.arrived if mail["To"] == cast.nurse.email]
    texts = [bytes(mail.get_payload(decode=True)).decode() for mail in to_the_nurse]
    assert len([text for text in texts if subject.number in text]) == 1, texts
