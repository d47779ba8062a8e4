"""After a form is complete: what it is asked about is said at once, and the way goes on."""

from __future__ import annotations

import pytest

from tests.crf.test_pages import Tab
from tests.crf.test_saving import GOOD
from tests.factories import make_record, make_subject, make_visit, sign_in

TACHYCARDIA = GOOD | {"heart_rate": "130"}


@pytest.fixture
def visit(cast):
    return make_visit(make_subject(cast.site), "SE.D7")


@pytest.fixture
def record(visit):
    return make_record(visit.subject, visit=visit)


@pytest.fixture
def client(cast):
    return sign_in(cast.nurse)


def completed(client, record, fields):
    """The page that follows, after every redirect."""
    hidden = Tab(client, record).hidden
    body = {**hidden, **fields, "action": "complete"}
    return client.post(f"/records/{record.pk}/", body, follow=True)


def test_a_query_of_an_edit_check_is_said_on_the_next_page_with_the_way_back(client, record):
    following = make_record(record.subject, form_oid="F.HE", visit=record.visit)
    answer = completed(client, record, TACHYCARDIA)
    assert answer.request["PATH_INFO"] == f"/records/{following.pk}/"
    page = answer.content.decode()
    assert "1 query on “Vital signs”" in page
    assert "<br>Heart rate: " in page
    assert f'href="/records/{record.pk}/#query-' in page


def test_a_form_without_a_query_says_nothing_of_queries(client, record):
    page = completed(client, record, GOOD).content.decode()
    assert "Complete. Saved in the casebook." in page
    assert "notice-warning" not in page


def test_after_the_last_form_of_a_visit_comes_the_visit(client, record):
    answer = completed(client, record, GOOD)
    assert answer.request["PATH_INFO"] == f"/visits/{record.visit_id}/"


def test_a_form_of_no_visit_stays_in_sight(client, cast):
    alone = make_record(make_subject(cast.site))
    answer = completed(client, alone, GOOD)
    assert answer.request["PATH_INFO"] == f"/records/{alone.pk}/"


def test_a_form_leads_back_to_its_visit(client, record):
    page = client.get(f"/records/{record.pk}/").content.decode()
    assert f'<a href="/visits/{record.visit_id}/">Day 7</a>' in page


def test_a_change_is_not_called_a_completion(client, record):
    completed(client, record, GOOD)
    hidden = Tab(client, record).hidden
    change = {**hidden, **GOOD, "heart_rate": "82", "reason_code": "transcription"}
    answer = client.post(f"/records/{record.pk}/", change | {"action": "save"}, follow=True)
    page = answer.content.decode()
    assert "Saved in the casebook." in page
    assert "Complete. Saved" not in page


def test_a_height_in_metres_is_asked_about_before_completion(client, record):
    answer = completed(client, record, GOOD | {"height": "1.70"})
    assert answer.status_code == 422
    assert "outside the plausible range" in answer.content.decode()


@pytest.mark.parametrize(
    ("born", "stored"),
    [
        ("1970年5月3日", "1970-05-03"),
        ("1970.5.3", "1970-05-03"),
        ("1970/05/03", "1970-05-03"),
        ("19700503", "1970-05-03"),
        ("１９７０－５－３", "1970-05-03"),
        ("1970年5月", "1970-05"),
        ("1970.5", "1970-05"),
        ("1970年", "1970"),
    ],
)
def test_a_date_is_read_as_it_is_written_with_the_year_first(client, visit, born, stored):
    person = make_record(visit.subject, form_oid="F.DM", visit=visit)
    answer = completed(client, person, {"birth_date": born, "sex": "F"})
    assert answer.status_code == 200
    assert f'value="{stored}"' in client.get(f"/records/{person.pk}/").content.decode()


@pytest.mark.parametrize("born", ["5/3/1970", "70-5-3", "1970-13-01", "19700231", "197005", "明天"])
def test_a_date_that_is_not_certain_is_refused(client, visit, born):
    person = make_record(visit.subject, form_oid="F.DM", visit=visit)
    answer = completed(client, person, {"birth_date": born, "sex": "F"})
    assert answer.status_code == 422
    assert f'value="{born}"' in answer.content.decode()


def test_nobody_is_born_in_the_future(client, visit):
    person = make_record(visit.subject, form_oid="F.DM", visit=visit)
    answer = completed(client, person, {"birth_date": "2130-01-01", "sex": "F"})
    assert answer.status_code == 422
    assert "in the future" in answer.content.decode()
