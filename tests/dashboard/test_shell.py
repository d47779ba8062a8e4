"""What stands around every page."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from tests.factories import (
    PROTOCOL,
    given,
    make_protocol,
    make_record,
    make_subject,
    make_user,
    sign_in,
)
from trialsite.access.capabilities import Role
from trialsite.access.errors import error_page
from trialsite.casebook.protocols import approve_version, register_version
from trialsite.core.clock import trial_today
from trialsite.core.templatetags.trialsite import STATES, icon, state, state_of
from trialsite.dashboard.shell import links, study_tabs


def titles(user) -> list[str]:
    return [link.title for link in links(user, "/")]


def test_each_role_finds_its_places_and_no_more_than_seven(cast):
    assert titles(cast.nurse)[:2] == ["Today", "Screening"]
    assert "People" not in titles(cast.nurse)
    assert {"Today", "People", "Sites", "Access report"} == set(titles(cast.administrator))
    for role in Role:
        assert len(titles(make_user(role))) <= 7


def test_the_place_one_is_in_is_marked(cast):
    here = [link.title for link in links(cast.nurse, "/screening/new/") if link.here]
    assert here == ["Screening"]


def test_only_ones_own_sites_can_be_chosen(cast):
    client = sign_in(cast.investigator)
    client.post("/choices/site/", {"site": cast.site.pk})
    assert client.session["site"] == cast.site.pk
    client.post("/choices/site/", {"site": 999999})
    assert "site" not in client.session


def test_a_choice_returns_to_its_page_and_never_to_another_host(cast, nurse_client):
    own = nurse_client.post("/choices/theme/", {"theme": "dark", "next": "/subjects/?status=died"})
    assert own.url == "/subjects/?status=died"
    foreign = nurse_client.post("/choices/theme/", {"next": "https://evil.example/"})
    assert foreign.url == "/"


@pytest.mark.parametrize(
    ("theme", "shown"), [("dark", b'data-bs-theme="dark"'), ("light", b'data-bs-theme="light"')]
)
def test_the_server_paints_the_chosen_colours(cast, nurse_client, theme, shown):
    nurse_client.post("/choices/theme/", {"theme": theme})
    assert shown in nurse_client.get("/").content


def test_unknown_colours_are_the_devices(cast, nurse_client):
    nurse_client.post("/choices/theme/", {"theme": "plaid"})
    assert b"data-bs-theme=" not in nurse_client.get("/").content


def test_a_demonstration_says_so_on_every_page(cast, nurse_client, settings):
    settings.DEMO, settings.ENVIRONMENT = True, "DEMO"
    page = nurse_client.get("/").content.decode()
    assert "SYNTHETIC DATA" in page
    assert "DEMO NCT06904755" in page
    assert "env-demo" in page


def test_pages_carry_no_inline_style_and_no_foreign_address(cast, nurse_client):
    make_record(make_subject(cast.site))
    for path in ("/", "/subjects/", "/search/"):
        page = nurse_client.get(path).content.decode()
        assert "style=" not in page
        assert 'src="http' not in page
        assert "<script>" not in page


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412, 423, 429, 500])
def test_every_error_says_what_happened_and_what_to_do(rf, status, django_assert_num_queries):
    request = rf.get("/somewhere/")
    with django_assert_num_queries(0):
        page = error_page(request, status).content.decode()
    assert "Go to Today" in page
    assert str(status) in page


def test_a_missing_page_is_an_error_page_for_anyone(db):
    answer = Client().get("/nowhere/")
    assert answer.status_code == 404
    assert b"Go to Today" in answer.content


def test_what_forbids_work_outweighs_what_asks_for_it(cast):
    record = make_record(make_subject(cast.site))
    assert state_of(record).key == "not_started"
    record.status = "complete"
    record.open_queries = 2  # type: ignore[attr-defined]
    assert state_of(record).key == "queried"
    record.lock_state = "locked"
    assert state_of(record).key == "locked"
    record.voided_at = "2026-11-22"
    assert state_of(record).key == "voided"


def test_every_state_has_its_word_also_where_only_the_icon_shows():
    for key, known in STATES.items():
        for label in (True, False):
            shown = state(key, label=label)
            assert str(known.word) in shown
            assert f"state-{key}" in shown


def test_an_unknown_icon_fails_where_it_is_written():
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon")


def test_the_head_names_the_versions_in_force_where_one_works(cast, nurse_client, tmp_path):
    """Not the file's on the server; and the target on Today is of the version in force."""
    text = PROTOCOL.read_text(encoding="utf-8")
    text = text.replace('version: "1.0"', 'version: "2.0"', 1)
    text = text.replace("target_enrolment: {value: 10,", "target_enrolment: {value: 12,", 1)
    path = tmp_path / "second.yaml"
    path.write_text(text, encoding="utf-8")
    first = make_protocol(cast.site, cast.other_site)
    today = trial_today(cast.site.time_zone)
    second = given(register_version)(path)
    given(approve_version)(site=cast.site, version=second, effective_on=today)
    given(approve_version)(
        site=cast.other_site, version=second, effective_on=today + dt.timedelta(days=2)
    )

    assert "Protocol 2.0<" in nurse_client.get("/").content.decode()
    both = sign_in(cast.investigator)
    page = both.get("/").content.decode()
    assert f"Protocol {first.version}, 2.0<" in page
    assert "0/12" in page
    both.post("/choices/site/", {"site": cast.other_site.pk})
    assert f"Protocol {first.version}<" in both.get("/").content.decode()


@pytest.mark.parametrize("who", ["monitor", "auditor", "data_manager"])
def test_who_looks_samples_over_finds_them_beside_the_protocol(cast, who):
    user = getattr(cast, who)
    tabs = [link.title for link in study_tabs(user, "/protocol/")]
    assert "Samples" in tabs
    assert "Samples" not in [link.title for link in links(user, "/")]
    assert [link.title for link in links(user, "/samples/excursions/") if link.here] == ["Protocol"]
    assert sign_in(user).get("/samples/").status_code == 200


def test_who_handles_samples_finds_them_in_the_rail_alone(cast):
    assert "Samples" in titles(cast.nurse)
    assert "Samples" not in [link.title for link in study_tabs(cast.nurse, "/protocol/")]
