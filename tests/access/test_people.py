"""People and sites: granted by somebody else, ended but never edited, told from the trail."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse

from tests.access.browser import acts
from tests.access.test_invitations import invite
from tests.factories import given, make_site, make_user, sign_in
from trialsite.access import services
from trialsite.access.capabilities import Role
from trialsite.access.context import context_of
from trialsite.access.models import Membership, Site, Training, User
from trialsite.audit.models import Event
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError

TODAY = dt.date(2026, 11, 22)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


@pytest.fixture
def as_administrator(cast):
    """The administrator's context, as a page would set it."""
    with acting(context_of(cast.administrator, Channel.UI)):
        yield cast.administrator


@pytest.mark.requirement("ES4")
@pytest.mark.parametrize(
    "variant",
    ["nora@example.org", "NORA@example.org", " nora@Example.ORG ", "ｎｏｒａ@example.org"],
)
def test_an_address_is_never_given_to_a_second_person(as_administrator, cast, variant):
    make_user(email="nora@example.org")
    with pytest.raises(DomainError, match="One account is one person"):
        services.invite_person(
            by=as_administrator, full_name="Other", email=variant, language="en",
            role=Role.MONITOR, site=cast.site, valid_from=TODAY,
        )  # fmt: skip


@pytest.mark.requirement("ES4")
@pytest.mark.parametrize("email", ["NORA@example.org", "ｎｏｒａ@example.org", "nora@example.org"])
def test_the_database_itself_refuses_a_second_spelling(as_administrator, email):
    make_user(email="nora@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email=email, full_name="Other")])


@pytest.mark.requirement("ES4")
def test_an_account_cannot_be_deleted_by_the_application(as_administrator, cast):
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM access_user WHERE id = %s", [cast.nurse.pk])


@pytest.mark.requirement("ES4")
def test_not_even_the_owner_deletes_an_account(committed):
    import psycopg

    from tests.databases import owner_url

    user = make_user()
    with (
        psycopg.connect(owner_url(committed)) as owner,
        pytest.raises(psycopg.Error, match="refused"),
    ):
        owner.execute("DELETE FROM access_user WHERE id = %s", [user.pk])


@pytest.mark.requirement("IA4")
def test_nobody_grants_a_role_to_themselves(as_administrator):
    with pytest.raises(NotPermittedError, match="themselves"):
        services.grant_membership(
            by=as_administrator, user=as_administrator, role=Role.AUDITOR, site=None,
            valid_from=TODAY,
        )  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(
            user=as_administrator, role=Role.AUDITOR, valid_from=TODAY, granted_by=as_administrator
        )


@pytest.mark.requirement("IA4")
@pytest.mark.parametrize("who", ["nurse", "investigator", "monitor", "data_manager", "auditor"])
def test_only_administrators_manage_people_and_sites(cast, who):
    actor = getattr(cast, who)
    with acting(context_of(actor, Channel.UI)):
        attempts = [
            lambda: services.grant_membership(
                by=actor, user=cast.stranger, role=Role.MONITOR, site=cast.site, valid_from=TODAY
            ),
            lambda: services.deactivate_person(by=actor, user=cast.stranger, reason="x"),
            lambda: services.record_training(
                by=actor, user=cast.stranger, topic="GCP", trained_on=TODAY
            ),
            lambda: services.invite_again(by=actor, user=cast.stranger, reason="x"),
            lambda: services.add_site(by=actor, code="007", name="x", time_zone="UTC"),
            lambda: services.change_site(by=actor, site=cast.site, name="x"),
            lambda: services.end_membership(
                by=actor, membership=cast.stranger.memberships.get(), ended_on=_today(), reason="x"
            ),
        ]
        for attempt in attempts:
            with pytest.raises(NotPermittedError):
                attempt()


@pytest.mark.requirement("IA4")
@pytest.mark.parametrize("role", [Role.MONITOR, Role.DATA_MANAGER, Role.STUDY_ADMINISTRATOR])
def test_who_enters_data_is_not_given_oversight_of_them(as_administrator, cast, role):
    with pytest.raises(DomainError, match="cannot be combined"):
        services.grant_membership(
            by=as_administrator, user=cast.nurse, role=role, site=cast.site, valid_from=_today()
        )


def test_a_site_administrator_manages_only_their_site(cast):
    local = make_user(Role.STUDY_ADMINISTRATOR, cast.site)
    client = sign_in(local)
    page = client.get("/people/").content.decode()
    assert cast.nurse.full_name in page
    assert cast.stranger.full_name not in page
    assert client.get(reverse("access:person", args=[cast.stranger.pk])).status_code == 404
    with acting(context_of(local, Channel.UI)):
        for site in (cast.other_site, None):
            with pytest.raises(NotPermittedError):
                services.grant_membership(
                    by=local, user=cast.nurse, role=Role.SAMPLE_TECHNICIAN, site=site,
                    valid_from=TODAY,
                )  # fmt: skip
        with pytest.raises(NotPermittedError):
            services.deactivate_person(by=local, user=cast.investigator, reason="x")
        services.grant_membership(
            by=local, user=cast.nurse, role=Role.SAMPLE_TECHNICIAN, site=cast.site, valid_from=TODAY
        )


@pytest.mark.requirement("AT7")
def test_granting_and_ending_a_role_at_the_pages_leaves_events_with_actor_and_reason(cast):
    client = sign_in(cast.administrator)
    client.post(
        reverse("access:grant", args=[cast.monitor.pk]),
        {"role": Role.AUDITOR, "site": cast.other_site.pk, "valid_from": _today().isoformat()},
    )
    line = cast.monitor.memberships.get(role=Role.AUDITOR)
    assert line.granted_by_id == cast.administrator.pk
    client.post(
        reverse("access:end_membership", args=[line.pk]),
        {"ended_on": _today().isoformat(), "reason": "mandate over"},
    )
    trail = given(
        lambda: list(
            Event.objects.filter(table_name="access_membership", row_id=str(line.pk)).values_list(
                "operation", "actor_id", "reason"
            )
        )
    )()
    assert trail == [
        ("I", cast.administrator.pk, ""),
        ("U", cast.administrator.pk, "mandate over"),
    ]
    assert (
        not User.objects.get(pk=cast.monitor.pk).memberships.on(_today()).filter(role=Role.AUDITOR)
    )


@pytest.mark.requirement("IA7")
def test_a_line_of_the_delegation_log_is_ended_once_and_never_edited(as_administrator, cast):
    line = cast.nurse.memberships.get()
    for change in (
        {"role": Role.MONITOR},
        {"site": cast.other_site},
        {"valid_from": dt.date(2025, 1, 1)},
        {"valid_until": dt.date(2027, 1, 1)},
        {"user": cast.stranger},
    ):
        with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
            Membership.objects.filter(pk=line.pk).update(**change)
    services.end_membership(
        by=as_administrator, membership=line, ended_on=_today(), reason="moved away"
    )
    with pytest.raises(TransitionError):
        services.end_membership(
            by=as_administrator, membership=line, ended_on=_today(), reason="again"
        )
    with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
        Membership.objects.filter(pk=line.pk).update(ended_on=None)


def test_a_role_is_not_ended_in_the_past(as_administrator, cast):
    with pytest.raises(DomainError, match="today or later"):
        services.end_membership(
            by=as_administrator,
            membership=cast.nurse.memberships.get(),
            ended_on=_today() - dt.timedelta(days=1),
            reason="x",
        )


def test_the_same_role_is_not_held_twice_but_can_be_granted_anew(as_administrator, cast):
    grant = {"by": as_administrator, "user": cast.nurse, "role": Role.RESEARCH_NURSE}
    with pytest.raises(DomainError, match="already has this role"):
        services.grant_membership(**grant, site=cast.site, valid_from=_today())
    line = cast.nurse.memberships.get()
    services.end_membership(
        by=as_administrator, membership=line, ended_on=_today(), reason="leave of absence"
    )
    services.grant_membership(**grant, site=cast.site, valid_from=_today() + dt.timedelta(days=30))
    assert cast.nurse.memberships.count() == 2


def test_a_role_that_ran_out_can_be_granted_anew(as_administrator, cast):
    grant = {"by": as_administrator, "user": cast.monitor, "role": Role.AUDITOR, "site": None}
    services.grant_membership(
        **grant, valid_from=dt.date(2026, 1, 1), valid_until=dt.date(2026, 3, 1)
    )
    services.grant_membership(**grant, valid_from=dt.date(2026, 6, 1))
    first = cast.monitor.memberships.get(role=Role.AUDITOR, valid_until__isnull=False)
    assert first.ended_on == dt.date(2026, 3, 2)


@pytest.mark.requirement("IA5")
def test_a_role_opens_and_closes_with_its_dates(db):
    site = make_site()
    nurse = make_user(site=site)
    given(Membership.objects.create)(
        user=nurse, site=site, role=Role.RESEARCH_NURSE,
        valid_from=dt.date(2026, 5, 1), valid_until=dt.date(2026, 5, 31),
    )  # fmt: skip
    for day, holds in ((30, False), (1, True), (31, True), (1, False)):
        month = {30: 4, 31: 5}.get(day, 5 if holds else 6)
        with time_machine.travel(dt.datetime(2026, month, day, 12, tzinfo=dt.UTC), tick=False):
            assert bool(User.objects.get(pk=nurse.pk).access.sites()) is holds


@pytest.mark.requirement("AT7")
def test_deactivation_and_reactivation_stand_in_the_trail_with_their_reason(cast):
    client = sign_in(cast.administrator)
    client.post(reverse("access:deactivate", args=[cast.nurse.pk]), {"reason": "left the site"})
    nurse = User.objects.get(pk=cast.nurse.pk)
    assert not nurse.is_active
    page = client.post(reverse("access:reactivate", args=[nurse.pk]), {"reason": "came back"})
    assert "/account/invitation/" in page.content.decode()
    reasons = given(
        lambda: list(
            Event.objects.filter(table_name="access_user", row_id=str(nurse.pk), operation="U")
            .exclude(reason="")
            .values_list("actor_id", "reason")
            .order_by("eid")
        )
    )()
    assert reasons[0] == (cast.administrator.pk, "left the site")
    assert (cast.administrator.pk, "came back") in reasons
    assert [event.actor_id for event in acts("deactivated")] == [cast.administrator.pk]
    period = nurse.deactivations.get()
    assert period.ended_at is not None


def test_nobody_deactivates_or_resets_themselves(as_administrator):
    for act in (services.deactivate_person, services.invite_again):
        with pytest.raises(NotPermittedError):
            act(by=as_administrator, user=as_administrator, reason="x")


def test_a_reason_is_asked_for(cast):
    client = sign_in(cast.administrator)
    answer = client.post(reverse("access:deactivate", args=[cast.nurse.pk]), {"reason": ""})
    page = answer.content.decode()
    assert 'aria-invalid="true"' in page
    assert User.objects.get(pk=cast.nurse.pk).is_active


@pytest.mark.requirement("AV5")
def test_training_is_recorded_by_somebody_else_and_opens_data_entry(cast):
    client = sign_in(cast.administrator)
    client.post(
        reverse("access:training", args=[cast.nurse.pk]),
        {"topic": "Trialsite", "trained_on": _today().isoformat()},
    )
    line = Training.objects.get(user=cast.nurse, topic="Trialsite")
    assert line.recorded_by_id == cast.administrator.pk
    answer = client.post(
        reverse("access:training", args=[cast.administrator.pk]),
        {"topic": "x", "trained_on": _today().isoformat()},
    )
    assert answer.status_code == 403


@pytest.mark.requirement("IA4")
def test_the_administrator_sees_no_casebook(cast):
    client = sign_in(cast.administrator)
    assert client.get(reverse("dashboard:subjects")).status_code == 403


def test_the_list_of_people_is_filtered_by_site_role_and_state(cast):
    client = sign_in(cast.administrator)
    invite(cast)

    def names(**query: str | int) -> str:
        page = client.get("/people/", query)
        return page.content.decode().partition("<table")[2]

    assert cast.stranger.full_name not in names(site=cast.site.pk)
    assert cast.investigator.full_name in names(site=cast.site.pk)
    assert cast.monitor.full_name in names(role="monitor")
    assert cast.nurse.full_name not in names(role="monitor")
    assert "Nadia New" in names(state="invited")
    assert cast.nurse.full_name not in names(state="invited")
    assert "Nadia New" not in names(state="active")


def test_sites_are_opened_and_corrected_but_their_code_stays(cast):
    client = sign_in(cast.administrator)
    fields = {"code": "014", "name": "North", "name_zh": "北", "time_zone": "Asia/Shanghai"}
    assert client.post("/sites/add/", fields | {"active": "on"}).status_code == 302
    site = Site.objects.get(code="014")
    path = reverse("access:change_site", args=[site.pk])
    assert client.get(path).status_code == 200
    client.post(path, fields | {"code": "099", "name": "North-East", "active": "on"})
    site.refresh_from_db()
    assert (site.code, site.name) == ("014", "North-East")
    for wrong in ({"code": "14"}, {"code": "001"}, {"time_zone": "Mars/Olympus"}):
        assert client.post("/sites/add/", fields | wrong).status_code == 200


def test_the_service_refuses_a_site_that_the_form_would_refuse(as_administrator):
    with pytest.raises(ValidationError):
        services.add_site(by=as_administrator, code="1", name="x", time_zone="UTC")


def test_a_role_is_study_wide_only_when_somebody_says_so(cast):
    client = sign_in(cast.administrator)
    path = reverse("access:grant", args=[cast.monitor.pk])
    fields = {"role": Role.AUDITOR, "valid_from": _today().isoformat()}
    for unclear in ({}, {"site": cast.site.pk, "study_wide": "on"}):
        assert client.post(path, fields | unclear).status_code == 200
    assert client.post(path, fields | {"study_wide": "on"}).status_code == 302
    assert cast.monitor.memberships.get(role=Role.AUDITOR).site is None


def test_an_impossible_grant_is_explained_on_the_form(cast):
    client = sign_in(cast.administrator)
    answer = client.post(
        reverse("access:grant", args=[cast.nurse.pk]),
        {"role": Role.MONITOR, "site": cast.site.pk, "valid_from": _today().isoformat()},
    )
    assert answer.status_code == 200
    assert "cannot be combined" in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deactivate", "its sessions and API tokens are refused"),
        ("invite_again", "Password and second factors are forgotten"),
    ],
)
def test_an_act_that_cannot_be_guessed_from_its_name_is_explained_before_it(cast, name, words):
    page = sign_in(cast.administrator).get(reverse(f"access:{name}", args=[cast.nurse.pk]))
    assert words in page.content.decode()


def test_the_own_page_offers_nothing_that_would_be_refused(cast):
    client = sign_in(cast.administrator)
    own = client.get(reverse("access:person", args=[cast.administrator.pk])).content.decode()
    assert "Nobody grants, ends or trains themselves" in own
    assert "/people/memberships/" not in own
    theirs = client.get(reverse("access:person", args=[cast.nurse.pk])).content.decode()
    assert "/people/memberships/" in theirs
    assert "Nobody grants" not in theirs


@pytest.mark.parametrize("name", ["person", "grant", "training", "deactivate", "invite_again"])
def test_the_pages_about_a_person_open(cast, name):
    client = sign_in(cast.administrator)
    page = client.get(reverse(f"access:{name}", args=[cast.nurse.pk]))
    assert page.status_code == 200
    assert cast.nurse.full_name in page.content.decode()


def test_the_profile_shows_ones_own_roles_and_training(cast):
    page = sign_in(cast.nurse).get("/account/profile/").content.decode()
    assert "Research nurse" in page
    assert "GCP" in page
