"""Keys of programs: shown once, kept as a hash, never more than their person, gone at once."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
import re
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.access.browser import acts, sign_in_fully
from tests.factories import PASSWORD, Cast, given, make_record, make_subject, sign_in
from trialsite.access import services
from trialsite.access.api_tokens import PREFIX, create_token
from trialsite.access.capabilities import Role
from trialsite.access.models import ApiToken, Membership, User

PAGE = "/account/tokens/"


def ask(token: str, path: str = "subjects/", client: Client | None = None, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return (client or Client()).get(f"/api/v1/{path}", headers=headers, **options)


def write(token: str, record: uuid.UUID) -> Any:
    """Vital signs of a record, as a program sends them; a browser's CSRF rules are on."""
    return Client(enforce_csrf_checks=True).put(
        f"/api/v1/crf/vs/{record}/",
        json.dumps({"values": {}, "units": {}, "missing": {}, "confirmed": {}}),
        "application/json",
        headers={"Authorization": f"Bearer {token}", "If-Match": '"0"'},
    )


@given
def make_token(user: User, **options: Any) -> str:
    """A key made for a person, by its text."""
    chosen: dict[str, Any] = {"name": "A program", "days": 30} | options
    text, _token = create_token(user=user, **chosen)
    return text


@given
def change(text: str, **fields: Any) -> None:
    ApiToken.objects.filter(hint=text[: len(PREFIX) + 4]).update(**fields)


@pytest.fixture
def subject(cast: Cast) -> Any:
    return make_subject(cast.site)


@pytest.mark.requirement("IA8")
def test_a_token_is_made_after_the_password_shown_once_and_opens_the_api(cast, subject):
    browser = sign_in_fully(cast.nurse)
    with_old_password = sign_in(cast.nurse)
    assert with_old_password.get(PAGE)["Location"].startswith("/account/reauthenticate/")
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    page = browser.post(PAGE, {"name": "Monthly listing", "days": "90", "site": "", "role": ""})
    found = re.search(rf'value="({PREFIX}[^"]+)"', page.content.decode())
    assert found
    token = html.unescape(found.group(1))
    assert [each["id"] for each in ask(token).json()["results"]] == [str(subject.pk)]
    again = browser.get(PAGE).content.decode()
    assert "Monthly listing" in again
    assert token not in again


@pytest.mark.requirement("IA8")
def test_the_database_and_the_trail_do_not_hold_the_token(cast):
    token = make_token(cast.nurse)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM access_apitoken t")
        [[row]] = cursor.fetchall()
    secret = token.removeprefix(PREFIX)
    assert secret not in row
    assert cast.nurse.full_name
    assert token[: len(PREFIX) + 4] in row


@pytest.mark.requirement("IA8", "IA5")
@pytest.mark.parametrize(
    "ended",
    [
        lambda: {"expires_at": timezone.now() - dt.timedelta(seconds=1)},
        lambda: {"revoked_at": timezone.now(), "revoked_by_id": User.objects.values("pk")[:1]},
    ],
    ids=["expired", "revoked"],
)
def test_an_ended_token_opens_nothing_not_even_with_a_session_beside_it(cast, subject, ended):
    token = make_token(cast.nurse)
    assert ask(token).status_code == 200
    change(token, **ended())
    for client in (Client(), sign_in(cast.nurse)):
        refused = ask(token, client=client)
        assert refused.status_code == 401
        assert refused["WWW-Authenticate"].startswith("Bearer")
        assert refused["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("shown", ["Bearer trialsite_unknown", "Bearer", "Basic bm9ib2R5Og==", "x"])
def test_what_is_no_token_is_refused_even_with_a_session_beside_it(cast, shown):
    answer = sign_in(cast.nurse).get("/api/v1/subjects/", headers={"Authorization": shown})
    assert answer.status_code == 401


@pytest.mark.requirement("IA8", "IA5")
def test_a_token_ends_with_its_person(cast, subject):
    token = make_token(cast.nurse)

    @given
    def switch_off() -> None:
        User.objects.filter(pk=cast.nurse.pk).update(is_active=False, deactivated_at=timezone.now())

    switch_off()
    assert ask(token).status_code == 401


@pytest.mark.requirement("IA8")
@pytest.mark.parametrize("away", [False, True], ids=["lost everything", "came back"])
def test_whoever_begins_anew_begins_without_the_tokens_of_before(cast, subject, away):
    token = make_token(cast.nurse)
    assert ask(token).status_code == 200
    given(_begin_anew)(cast.administrator, cast.nurse, away=away)
    taken = User.objects.get(pk=cast.nurse.pk)
    given(_set_password)(taken)
    assert ask(token).status_code == 401
    assert ApiToken.objects.get(user=cast.nurse).revoked_by == cast.administrator


def _begin_anew(by: User, user: User, *, away: bool) -> None:
    if away:
        services.deactivate_person(by=by, user=user, reason="left")
        services.reactivate_person(by=by, user=user, reason="back")
    else:
        services.invite_again(by=by, user=user, reason="phone and laptop stolen")


def _set_password(user: User) -> None:
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])


