"""What purified the blood marks what is drawn after it, whoever entered it first."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from tests.factories import as_person, given, sign_in
from trialsite.casebook.models import Subject
from trialsite.core.exceptions import NotPermittedError
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import PurificationInterval
from trialsite.labs.selectors import lab_facts
from trialsite.labs.services.purification import record_purification, void_purification

K = {"K": "4", "K.unit": "mmol/L"}


def wall(text):
    return dt.datetime.fromisoformat(text)


def purify(cast, subject, start, end, **options):
    with as_person(cast.nurse):
        return record_purification(
            subject=subject,
            kind="PE",
            started_at=wall(start),
            ended_at=end and wall(end),
            by=cast.nurse,
            **options,
        )


def hours(cast, subject):
    with as_person(cast.nurse):
        (fact,) = lab_facts(subject)
    return fact.hours_since_purification


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-04T14:00", "2026-03-04T19:30", Decimal(12)),
        ("2026-03-04T14:00", "2026-03-04T19:31", Decimal("11.9")),
        ("2026-03-05T05:00", "2026-03-05T09:00", Decimal(0)),
        ("2026-03-05T05:00", None, Decimal(0)),
        ("2026-03-05T07:31", "2026-03-05T09:00", None),
    ],
)
def test_the_hours_count_from_its_end_to_the_draw(cast, subject, draw, save, start, end, expected):
    save(draw, K)
    assert hours(cast, subject) is None
    purify(cast, subject, start, end)
    assert hours(cast, subject) == expected


def test_the_last_of_several_counts_and_a_voided_one_does_not(cast, subject, draw, save):
    save(draw, K)
    purify(cast, subject, "2026-03-03T08:00", "2026-03-03T12:30")
    last = purify(cast, subject, "2026-03-05T01:00", "2026-03-05T05:30")
    assert hours(cast, subject) == 2
    with as_person(cast.nurse):
        void_purification(interval=last, reason="another subject's", by=cast.nurse)
    assert hours(cast, subject) == 43


def test_a_session_writes_one_interval_however_often_it_is_saved(cast, subject):
    origin = uuid.uuid4()
    purify(cast, subject, "2026-03-05T01:00", None, origin=origin)
    purify(cast, subject, "2026-03-05T01:00", "2026-03-05T05:30", origin=origin)
    with as_person(cast.nurse):
        (found,) = PurificationInterval.objects.filter(subject=subject)
    assert (found.source, found.ended_at) == ("session", wall("2026-03-05T05:30"))


def test_it_does_not_end_before_it_began(cast, subject):
    with pytest.raises(ImpossibleError) as refused:
        purify(cast, subject, "2026-03-05T05:00", "2026-03-05T04:59")
    assert set(refused.value.errors) == {"ended_at"}


def test_the_page_of_the_subject_takes_an_earlier_treatment_and_marks_the_draw(
    cast, subject, draw, save
):
    save(draw, K)
    client = sign_in(cast.nurse)
    address = f"/labs/subjects/{subject.pk}/purifications/"
    wrong = {"kind": "PE", "started_at": "2026-03-05T05:00", "ended_at": "2026-03-05T04:00"}
    assert client.post(address, wrong).status_code == 422
    assert client.post(address, wrong | {"ended_at": "2026-03-05T06:00"}).status_code == 302
    assert (
        "1.5 h after blood purification" in client.get(f"/labs/panels/{draw.pk}/").content.decode()
    )
    assert "Plasma exchange" in client.get(f"/labs/subjects/{subject.pk}/").content.decode()


def test_who_enters_no_data_enters_no_treatment(cast, subject):
    with as_person(cast.monitor), pytest.raises(NotPermittedError):
        record_purification(
            subject=subject, kind="PE", started_at=wall("2026-03-05T05:00"), ended_at=None,
            by=cast.monitor,
        )  # fmt: skip
    assert (
        sign_in(cast.monitor).post(f"/labs/subjects/{subject.pk}/purifications/").status_code == 403
    )
    assert (
        sign_in(cast.stranger).get(f"/labs/subjects/{subject.pk}/purifications/").status_code == 404
    )


def test_a_locked_subject_gets_no_treatment_entered(cast, subject):
    given(lambda: Subject.objects.filter(pk=subject.pk).update(lock_state="locked"))()
    with pytest.raises(Exception, match="locked"):
        purify(cast, subject, "2026-03-05T05:00", None)
    with as_person(cast.nurse), pytest.raises(DatabaseError, match="locked"), transaction.atomic():
        PurificationInterval.objects.create(
            site_id=subject.site_id,
            subject=subject,
            kind="PE",
            source="earlier",
            started_at=wall("2026-03-05T05:00"),
            time_zone="Asia/Shanghai",
        )
