"""Who could do what where on a past day, whatever has happened since."""

from __future__ import annotations

import csv
import datetime as dt
import io
from urllib.parse import urlsplit

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from tests.access.browser import acts, sign_in_fully
from tests.factories import given, make_site, make_user, sign_in
from trialsite.access import services
from trialsite.access.capabilities import Capability, Role
from trialsite.access.context import context_of
from trialsite.access.models import Membership, User
from trialsite.access.reports import State, access_on
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import NotPermittedError

pytestmark = pytest.mark.requirement("IA7")


def _at(day: str, hour: int = 9) -> dt.datetime:
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(hour), dt.UTC)


@pytest.fixture
def history(db):
    """A nurse who came in March, left in May, came back in July; told in September."""
    with time_machine.travel(_at("2026-01-05"), tick=False) as clock:
        site = make_site("001")
        admin = make_user(Role.STUDY_ADMINISTRATOR, full_name="Ada Administrator")
        nurse = make_user(full_name="=Nora", trained=False)

        def act(day: str, function, **fields):
            clock.move_to(_at(day))
            by = User.objects.get(pk=admin.pk)
            with acting(context_of(by, Channel.UI)):
                return function(by=by, **fields)

        person = User.objects.get(pk=nurse.pk)
        line = act(
            "2026-03-01", services.grant_membership, user=person, role=Role.RESEARCH_NURSE,
            site=site, valid_from=dt.date(2026, 3, 2),
        )  # fmt: skip
        act(
            "2026-03-10", services.record_training, user=person, topic="GCP",
            trained_on=dt.date(2026, 3, 10),
        )  # fmt: skip
        clock.move_to(_at("2026-04-01", 8))
        sign_in_fully(person)
        act("2026-05-10", services.deactivate_person, user=person, reason="left")
        person = User.objects.get(pk=nurse.pk)
        act("2026-07-01", services.reactivate_person, user=person, reason="back")
        act(
            "2026-08-01", services.end_membership, membership=line,
            ended_on=dt.date(2026, 8, 15), reason="moved",
        )  # fmt: skip
        clock.move_to(_at("2026-09-01"))
        yield User.objects.get(pk=admin.pk), nurse


def _lines(history: tuple[User, User], day: str):
    admin, nurse = history
    report = access_on(by=admin, date=dt.date.fromisoformat(day))
    return [line for line in report if line.membership.user_id == nurse.pk]


@pytest.mark.parametrize(
    ("day", "state", "trained", "signed_in"),
    [
        ("2026-03-02", State.ACTIVE, False, False),
        ("2026-03-10", State.ACTIVE, True, False),
        ("2026-04-01", State.ACTIVE, True, True),
        ("2026-05-09", State.ACTIVE, True, True),
        ("2026-05-10", State.PARTLY, True, True),
        ("2026-05-11", State.DEACTIVATED, True, True),
        ("2026-06-30", State.DEACTIVATED, True, True),
        ("2026-07-01", State.PARTLY, True, True),
        ("2026-07-02", State.INVITED, True, True),
        ("2026-08-15", State.INVITED, True, True),
    ],
)
def test_a_past_day_is_told_as_it_was(history, day, state, trained, signed_in):
    (line,) = _lines(history, day)
    assert line.state is state
    assert (line.training is not None) is trained
    assert (line.last_sign_in is not None) is signed_in
    assert Capability.ENTER_DATA in line.capabilities


def test_who_was_only_invited_could_not_sign_in_and_the_report_says_so(db):
    admin = make_user(Role.STUDY_ADMINISTRATOR)
    site = make_site("001")
    with acting(context_of(admin, Channel.UI)):
        person, link = services.invite_person(
            by=admin, full_name="Nora New", email="nora@example.org", language="en",
            role=Role.RESEARCH_NURSE, site=site,
            valid_from=dt.datetime.now(dt.UTC).date(), valid_until=None,
        )  # fmt: skip

    def state():
        lines = access_on(by=admin, date=dt.datetime.now(dt.UTC).date())
        return {line.membership.user_id: line.state for line in lines}

    assert state() == {admin.pk: State.ACTIVE, person.pk: State.INVITED}
    assert "Invited" in sign_in(admin).get("/access-report/").content.decode()
    password = "four gentle herons"
    answer = Client().post(urlsplit(link).path, {"password1": password, "password2": password})
    assert answer.status_code == 302
    assert state()[person.pk] is State.ACTIVE


@pytest.mark.parametrize("day", ["2026-01-31", "2026-03-01", "2026-08-16", "2026-09-01"])
def test_before_and_after_the_role_there_is_no_line(history, day):
    assert _lines(history, day) == []


def test_a_day_before_the_account_existed_lists_nobody(history):
    admin, _nurse = history
    assert access_on(by=admin, date=dt.date(2026, 1, 4)) == []


def test_the_page_and_the_csv_say_the_same_and_run_nothing(history):
    admin, _nurse = history
    client = sign_in(admin)
    page = client.get("/access-report/", {"on": "2026-04-01"}).content.decode()
    assert "=Nora" in page
    answer = client.get("/access-report/", {"on": "2026-04-01", "format": "csv"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    nora = next(row for row in rows if "Nora" in row["person"])
    assert nora["person"] == "'=Nora"
    assert nora["last sign-in (UTC)"] == "2026-04-01 08:00:00"
    assert nora["state"] == "active"
    assert [event.actor_id for event in acts("access_report_downloaded")] == [admin.pk]


def test_a_nonsense_date_is_explained_not_an_error(cast):
    answer = sign_in(cast.administrator).get("/access-report/", {"on": "yesterday"})
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


@pytest.mark.requirement("IA2")
def test_a_site_sees_its_own_people_and_the_study_wide_ones(cast):
    page = sign_in(cast.monitor).get("/access-report/").content.decode()
    assert cast.nurse.full_name in page
    assert cast.investigator.full_name in page
    assert cast.stranger.full_name not in page
    everything = sign_in(cast.administrator).get("/access-report/").content.decode()
    assert cast.stranger.full_name in everything


@pytest.mark.parametrize("name", ["report", "delegation", "trainings"])
def test_the_logs_open_for_those_who_may_see_access_and_for_nobody_else(cast, name):
    path = reverse(f"access:{name}")
    for who in (
        cast.administrator,
        cast.investigator,
        cast.monitor,
        cast.data_manager,
        cast.auditor,
    ):
        assert sign_in(who).get(path).status_code == 200
    for who in (cast.nurse, cast.sub_investigator):
        assert sign_in(who).get(path).status_code == 403
        with pytest.raises(NotPermittedError):
            access_on(by=who, date=dt.date(2026, 4, 1))


def test_the_delegation_log_keeps_ended_lines(cast):
    given(Membership.objects.filter(user=cast.nurse).update)(ended_on=dt.date(2026, 6, 1))
    page = sign_in(cast.administrator).get(reverse("access:delegation")).content.decode()
    assert "2026-06-01" in page