def test_a_token_loses_what_its_person_loses(cast, subject):
    token = make_token(cast.nurse)

    @given
    def end() -> None:
        today = dt.datetime.now(dt.UTC).date()
        Membership.objects.filter(user=cast.nurse).update(ended_on=today)

    end()
    assert ask(token).status_code == 403


@pytest.mark.requirement("IA8")
def test_a_read_only_token_cannot_write_and_a_writing_one_says_so_in_the_trail(cast, subject):
    record = make_record(subject)
    assert write(make_token(cast.nurse), record.pk).status_code == 403
    assert write(make_token(cast.nurse, read_only=False), record.pk).status_code == 200
    [noted] = acts("api_token_used")
    assert (noted.new or {})["name"] == "A program"
    assert noted.actor_id == cast.nurse.pk


@pytest.mark.requirement("IA8")
def test_a_token_for_one_site_sees_that_site_alone(cast):
    here, there = make_subject(cast.site), make_subject(cast.other_site)
    seen = [each["id"] for each in ask(make_token(cast.data_manager)).json()["results"]]
    assert {str(here.pk), str(there.pk)} <= set(seen)
    narrow = make_token(cast.data_manager, site=cast.site)
    assert [each["id"] for each in ask(narrow).json()["results"]] == [str(here.pk)]
    assert ask(narrow, f"subjects/{there.pk}/").status_code == 404


@pytest.mark.requirement("IA8")
def test_a_token_for_one_role_has_the_powers_of_that_role_alone(cast):
    both = cast.data_manager

    @given
    def also_auditor() -> None:
        Membership.objects.create(
            user=both, role=Role.STUDY_ADMINISTRATOR, valid_from=dt.date(2026, 1, 1)
        )

    also_auditor()
    narrow = make_token(User.objects.get(pk=both.pk), role=Role.STUDY_ADMINISTRATOR)
    assert ask(make_token(both), "datasets/").status_code == 200
    assert ask(narrow, "datasets/").status_code == 403


def test_nobody_makes_a_token_for_a_role_or_site_that_is_not_theirs(cast):
    browser = sign_in_fully(cast.nurse)
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    common = {"name": "A program", "days": "30"}
    for more in ({"site": cast.other_site.pk}, {"role": Role.DATA_MANAGER}, {"days": "4000"}):
        page = browser.post(PAGE, common | more)
        assert PREFIX not in page.content.decode()
    assert not ApiToken.objects.exists()


def test_a_person_revokes_their_own_and_the_administrator_anybodys(cast, subject):
    mine, other = make_token(cast.nurse), make_token(cast.nurse, name="Other")
    pks = dict(ApiToken.objects.values_list("name", "pk"))
    stranger = sign_in(cast.stranger)
    assert stranger.post(f"{PAGE}{pks['A program']}/revoke/").status_code == 404
    sign_in(cast.nurse).post(f"{PAGE}{pks['A program']}/revoke/")
    assert ask(mine).status_code == 401
    administrator = sign_in(cast.administrator)
    assert "Other" in administrator.get(f"/people/{cast.nurse.pk}/").content.decode()
    administrator.post(f"{PAGE}{pks['Other']}/revoke/")
    assert ask(other).status_code == 401


def test_a_token_opens_no_page(cast):
    token = make_token(cast.nurse)
    answer = Client().get("/", headers={"Authorization": f"Bearer {token}"})
    assert answer["Location"].startswith("/account/login/")


def test_the_page_says_when_a_token_was_last_used(cast, subject):
    token = make_token(cast.nurse)
    ask(token)
    ask(token)
    assert ApiToken.objects.get().last_used_on == timezone.now().date()


def test_the_operator_makes_a_token_by_command(cast, subject):
    out = io.StringIO()
    call_command("create_api_token", cast.nurse.email, "--name", "Nightly", stdout=out)
    token = out.getvalue().strip()
    assert ask(token).status_code == 200
    assert ApiToken.objects.get().read_only
    with pytest.raises(CommandError, match="no such active person"):
        call_command("create_api_token", "nobody@example.org", "--name", "x")
    with pytest.raises(CommandError, match="no such role"):
        call_command(
            "create_api_token", cast.nurse.email, "--name", "x", "--role", Role.DATA_MANAGER
        )
