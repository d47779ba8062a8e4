"""The study's principal investigator makes assumptions the study's own, value by value."""

from __future__ import annotations

import html

import psycopg
import pytest
from django.test import Client

from tests import databases
from tests.api.conftest import ApiClient
from tests.audit.conftest import act_as
from tests.factories import as_person, given, make_cast, make_protocol, make_user, sign_in
from tests.signing import factors_of, proof_of
from trialsite.access.capabilities import Role
from trialsite.audit.models import Event
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.protocol import Assumption, Source
from trialsite.review.assumptions import (
    confirm_assumptions,
    confirmed_protocol,
    revoke_confirmation,
)
from trialsite.review.models import ConfirmedAssumption, Signature
from trialsite.review.signatures import void_signature

PAGE = "/protocol/"
CONFIRM = "/protocol/assumptions/confirm/"


@pytest.fixture
def version(cast) -> ProtocolVersion:
    found: ProtocolVersion = make_protocol(cast.site, cast.other_site)
    return found


@pytest.fixture
def some(version) -> list[Assumption]:
    """Two assumptions of one section and one of another."""
    found = given(lambda: protocol_of(version.pk).assumptions())()
    criteria = [each for each in found if each.section == "criteria"]
    labs = [each for each in found if each.section == "labs"]
    return [*criteria[:2], labs[0]]


def confirm(cast, version, *assumptions: Assumption, **options) -> list[ConfirmedAssumption]:
    by = cast.investigator
    with as_person(by):
        return confirm_assumptions(
            version=version,
            paths=[each.path for each in assumptions],
            by=by,
            proof=proof_of(by),
            **options,
        )


def source(version, assumption: Assumption) -> Source | None:
    return given(lambda: confirmed_protocol(version.pk).source_of(assumption.path))()


@pytest.mark.requirement("ES1")
def test_a_confirmed_assumption_is_none_any_more_and_others_stay(cast, version, some):
    made = confirm(cast, version, *some[:2])
    assert [source(version, each) for each in some] == [
        Source.CONFIRMED,
        Source.CONFIRMED,
        Source.ASSUMPTION,
    ]
    assert len({each.signature_id for each in made}) == 2
    assert given(lambda: protocol_of(version.pk).source_of(some[0].path))() == Source.ASSUMPTION


def test_what_is_remembered_never_outlives_a_change(cast, version, some):
    (made,) = confirm(cast, version, some[0])
    assert source(version, some[0]) == Source.CONFIRMED
    by = cast.investigator
    with as_person(by):
        revoke_confirmation(confirmation=made, reason="wrong", by=by, proof=proof_of(by))
    assert source(version, some[0]) == Source.ASSUMPTION
    confirm(cast, version, some[0])
    assert source(version, some[0]) == Source.CONFIRMED


def test_a_confirmation_of_another_value_is_ignored_and_confirmed_anew(cast, version, some):
    """As when a row is written past the services, or a value is not the one that was read."""
    (made,) = confirm(cast, version, some[0])
    with as_person(cast.investigator):
        ConfirmedAssumption.objects.create(
            version=version, path=some[1].path, value="another value",
            signature=made.signature, confirmed_by=cast.investigator,
            confirmed_at=made.confirmed_at,
        )  # fmt: skip
    assert source(version, some[1]) == Source.ASSUMPTION
    confirm(cast, version, some[1])
    assert source(version, some[1]) == Source.CONFIRMED


def test_a_row_that_borrows_another_signature_confirms_nothing(cast, version, some):
    (made,) = confirm(cast, version, some[0])
    with as_person(cast.investigator):
        ConfirmedAssumption.objects.create(
            version=version, path=some[1].path, value=some[1].value,
            signature=made.signature, confirmed_by=cast.investigator,
            confirmed_at=made.confirmed_at,
        )  # fmt: skip
    assert source(version, some[1]) == Source.ASSUMPTION


def test_a_voided_signature_confirms_nothing(cast, version, some):
    (made,) = confirm(cast, version, some[0])
    with as_person(cast.investigator):
        void_signature(signature=made.signature, reason="x", by=cast.investigator)
    assert source(version, some[0]) == Source.ASSUMPTION


@pytest.mark.requirement("ES5")
@pytest.mark.parametrize(
    "who", ["nurse", "sub_investigator", "data_manager", "monitor", "auditor", "administrator"]
)
def test_nobody_else_confirms(cast, version, some, who):
    person = getattr(cast, who)
    with as_person(person), pytest.raises(NotPermittedError):
        confirm_assumptions(
            version=version, paths=[some[0].path], by=person, proof=proof_of(person)
        )
    assert sign_in(person).post(CONFIRM, {"version": version.version}).status_code == 403


