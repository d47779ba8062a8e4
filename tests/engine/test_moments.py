"""Every form's observation is neither in the future nor after death, by one rule (C10)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tests.engine.models import Episode, Reading
from tests.factories import as_person, given, make_record, make_subject, make_visit, sign_in
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import forms
from trialsite.crf.services import save_crf, save_row
from trialsite.crf.violations import ImpossibleError
from visits.models import VitalSigns

LATER = "The participant died on {}: this is later."


@pytest.fixture
def subject(cast):
    return make_subject(cast.site)


def dies(subject: Subject, on: str) -> None:
    given(Subject.objects.filter(pk=subject.pk).update)(died_on=on)


def vital_signs(subject, by, version=0, record=None, **texts):
    record = record or make_record(subject, visit=make_visit(subject))
    entry = read_texts(VitalSigns, {"assessed_at": "2026-03-05T14:30"} | texts)
    with as_person(by):
        return save_crf(record=record, entry=entry, by=by, base_version=version)


def wall(minutes: int) -> str:
    moment = trial_now() + dt.timedelta(minutes=minutes)
    return moment.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M")


def test_an_observation_is_never_in_the_future_by_the_sites_own_clock(cast, subject):
    assert vital_signs(subject, cast.nurse, assessed_at=wall(-2))
    other = make_subject(cast.site)
    with pytest.raises(ImpossibleError) as refused:
        vital_signs(other, cast.nurse, assessed_at=wall(5))
    assert refused.value.errors == {"assessed_at": ["This time has not come yet."]}


@pytest.mark.parametrize(
    ("died", "stands"),
    [("2026-03-04", False), ("2026-03-05", True), ("2026-03", True), ("2026-02", False)],
)
def test_nothing_is_observed_after_death(cast, subject, died, stands):
    dies(subject, died)
    if stands:
        assert vital_signs(subject, cast.nurse)
        return
    with pytest.raises(ImpossibleError) as refused:
        vital_signs(subject, cast.nurse)
    assert refused.value.errors == {"assessed_at": [LATER.format(died)]}


def test_an_observation_of_before_death_can_be_entered_and_corrected_late(cast, subject):
    saved = vital_signs(subject, cast.nurse)
    dies(subject, "2026-03-01")
    again = vital_signs(subject, cast.nurse, 1, saved.record, heart_rate="80")
    assert again.changed == {"heart_rate"}
    with pytest.raises(ImpossibleError):
        vital_signs(subject, cast.nurse, 2, saved.record, assessed_at="2026-03-02T10:00")
    assert vital_signs(subject, cast.nurse, 2, saved.record, assessed_at="2026-02-27T10:00")


@pytest.mark.parametrize(
    ("started", "possible"),
    [("2026-03", True), ("2026", True), ("2026-04", False), ("2026-03-11", False), ("2027", False)],
)
def test_a_partial_date_is_refused_only_where_every_day_of_it_is_impossible(
    cast, subject, started, possible
):
    dies(subject, "2026-03-10")
    record = make_record(subject, form_oid="F.TEPI")
    entry = read_texts(Episode, {"term": "fever", "started_on": started})
    with as_person(cast.nurse):
        if possible:
            assert save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)
            return
        with pytest.raises(ImpossibleError) as refused:
            save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)
    assert set(refused.value.errors) == {"started_on"}


def test_rows_of_a_group_follow_the_same_rule(cast, subject):
    dies(subject, "2026-03-04")
    sheet = make_record(subject, form_oid="F.TRUN")
    entry = read_texts(Reading, {"read_at": "2026-03-05T10:00"})
    with as_person(cast.nurse), pytest.raises(ImpossibleError) as refused:
        save_row(record=sheet, group=Reading, entry=entry, by=cast.nurse)
    assert set(refused.value.errors) == {"read_at"}


def test_the_page_says_it_beside_the_time_and_loses_nothing(cast, subject):
    dies(subject, "2026-03-04")
    record = make_record(subject, visit=make_visit(subject))
    typed = {"assessed_at": "2026-03-05T10:00", "systolic": "117", "version": "0", "action": "save"}
    answer = sign_in(cast.nurse).post(f"/records/{record.pk}/", typed)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert shown.count(LATER.format("2026-03-04")) >= 2
    assert 'value="117"' in shown


def test_every_time_on_a_bedside_form_is_guarded():
    """A new form that forgets to say `observed` (or `past`) is found here."""
    unguarded = [
        f"{table.__name__}.{name}"
        for each in forms().values()
        for table in each.tables
        for name, item in _items(table)
        if item.data_type == "datetime" and not (item.observed or item.past)
    ]
    assert unguarded == []


def _items(table):
    from trialsite.crf.items import items_of

    return items_of(table).items()
