"""The pages of notices: one's own bell, how one is told."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import as_person, given, sign_in
from tests.notify.planned import HOUR, Agenda, bell, deliver, plan, tell
from trialsite.audit.models import Event
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.notify.models import (
    DIGEST,
    Hush,
    Notice,
    Preferences,
    State,
)
from trialsite.notify.outbox import Sealed, queue_mail
from trialsite.notify.planning import plan_notices
from trialsite.notify.services import set_preferences

#: At the sites.
NOON = dt.datetime(2026, 12, 1, 4, tzinfo=dt.UTC)


@pytest.fixture
def agenda(planners, sink):
    return Agenda()


# -- one's own -------------------------------------------------------------------------


def test_a_notice_is_shown_with_its_text_and_where_it_leads(cast, agenda, nurse_client):
    key = tell(agenda, cast.nurse, site=cast.site)
    plan()
    page = nurse_client.get("/notices/").content.decode()
    assert "001-T001 visit 2026-11-22" in page
    assert "Reminder of visit" in page
    assert "1 new notice" in bell(nurse_client)
    notice = Notice.objects.get(object_id=key)
    assert nurse_client.post(f"/notices/{notice.pk}/open/")["Location"] == f"/x/{key}/"
    assert "new notice" not in bell(nurse_client)
    notice.refresh_from_db()
    assert notice.seen_at


def test_the_reader_reads_it_in_their_language(cast, agenda):
    cast.nurse.language = "zh-hans"
    given(cast.nurse.save)()
    client = sign_in(cast.nurse)
    client.cookies["django_language"] = "zh-hans"
    tell(agenda, cast.nurse)
    plan()
    page = client.get("/notices/").content.decode()
    assert 'lang="zh-hans"' in page
    assert "001-T001 visit" in page


def test_a_person_sees_their_own_notices_and_nobody_elses(cast, agenda, nurse_client):
    tell(agenda, cast.second_nurse, site=cast.site)
    plan()
    notice = Notice.objects.get()
    assert "001-T001" not in nurse_client.get("/notices/").content.decode()
    assert nurse_client.post(f"/notices/{notice.pk}/open/").status_code == 404
    nurse_client.post("/notices/seen/", {"notice": notice.pk})
    nurse_client.post("/notices/seen/")
    notice.refresh_from_db()
    assert notice.seen_at is None


@pytest.mark.requirement("IA2")
def test_what_comes_from_a_site_where_one_works_no_more_is_not_shown(cast, agenda):
    tell(agenda, cast.stranger, site=cast.site)
    plan()
    client = sign_in(cast.stranger)
    assert "001-T001" not in client.get("/notices/").content.decode()
    assert bell(client) == "Notices"


def test_what_is_not_due_yet_or_was_called_off_is_not_shown(cast, agenda, nurse_client):
    agenda.add(cast.nurse, trial_now() + HOUR)
    agenda.done.add(tell(agenda, cast.nurse))
    plan_notices(trial_now() + 2 * HOUR)
    deliver()
    assert "001-T001" not in nurse_client.get("/notices/").content.decode()


def test_what_is_over_before_it_was_sent_says_so(cast, agenda, nurse_client):
    key = tell(agenda, cast.nurse)
    plan()
    agenda.done.add(key)
    assert "No longer due" in nurse_client.get("/notices/").content.decode()


def test_mails_about_accounts_and_digests_are_no_notices(cast, planners, sink, clock, nurse_client):
    clock(NOON)
    queue_mail(Sealed(cast.nurse.email, "reset", "secret"))
    agenda = Agenda(bundled=True)
    tell(agenda, cast.nurse)
    deliver()
    assert Notice.objects.filter(kind=DIGEST).exists()
    assert "1 new notice" in bell(nurse_client)


def test_all_are_marked_as_seen_at_once(cast, agenda, nurse_client):
    for _ in range(3):
        tell(agenda, cast.nurse)
    plan()
    assert "3 new notices" in bell(nurse_client)
    nurse_client.post("/notices/seen/", {"notice": Notice.objects.all()[0].pk})
    assert "2 new notices" in bell(nurse_client)
    assert nurse_client.get("/notices/?show=new").content.decode().count("001-T001") > 0
    nurse_client.post("/notices/seen/")
    assert bell(nurse_client) == "Notices"


def test_a_notice_whose_text_cannot_be_made_is_named_and_the_page_stands(
    cast, agenda, nurse_client, planners
):
    tell(agenda, cast.nurse)
    plan()
    planners.clear()
    page = nurse_client.get("/notices/")
    assert page.status_code == 200
    assert "cannot be shown" in page.content.decode()


def queries(client, path) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("path", ["/notices/", "/notices/log/"])
def test_a_longer_list_costs_no_more_queries(path, cast, agenda):
    client = sign_in(cast.investigator)
    tell(agenda, cast.investigator, site=cast.site)
    plan()
    queries(client, path)
    few = queries(client, path)
    for _ in range(15):
        tell(agenda, cast.investigator, site=cast.site)
    plan()
    assert queries(client, path) == few


def test_the_bell_is_one_query(cast, agenda, nurse_client):
    for _ in range(3):
        tell(agenda, cast.nurse)
    plan()
    nurse_client.get("/account/profile/")
    with CaptureQueriesContext(connection) as captured:
        nurse_client.get("/account/profile/")
    assert sum("notify_notice" in each["sql"] for each in captured) == 1


# -- preferences -----------------------------------------------------------------------

CHOICES = {"wanted": ["visit"], "digest_at": "09:30", "quiet": "site"}


def test_one_chooses_what_is_sent_and_when(cast, agenda, nurse_client):
    Agenda("other")
    typed = CHOICES | {"quiet": "own", "quiet_from": "20:00", "quiet_until": "06:30"}
    assert nurse_client.post("/notices/preferences/", typed).status_code == 302
    chosen = Preferences.objects.get(user=cast.nurse)
    assert chosen.switched_off == ["other"]
    assert (chosen.digest_at, chosen.quiet) == (dt.time(9, 30), Hush.OWN)
    page = nurse_client.get("/notices/preferences/").content.decode()
    assert re.search(r'value="visit" checked', page)
    assert not re.search(r'value="other" checked', page)
    assert 'value="20:00"' in page
    with as_person(cast.auditor):
        assert Event.objects.filter(table_name="notify_preferences").exists()


@pytest.mark.parametrize(
    "typed",
    [
        {"quiet": "own"},
        {"quiet": "own", "quiet_from": "20:00"},
        {"quiet": "own", "quiet_from": "20:00", "quiet_until": "20:00"},
        {"digest_at": "25:00"},
        {"digest_at": ""},
        {"quiet": "never"},
        {"wanted": ["alarm"]},
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_kept(typed, cast, agenda, nurse_client):
    Agenda("alarm", urgent=True)
    answer = nurse_client.post("/notices/preferences/", CHOICES | typed)
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    if typed.get("quiet_from"):
        assert 'value="20:00"' in answer.content.decode()
    assert not Preferences.objects.exists()


def test_what_is_urgent_cannot_be_switched_off(cast, agenda, nurse_client):
    Agenda("alarm", urgent=True)
    page = nurse_client.get("/notices/preferences/").content.decode()
    assert 'value="alarm"' not in page
    assert "Reminder of alarm" in page
    with as_person(cast.nurse), pytest.raises(DomainError, match="cannot be switched off"):
        set_preferences(
            switched_off=["alarm"],
            digest_at=dt.time(8),
            quiet=Hush.SITE,
            quiet_from=None,
            quiet_until=None,
            by=cast.nurse,
        )


def test_ones_choice_is_nobody_elses(cast, agenda, nurse_client):
    nurse_client.post("/notices/preferences/", CHOICES | {"wanted": []})
    assert list(Preferences.objects.values_list("user", flat=True)) == [cast.nurse.pk]
    tell(agenda, cast.second_nurse)
    deliver()
    assert Notice.objects.get().state == State.SENT