def test_a_sites_principal_investigator_does_not_confirm_for_the_study(cast, version, some):
    local = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site)
    with as_person(local), pytest.raises(NotPermittedError):
        confirm_assumptions(version=version, paths=[some[0].path], by=local, proof=proof_of(local))
    typed = {"version": version.version, "path": some[0].path, **factors_of(local)}
    assert sign_in(local).post(CONFIRM, typed).status_code == 403


def test_all_of_the_listed_values_or_none(cast, version, some):
    with pytest.raises(TransitionError):
        confirm(cast, version, some[0], Assumption(path="no.such", value="1", label=some[0].label))
    with pytest.raises(TransitionError):
        confirm(cast, version, some[0], seen={some[0].path: "what it was"})
    with pytest.raises(DomainError):
        confirm(cast, version)
    assert source(version, some[0]) == Source.ASSUMPTION
    assert not given(lambda: Signature.objects.exists())()


def test_what_is_confirmed_is_not_confirmed_again(cast, version, some):
    confirm(cast, version, some[0])
    with pytest.raises(TransitionError):
        confirm(cast, version, some[0])


def test_revoking_needs_a_reason_and_happens_once(cast, version, some):
    (made,) = confirm(cast, version, some[0])
    by = cast.investigator
    with as_person(by):
        with pytest.raises(DomainError):
            revoke_confirmation(confirmation=made, reason=" ", by=by, proof=proof_of(by))
        revoke_confirmation(confirmation=made, reason="new paper", by=by, proof=proof_of(by))
        with pytest.raises(TransitionError):
            revoke_confirmation(confirmation=made, reason="again", by=by, proof=proof_of(by))


@pytest.mark.requirement("AT6")
def test_confirming_is_in_the_trail(cast, version, some):
    confirm(cast, version, some[0])
    with as_person(cast.auditor):
        (act,) = Event.objects.filter(act="signed")
        assert act.actor_id == cast.investigator.pk
        (row,) = Event.objects.filter(table_name="review_confirmedassumption")
        assert row.new is not None
        assert row.new["path"] == some[0].path


def test_reading_costs_one_query_however_much_is_confirmed(
    cast, version, some, django_assert_num_queries
):
    confirm(cast, version, *some)
    with as_person(cast.nurse):
        confirmed_protocol(version.pk)
        with django_assert_num_queries(1):
            confirmed_protocol(version.pk)


@pytest.mark.requirement("AT2")
def test_the_applications_own_connection_alters_no_confirmation(committed):
    cast = make_cast()
    version = make_protocol(cast.site)
    path = given(lambda: protocol_of(version.pk).assumptions()[0])()
    confirm(cast, version, path)
    with psycopg.connect(databases.app_url(committed), autocommit=True) as app:
        act_as(app, cast.site.pk, actor=cast.investigator.pk)
        for attack in (
            "UPDATE review_confirmedassumption SET value = 'x'",
            "UPDATE review_confirmedassumption SET path = 'x'",
            "UPDATE review_confirmedassumption SET revoked_at = now()",
            "DELETE FROM review_confirmedassumption",
        ):
            with pytest.raises(psycopg.Error) as refused:
                app.execute(attack)
            assert refused.value.sqlstate in {"TS003", "42501", "23514"}, attack


# -- Page ------------------------------------------------------------------------------


@pytest.fixture
def investigator(cast) -> Client:
    return sign_in(cast.investigator)


def text(answer) -> str:
    return " ".join(html.unescape(answer.content.decode()).split())


def test_several_are_ticked_and_signed_once(cast, version, some, investigator):
    typed = {
        "version": version.version,
        "path": [each.path for each in some],
        **factors_of(cast.investigator),
    }
    page = text(investigator.post(CONFIRM, typed, follow=True))
    assert "3 values are confirmed." in page
    assert "Petra Principal" in page
    assert all(source(version, each) == Source.CONFIRMED for each in some)


def test_a_whole_section_is_ticked_at_once(cast, version, investigator):
    protocol = given(lambda: protocol_of(version.pk))()
    criteria = [each for each in protocol.assumptions() if each.section == "criteria"]
    typed = {"version": version.version, "section": "criteria", **factors_of(cast.investigator)}
    page = text(investigator.post(CONFIRM, typed, follow=True))
    assert f"{len(criteria)} values are confirmed." in page


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "wrong"}, "Incorrect password."),
        ({"code": "000000"}, "Incorrect code."),
        ({"code": ""}, "This field is required."),
    ],
)
def test_a_refused_signature_keeps_the_ticks(cast, version, some, investigator, changes, says):
    typed = {
        "version": version.version, "path": some[0].path, **factors_of(cast.investigator),
    } | changes  # fmt: skip
    answer = investigator.post(CONFIRM, typed)
    assert answer.status_code == 422
    assert says in text(answer)
    assert f'value="{some[0].path}" checked' in text(answer)
    assert source(version, some[0]) == Source.ASSUMPTION


