"""The delivery log: who sees what of it, and what can be done about a notice."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.factories import as_person, given, make_user, sign_in
from tests.notify.planned import Agenda, bell, deliver, plan, tell
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.notify.models import (
    DIGEST,
    DeliveryAttempt,
    Notice,
    Outcome,
    Preferences,
    State,
)
from trialsite.notify.outbox import Sealed, queue_mail
from trialsite.notify.services import cancel_notice, send_again

#: At the sites.
NOON = dt.datetime(2026, 12, 1, 4, tzinfo=dt.UTC)


@pytest.fixture
def agenda(planners, sink):
    return Agenda()


@pytest.fixture
def site_investigator(cast):
    return make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site, full_name="Sita Siteinvestigator")


@pytest.mark.requirement("IA2")
def test_the_log_shows_ones_own_sites_only(cast, agenda, site_investigator):
    tell(agenda, cast.nurse, site=cast.site)
    tell(agenda, cast.stranger, site=cast.other_site)
    queue_mail(Sealed(cast.stranger.email, "reset", "x"))
    plan()
    client = sign_in(site_investigator)
    page = client.get("/notices/log/").content.decode()
    assert "Nora Nurse" in page
    assert "Research nurse" in page
    assert "Stella Stranger" not in page
    for notice in Notice.objects.exclude(recipient=cast.nurse):
        assert client.get(f"/notices/log/{notice.pk}/").status_code == 404
        assert client.post(f"/notices/log/{notice.pk}/cancel/", {"reason": "x"}).status_code == 404
    whole = sign_in(cast.data_manager).get("/notices/log/").content.decode()
    assert "Stella Stranger" in whole
    assert "Mail about the account" in whole


def test_a_nurse_does_not_see_the_log_and_an_auditor_only_reads_it(cast, agenda, nurse_client):
    tell(agenda, cast.nurse, site=cast.site)
    plan()
    notice = Notice.objects.get()
    assert nurse_client.get("/notices/log/").status_code == 403
    auditor = sign_in(cast.auditor)
    page = auditor.get(f"/notices/log/{notice.pk}/").content.decode()
    assert "Reminder of visit" in page
    assert "Cancel this reminder" not in page
    assert auditor.post(f"/notices/log/{notice.pk}/cancel/", {"reason": "x"}).status_code == 403


@pytest.mark.requirement("IA4", "PR3")
def test_who_sees_no_casebook_sees_no_subject_in_the_log(cast, agenda):
    tell(agenda, cast.nurse, site=cast.site)
    plan()
    notice = Notice.objects.get()
    for path in ("/notices/log/", f"/notices/log/{notice.pk}/"):
        assert "001-T001" in sign_in(cast.data_manager).get(path).content.decode()
        assert "001-T001" not in sign_in(cast.administrator).get(path).content.decode()


def test_the_log_is_narrowed(cast, agenda):
    other = Agenda("other")
    tell(agenda, cast.nurse, site=cast.site)
    tell(other, cast.stranger, site=cast.other_site, ago=dt.timedelta(days=40))
    plan()
    client = sign_in(cast.data_manager)
    today = trial_now().date()
    for query, found in (
        ("", {"visit", "other"}),
        ("kind=other", {"other"}),
        (f"site={cast.site.pk}", {"visit"}),
        ("state=sent", set()),
        ("state=planned", {"visit", "other"}),
        (f"since={today - dt.timedelta(days=2)}", {"visit"}),
        (f"until={today - dt.timedelta(days=2)}", {"other"}),
        ("person=stella", {"other"}),
        ("unsaid=on", set()),
        ("state=nonsense&since=never", {"visit", "other"}),
    ):
        page = client.get(f"/notices/log/?{query}").content.decode()
        body = page[page.find("<tbody>") :] if "<tbody>" in page else ""
        assert {kind for kind in ("visit", "other") if f"Reminder of {kind}" in body} == found, (
            query
        )


def test_what_reached_nobody_shows_at_the_bell_of_who_looks_after_it(cast, agenda, sink):
    sink.refuse[cast.nurse.email] = "550 no such person"
    tell(agenda, cast.nurse, site=cast.site)
    deliver()
    assert "1 reminder reached nobody" in bell(sign_in(cast.data_manager))
    assert "reached nobody" not in bell(sign_in(cast.auditor))
    assert "reached nobody" not in bell(sign_in(cast.nurse))
    page = sign_in(cast.data_manager).get("/notices/log/?unsaid=1").content.decode()
    assert "Nora Nurse" in page
    attempt = sign_in(cast.data_manager).get(f"/notices/log/{Notice.objects.get().pk}/")
    assert "550 no such person" in attempt.content.decode()


@pytest.mark.requirement("AT6")
def test_sending_again_is_an_act_with_a_reason_and_a_message_of_its_own(cast, agenda, sink):
    tell(agenda, cast.nurse, site=cast.site)
    deliver()
    notice = Notice.objects.get()
    client = sign_in(cast.data_manager)
    assert client.post(f"/notices/log/{notice.pk}/again/", {"reason": " "}).status_code == 422
    client.post(f"/notices/log/{notice.pk}/again/", {"reason": "She never got it"})
    deliver()
    first, second = sink.ids()
    assert first == notice.message_id
    assert second == Notice.objects.get().message_id != first
    with as_person(cast.data_manager):
        event = Event.objects.get(act="notice_sent_again")
    assert (event.actor_id, event.reason) == (cast.data_manager.pk, "She never got it")
    assert event.site_id == cast.site.pk


@pytest.mark.requirement("RM1")
def test_what_is_no_longer_due_does_not_leave_however_often_it_is_asked_for(cast, agenda, sink):
    key = tell(agenda, cast.nurse, site=cast.site)
    deliver()
    agenda.done.add(key)
    notice = Notice.objects.get()
    with as_person(cast.data_manager):
        send_again(notice=notice, reason="again", by=cast.data_manager)
    deliver()
    assert len(sink.arrived) == 1
    notice.refresh_from_db()
    assert notice.state == State.SENT
    assert list(notice.log.values_list("outcome", flat=True)) == [Outcome.SENT, Outcome.CANCELLED]


def test_a_digest_that_failed_is_sent_again_as_a_whole(cast, planners, sink, clock):
    clock(NOON)
    agenda = Agenda(bundled=True)
    for _ in range(2):
        tell(agenda, cast.nurse, site=cast.site)
    sink.refuse[cast.nurse.email] = "550 no such person"
    deliver()
    sink.refuse.clear()
    member = Notice.objects.filter(kind="visit")[0]
    with as_person(cast.data_manager):
        again = send_again(notice=member, reason="the address is right now", by=cast.data_manager)
    assert again.kind == DIGEST
    deliver()
    page = sign_in(cast.data_manager).get(f"/notices/log/{again.pk}/").content.decode()
    assert page.count("001-T001 visit 2026-11-22") == 2
    assert "550 no such person" in page
    page = sign_in(cast.data_manager).get(f"/notices/log/{member.pk}/").content.decode()
    assert "The attempts stand with the digest." in page
    assert f"/notices/log/{again.pk}/" in page
    [message] = sink.arrived
    assert message["Subject"] == "2 reminders"
    assert set(Notice.objects.values_list("state", flat=True)) == {State.SENT}


def test_a_cancelled_reminder_is_told_to_nobody(cast, agenda, sink, nurse_client):
    tell(agenda, cast.nurse, site=cast.site)
    plan()
    notice = Notice.objects.get()
    client = sign_in(cast.data_manager)
    client.post(f"/notices/log/{notice.pk}/cancel/", {"reason": "Planned in error"})
    deliver()
    assert not sink.arrived
    assert "001-T001" not in nurse_client.get("/notices/").content.decode()
    assert DeliveryAttempt.objects.get().outcome == Outcome.CANCELLED
    with as_person(cast.data_manager):
        assert Event.objects.get(act="notice_cancelled").reason == "Planned in error"


@pytest.mark.parametrize(
    ("state", "act", "words"),
    [
        (State.PLANNED, send_again, "still on its way"),
        (State.CANCELLED, send_again, "no longer due"),
        (State.CANCELLED, cancel_notice, "come to its end"),
        (State.SENT, cancel_notice, "come to its end"),
        (State.SENDING, cancel_notice, "being sent right now"),
        (State.SENDING, send_again, "still on its way"),
    ],
)
def test_an_act_that_makes_no_sense_is_refused(state, act, words, cast, agenda):
    tell(agenda, cast.nurse, site=cast.site)
    plan()
    notice = Notice.objects.get()
    notice.state = state
    notice.sent_at = trial_now() if state is State.SENT else None
    notice.lease_until = trial_now() if state is State.SENDING else None
    given(notice.save)()
    with as_person(cast.data_manager), pytest.raises(DomainError, match=words):
        act(notice=notice, reason="x", by=cast.data_manager)


def test_nothing_is_sent_again_to_who_is_gone_or_wants_none_or_of_what_is_wiped(cast, agenda):
    tell(agenda, cast.stranger, site=cast.site)
    tell(agenda, cast.nurse, site=cast.site)
    given(Preferences.objects.create)(user=cast.nurse, switched_off=["visit"])
    queue_mail(Sealed(cast.monitor.email, "s", "b"))
    deliver()
    for person, words in (
        (cast.stranger, "nobody to send it to"),
        (cast.nurse, "in Trialsite only"),
        (cast.monitor, "Its text is gone"),
    ):
        notice = Notice.objects.get(recipient=person)
        with as_person(cast.data_manager), pytest.raises(DomainError, match=words):
            send_again(notice=notice, reason="x", by=cast.data_manager)


# -- API -------------------------------------------------------------------------------


def test_the_api_lists_what_was_said_to_whom(cast, agenda, sink, site_investigator):
    tell(agenda, cast.nurse, site=cast.site)
    tell(agenda, cast.stranger, site=cast.other_site)
    deliver()
    client = sign_in(site_investigator)
    [row] = client.get("/api/v1/reminders/").json()["results"]
    assert (row["recipient"], row["SITEID"], row["state"]) == ("Nora Nurse", "001", "sent")
    assert [each["outcome"] for each in row["log"]] == ["sent"]
    assert "001-T001" not in str(row)
    assert client.get(f"/api/v1/reminders/{row['id']}/").json() == row
    other = Notice.objects.get(recipient=cast.stranger)
    assert client.get(f"/api/v1/reminders/{other.pk}/").status_code == 404
    for query, count in (
        ("state=sent", 1),
        ("kind=other", 0),
        ("site=002", 0),
        ("channel=mail", 1),
    ):
        assert client.get(f"/api/v1/reminders/?{query}").json()["count"] == count
    assert client.get("/api/v1/reminders/?recipient=1").status_code == 400
    assert sign_in(cast.nurse).get("/api/v1/reminders/").status_code == 403


@pytest.mark.requirement("IA2")
def test_a_digest_with_another_sites_reminder_is_not_theirs_to_cancel(
    cast, planners, sink, clock, site_investigator
):
    clock(NOON)
    agenda = Agenda(bundled=True)
    given(Membership.objects.create)(
        user=cast.nurse,
        site=cast.other_site,
        role=Role.RESEARCH_NURSE,
        valid_from=dt.date(2026, 1, 1),
    )
    for site in (cast.site, cast.other_site):
        tell(agenda, cast.nurse, site=site)
    sink.refuse[cast.nurse.email] = "451 later"
    deliver()
    digest = Notice.objects.get(kind=DIGEST)
    assert digest.site_id == cast.site.pk
    with as_person(site_investigator), pytest.raises(NotPermittedError):
        cancel_notice(notice=digest, reason="Ours alone", by=site_investigator)
    with as_person(cast.data_manager):
        cancel_notice(notice=digest, reason="All of it", by=cast.data_manager)
