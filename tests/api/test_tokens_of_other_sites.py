"""Another site's token sees nothing of this site, in any operation; each guard alone holds.

Two things keep sites apart: what is read goes through `visible_to`, and PostgreSQL gives out
the rows of the context's sites only. Either is switched off here in turn, and the other has
to hold by itself: removing a `visible_to`, or a table's policy, turns this red.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.access.test_api_tokens import make_token
from tests.api.conftest import ApiClient, fill
from tests.api.made import everybody_at, rows_of_site
from tests.api.operations import Operation, operations
from tests.factories import Cast, as_person
from tests.screening.deciding import confirm_all, decide, make_candidate
from trialsite.access.context import context_of
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.context import Context
from trialsite.crf.registry import form
from trialsite.review.services import raise_query

ALL = list(operations())
BY_ID = [pytest.param(each, id=str(each)) for each in ALL if each.arguments]
READS = [pytest.param(each, id=str(each)) for each in ALL if each.method == "GET"]
BOTH, DATABASE, PROGRAM = "both guards", "the database alone", "visible_to alone"
#: Where one guard stands alone, and why.
UNGUARDED = {
    # A reminder names no subject; the dispatcher serves every site (its model's guard says so).
    (DATABASE, "reminders/"): "unscoped",
    (DATABASE, "reminders/<uuid:reminder>/"): "unscoped",
    # Only the vault's own function opens identifiers, for the sites of the context.
    (PROGRAM, "screening/disclosures/<uuid:disclosure>/"): "vault",
}


class TokenClient(ApiClient):
    """A program with somebody's key, and no session."""

    def __init__(self, user: User) -> None:
        super().__init__(None)
        bearer = f"Bearer {make_token(user, read_only=False)}"
        self.client.defaults["HTTP_AUTHORIZATION"] = bearer


@contextmanager
def guarded_by(which: str) -> Iterator[None]:
    """Both guards, or one of them."""
    with pytest.MonkeyPatch.context() as patch:
        if which == DATABASE:
            patch.setattr(SiteScopedQuerySet, "visible_to", lambda rows, *_of, **_more: rows.all())
        if which == PROGRAM:
            patch.setattr("trialsite.access.middleware.context_of", of_every_site)
        yield


def of_every_site(*arguments: Any, **options: Any) -> Context:
    """The person's context, but that the database gives out every site's rows."""
    everywhere = frozenset(Site.objects.values_list("pk", flat=True))
    return dataclasses.replace(context_of(*arguments, **options), sites=everywhere)


def call(client: ApiClient, operation: Operation, ids: Mapping[str, Any]) -> Any:
    path = operation.path(ids)
    if operation.method == "GET":
        return client.get(path)
    return client.send(operation.method, path, operation.body, version=0)


def guards_of(operation: Operation) -> list[str]:
    """Both together, and each alone where it has to hold alone."""
    alone = [each for each in (DATABASE, PROGRAM) if (each, operation.route) not in UNGUARDED]
    return [BOTH, *alone]


@pytest.mark.requirement("IA2", "IA6", "IA8")
@pytest.mark.parametrize("operation", BY_ID)
def test_a_foreign_id_answers_byte_for_byte_as_an_unknown_one(cast, operation):
    ids = rows_of_site(cast, operation)
    program = TokenClient(everybody_at(cast.other_site))
    unknown_ids = operation.unknown
    for guards in guards_of(operation):
        with guarded_by(guards):
            foreign = call(program, operation, ids)
            nothing = call(program, operation, unknown_ids)
        assert foreign.status_code == nothing.status_code == 404, guards
        assert foreign.content == nothing.content, guards
        told = [{**answer.headers, "Expires": ""} for answer in (foreign, nothing)]
        assert told[0] == told[1], guards


@pytest.mark.requirement("IA2", "IA8")
@pytest.mark.parametrize("operation", READS)
def test_no_answer_holds_anything_of_another_site(cast, operation):
    canary = fill(form("F.VS"), cast.site, cast.nurse, comment="CANARY")
    with as_person(cast.data_manager):
        raise_query(record=canary, item_oid="", text="CANARY", by=cast.data_manager)
    secrets = {"CANARY", str(canary.pk), canary.subject.screening_number}
    one = one_of(operation)
    if one is not None:
        ids = listed(cast, operation, one).values()
        secrets |= {str(value) for value in ids if isinstance(value, uuid.UUID)}
    program = TokenClient(everybody_at(cast.other_site))
    unknown_ids = operation.unknown
    for guards in guards_of(operation):
        with guarded_by(guards):
            answer = call(program, operation, unknown_ids)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        shown = [secret for secret in secrets if secret.encode() in body]
        assert not shown, guards


def one_of(listing: Operation) -> Operation | None:
    """The operation that reads one thing of a list: `aliquots/` has `aliquots/<aliquot>/`."""
    if listing.arguments:
        return None
    for each in ALL:
        rest = each.route.removeprefix(listing.route)
        if each.method == "GET" and each.route != rest and rest.count("/") == 1 and each.arguments:
            return each
    return None


def listed(cast: Cast, listing: Operation, one: Operation) -> dict[str, Any]:
    """Ids of site 001 that this list holds."""
    if listing.route.startswith("crf/"):
        record = fill(form(one.form_oid), cast.site, cast.nurse)
        return {"record": record.pk, "subject": record.subject_id}
    if listing.route == "eligibility/":
        candidate = make_candidate(cast)
        confirm_all(cast)
        decide(cast, candidate, {"EX06": "met"})
        return {"subject": candidate.pk}
    ids: dict[str, Any] = rows_of_site(cast, one)
    return ids


def test_every_operation_is_asked_for():
    """Those with an id for a foreign one, those that read for their whole answer."""
    asked = {str(each) for each in ALL if each.arguments or each.method == "GET"}
    assert asked == {str(each.id) for each in (*BY_ID, *READS)}
    rest = [each for each in ALL if str(each) not in asked]
    assert {route for _guard, route in UNGUARDED} <= {each.route for each in ALL}
    # What is left begins something: its body names a site or a subject, which is asked for
    # in test_refusals.
    assert {each.method for each in rest} == {"POST"}
    assert len(LISTS) > 45


#: Lists that a person of one site is not shown even of their own: a package is its person's
#: alone, a safety snapshot is of the whole study.
_NOT_THEIRS = {"packages/", "safety-snapshots/"}
LISTS = [
    pytest.param(each, id=str(each))
    for each in ALL
    if each.method == "GET" and one_of(each) is not None and each.route not in _NOT_THEIRS
]


@pytest.mark.parametrize("operation", LISTS)
def test_the_sites_own_token_is_shown_what_the_others_is_not(cast, operation):
    """The control: a list that shows nobody anything would prove nothing."""
    listing = operation
    one = one_of(listing)
    assert one is not None
    ids = listed(cast, listing, one)
    answer = TokenClient(everybody_at(cast.site)).get(listing.path({}))
    assert answer.status_code == 200
    assert str(ids[one.arguments[-1]]).encode() in answer.content