def test_without_a_tick_nothing_is_signed_and_no_code_is_spent(cast, version, some, investigator):
    factors = factors_of(cast.investigator)
    refused = investigator.post(CONFIRM, {"version": version.version, **factors})
    assert "Choose at least one value to confirm." in text(refused)
    typed = {"version": version.version, "path": some[0].path, **factors}
    assert investigator.post(CONFIRM, typed).status_code == 302


@pytest.mark.requirement("ES1")
def test_a_second_signing_in_one_session_asks_anew(cast, version, some, investigator):
    factors = factors_of(cast.investigator)
    for assumption, status in ((some[0], 302), (some[1], 422)):
        typed = {"version": version.version, "path": assumption.path, **factors}
        assert investigator.post(CONFIRM, typed).status_code == status


def test_others_read_who_confirmed_and_are_offered_no_signature(cast, version, some):
    confirm(cast, version, some[0])
    page = text(sign_in(cast.nurse).get(PAGE))
    assert "Petra Principal" in page
    assert 'name="password"' not in page
    assert CONFIRM not in page


def test_a_confirmation_is_revoked_at_its_page(cast, version, some, investigator):
    (made,) = confirm(cast, version, some[0])
    path = f"/protocol/assumptions/{made.pk}/revoke/"
    assert some[0].path in text(investigator.get(path))
    refused = investigator.post(path, {"reason": "a new paper", "password": "x", "code": "1"})
    assert refused.status_code == 422
    assert "a new paper" in text(refused)
    done = investigator.post(
        path, {"reason": "a new paper", **factors_of(cast.investigator)}, follow=True
    )
    assert "The confirmation is revoked." in text(done)
    assert source(version, some[0]) == Source.ASSUMPTION
    assert sign_in(cast.nurse).get(path).status_code == 403


# -- API -------------------------------------------------------------------------------


def test_the_api_confirms_and_revokes_by_the_same_signature(cast, version, some, api):
    client = api("investigator")
    listed = client.get("assumptions/").json()
    assert listed["open"] == len(listed["assumptions"])
    body = {
        "version": version.version,
        "values": {each.path: each.value for each in some},
        **factors_of(cast.investigator),
    }
    answer = client.post("assumptions/", body, key="k1")
    assert answer.status_code == 201
    said = {each["path"]: each for each in answer.json()["assumptions"]}[some[0].path]
    assert said["signature"]["printed_name"] == "Petra Principal"
    assert said["signature"]["local"].endswith("+08:00")
    assert "password" not in answer.content.decode()
    assert client.post("assumptions/", body, key="k1").content == answer.content
    revoked = client.post(
        "assumptions/revocations/",
        {
            "confirmation": said["confirmation"],
            "reason": "new paper",
            **factors_of(cast.investigator, later=1),
        },
    )
    assert revoked.status_code == 201
    assert source(version, some[0]) == Source.ASSUMPTION


@pytest.mark.requirement("ES1", "ES6")
@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"password": "wrong"}, "password"),
        ({"code": "000000"}, "code"),
        ({"password": ""}, "password"),
    ],
)
def test_the_api_refuses_at_the_field_and_counts_the_failure(cast, version, some, api, changes, at):
    body = {"version": version.version, "values": {some[0].path: some[0].value}}
    answer = api("investigator").post(
        "assumptions/", body | factors_of(cast.investigator) | changes
    )
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [at]
    assert source(version, some[0]) == Source.ASSUMPTION
    if changes.get("password") != "":
        with as_person(cast.auditor):
            assert Event.objects.filter(act="signing_failed").count() == 1


@pytest.mark.requirement("ES1")
def test_a_code_spent_in_a_refused_request_is_spent(cast, version, some, api):
    factors = factors_of(cast.investigator)
    stale = {"version": version.version, "values": {some[0].path: "another"}, **factors}
    good = {"version": version.version, "values": {some[0].path: some[0].value}, **factors}
    client = api("investigator")
    assert client.post("assumptions/", stale).status_code == 409
    assert list(client.post("assumptions/", good).json()["errors"]) == ["code"]


def test_signatures_are_listed_to_those_of_the_site(cast, version, some, api):
    confirm(cast, version, some[0])
    (said,) = api("nurse").get("signatures/", kind="assumption_confirmed").json()["results"]
    assert (said["SITEID"], said["stands"]) == (None, None)
    assert ApiClient(make_user(Role.SPONSOR)).get("signatures/").status_code == 403
