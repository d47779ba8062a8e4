"""An app above follows the rows of a form: each save and each voiding, in one transaction."""

from __future__ import annotations

import pytest

from tests.engine.models import Episode, Reading
from tests.engine.upper import FOLLOWED
from tests.factories import as_person, make_record, make_subject, sign_in
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.services import void_record
from trialsite.core.exceptions import DomainError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf, save_row, void_row

READING = {"read_at": "2026-03-05T10:00", "blood_flow": "100", "venous": "80"}


@pytest.fixture(autouse=True)
def _forgotten():
    FOLLOWED.clear()


@pytest.fixture
def episode(cast):
    return make_record(make_subject(cast.site), form_oid="F.TEPI")


@pytest.fixture
def sheet(cast):
    return make_record(make_subject(cast.site), form_oid="F.TRUN")


def save(record, by, term, version=0, **options):
    entry = read_texts(Episode, {"term": term, "started_on": "2026-03"})
    return save_crf(record=record, entry=entry, by=by, base_version=version, **options)


def read(sheet, by, **options):
    entry = read_texts(Reading, READING | options.pop("texts", {}))
    return save_row(record=sheet, group=Reading, entry=entry, by=by, **options)


def told() -> list[tuple[str, bool]]:
    return [(type(row).__name__, stands) for row, stands, _by in FOLLOWED]


def test_each_save_is_told_with_the_row_as_it_stands(cast, episode):
    with as_person(cast.nurse):
        save(episode, cast.nurse, "fever")
        save(episode, cast.nurse, "chills", 1)
    (first, _, by), _second = FOLLOWED
    assert (first.subject_id, by, told()) == (
        episode.subject_id,
        cast.nurse,
        [("Episode", True)] * 2,
    )
    assert FOLLOWED[1][0].term == "chills"
    assert FOLLOWED[1][0].changed == {"term"}


def test_a_save_that_changes_nothing_is_not_told(cast, episode):
    with as_person(cast.nurse):
        save(episode, cast.nurse, "fever")
        save(episode, cast.nurse, "fever", 1)
    assert len(FOLLOWED) == 1


def test_completing_is_told_also_where_no_value_changes(cast, episode):
    with as_person(cast.nurse):
        save(episode, cast.nurse, "fever")
        save(episode, cast.nurse, "fever", 1, complete=True)
    assert len(FOLLOWED) == 2


def test_what_a_follower_refuses_takes_the_save_back(cast, episode):
    with as_person(cast.nurse):
        with pytest.raises(DomainError):
            save(episode, cast.nurse, "refuse me")
        assert not Episode.objects.filter(pk=episode.pk).exists()
        assert CrfRecord.objects.get(pk=episode.pk).version == 0


def test_the_page_says_why_a_follower_refuses_and_keeps_what_was_typed(cast, episode):
    client = sign_in(cast.nurse)
    typed = {"term": "refuse me", "started_on": "2026-03", "version": "0", "action": "save"}
    answer = client.post(f"/records/{episode.pk}/", typed)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "The app above refuses." in shown
    assert "refuse me" in shown


def test_rows_of_a_group_are_told_when_they_are_saved_and_voided(cast, sheet):
    with as_person(cast.nurse):
        row = read(sheet, cast.nurse).row
        void_row(record=sheet, group=Reading, row_id=row.pk, reason="twice", by=cast.nurse)
    assert told() == [("Reading", True), ("Reading", False)]


def test_a_voided_record_takes_its_rows_along_but_not_those_voided_before(cast, sheet, episode):
    with as_person(cast.nurse):
        save(episode, cast.nurse, "fever")
        gone, _kept = (read(sheet, cast.nurse).row for _ in range(2))
        void_row(record=sheet, group=Reading, row_id=gone.pk, reason="twice", by=cast.nurse)
        FOLLOWED.clear()
        void_record(record=sheet, reason="wrong subject", by=cast.nurse)
        void_record(record=episode, reason="wrong subject", by=cast.nurse)
    assert told() == [("Reading", False), ("Episode", False)]
    assert {by for *_row, by in FOLLOWED} == {cast.nurse}


def test_what_is_written_by_a_follower_carries_the_reason_of_the_save(cast, episode, monkeypatch):
    from django.db import connection

    from trialsite.crf import registry

    reasons: list[str] = []

    def look(_row, _by) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('trialsite.reason', true)")
            reasons.append(cursor.fetchone()[0])

    monkeypatch.setitem(registry._followers, Episode, [look])
    with as_person(cast.nurse):
        save(episode, cast.nurse, "fever", complete=True)
        save(episode, cast.nurse, "chills", 1, reason="misheard")
        void_record(record=episode, reason="wrong subject", by=cast.nurse)
    assert reasons == ["", "misheard", "wrong subject"]
