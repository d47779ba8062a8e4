"""The pages and the API of identifiers, as staff use them and others try to."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.urls import reverse

from screening.identity_words import identity_context
from tests.api.conftest import ApiClient
from tests.factories import as_person, make_entry, make_user, sign_in
from tests.screening.people import keep, persons, told
from tests.screening.test_identity import events
from trialsite.access.capabilities import Role
from trialsite.access.models import IdempotentAnswer

ONE, TWO, THREE = persons(3)


def page(name: str, *args: object) -> str:
    return reverse(f"screening:{name}", args=args)


def reveal(client, entry, reason="call back"):
    return client.post(page("identity_ask", entry.pk), {"reason": reason})


@pytest.fixture
def entry(cast):
    return keep(cast, ONE)


def test_a_nurse_enters_identifiers_and_sees_them_masked(cast, nurse_client):
    entry = make_entry(cast.site, cast.nurse)
    empty = nurse_client.get(page("identity", entry.pk)).content.decode()
    assert empty.count("Not entered") == 3
    answer = nurse_client.post(page("identity", entry.pk), ONE.said, follow=True)
    assert answer.redirect_chain == [(page("identity", entry.pk), 302)]
    shown = answer.content.decode()
    assert f"{ONE.name[0]}**" in shown
    assert f"****{ONE.phone[-4:]}" in shown
    assert not [trace for trace in ONE.traces if trace in shown]


@pytest.mark.requirement("PR5")
def test_identifiers_are_shown_once_after_a_reason(town):
    entry = keep(town, ONE)
    client = sign_in(town.nurse)
    asked = reveal(client, entry)
    assert asked.status_code == 302
    shown = client.get(asked["Location"])
    for text in ONE.said.values():
        assert text in shown.content.decode()
        assert text not in asked["Location"]
    assert "no-store" in shown["Cache-Control"]
    assert entry.number in shown.content.decode()
    again = client.get(asked["Location"])
    assert again.status_code == 409
    assert ONE.phone not in again.content.decode()
    assert len(events("identity_revealed")) == 1


@pytest.mark.requirement("PR5")
def test_without_a_reason_the_page_says_so_beside_the_field(entry, nurse_client):
    answer = reveal(nurse_client, entry, reason=" ")
    assert answer.status_code == 422
    assert "Say why you need to see the identifiers." in answer.content.decode()
    assert 'aria-describedby="show-hint show-errors"' in answer.content.decode()
    assert events("identity_revealed") == []


@pytest.mark.requirement("IA3", "IA2")
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("nurse", 200),
        ("second_nurse", 200),
        ("investigator", 200),
        ("sub_investigator", 200),
        (Role.SITE_RECRUITER, 200),
        ("monitor", 403),
        ("data_manager", 403),
        ("auditor", 403),
        ("administrator", 403),
        (Role.SPONSOR, 403),
        (Role.SAFETY_OFFICER, 403),
        (Role.SAMPLE_TECHNICIAN, 403),
        ("stranger", 404),
    ],
)
def test_who_opens_pages_and_operations(cast, entry, who, status):
    person = make_user(who, cast.site) if isinstance(who, Role) else getattr(cast, who)
    client, api = sign_in(person), ApiClient(person)
    answer: Any
    assert client.get(page("identity", entry.pk)).status_code == status
    assert client.get(page("identity_search")).status_code == (200 if status == 404 else status)
    assert api.get(f"screening/{entry.pk}/identity/").status_code == status
    for name in ("identity_ask", "identity_erase", "identity"):
        answer = client.post(page(name, entry.pk), {"reason": ""})
        assert answer.status_code == (422 if status == 200 else status), name
    for name, good in (("identity/disclosures", 201), ("identity", 409), ("identity/erasure", 200)):
        answer = api.post(f"screening/{entry.pk}/{name}/", {"reason": "x"})
        expected = {"identity": 400}.get(name, good) if status == 200 else status
        assert answer.status_code == expected, name
    assert len(events("identity_erased")) == (status == 200)


@pytest.mark.requirement("IA6")
def test_another_sites_entry_looks_like_none(cast, entry):
    client = sign_in(cast.stranger)
    for name in ("identity", "identity_ask", "identity_erase"):
        for send in (client.get, client.post) if name == "identity" else (client.post,):
            foreign, unknown = (send(page(name, key)) for key in (entry.pk, uuid.uuid4()))
            assert foreign.status_code == unknown.status_code == 404
            assert bare(foreign) == bare(unknown)


def bare(answer) -> str:
    """The content without what is of this one answer: its tokens and its request's number."""
    shown = answer.content.decode().partition("<main")[2]
    return re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", shown)


def test_a_refused_entry_keeps_what_was_typed_and_says_why(cast, nurse_client):
    entry = make_entry(cast.site, cast.nurse)
    answer = nurse_client.post(page("identity", entry.pk), ONE.said | {"phone": "12"})
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "This does not look like one." in shown
    assert f'value="{ONE.name}"' in shown
    assert 'value="12"' in shown
    assert "no-store" in answer["Cache-Control"]


def test_a_correction_on_the_page_needs_a_reason(cast, entry, nurse_client):
    refused = nurse_client.post(page("identity", entry.pk), {"phone": TWO.phone})
    assert refused.status_code == 422
    assert "A correction needs a reason." in refused.content.decode()
    done = nurse_client.post(
        page("identity", entry.pk), {"phone": TWO.phone, "reason": "misheard"}, follow=True
    )
    assert f"****{TWO.phone[-4:]}" in done.content.decode()


def test_a_likely_duplicate_is_shown_before_anything_is_kept(cast, entry, nurse_client):
    fresh = make_entry(cast.site, cast.nurse)
    said = TWO.said | {"phone": ONE.phone}
    warned = nurse_client.post(page("identity", fresh.pk), said)
    shown = warned.content.decode()
    assert warned.status_code == 200
    assert "This may be a person who is in the log already." in shown
    assert entry.number in shown
    assert f'value="{TWO.name}"' in shown
    with as_person(cast.nurse):
        assert identity_context(fresh, cast.nurse)["identity"] is None
    assert len(events("identity_searched")) == 1
    kept = nurse_client.post(page("identity", fresh.pk), said | {"confirmed": "1"})
    assert kept.status_code == 302
    with as_person(cast.nurse):
        assert identity_context(fresh, cast.nurse)["identity"] is not None


@pytest.mark.requirement("IA2")
def test_a_duplicate_of_another_site_is_not_suggested(cast, entry):
    there = make_entry(cast.other_site, cast.stranger)
    answer = sign_in(cast.stranger).post(page("identity", there.pk), ONE.said)
    assert answer.status_code == 302


@pytest.mark.parametrize("name", ["name", "phone", "hospital_number"])
def test_an_entry_is_found_by_a_whole_identifier(cast, entry, nurse_client, name):
    answer = nurse_client.post(page("identity_search"), {"text": ONE.said[name]})
    assert entry.number in answer.content.decode()
    assert ONE.phone not in answer.content.decode()
    part = nurse_client.post(page("identity_search"), {"text": ONE.said[name][:-1]})
    assert "Nobody found" in part.content.decode()
    assert entry.number not in part.content.decode()
    elsewhere = sign_in(cast.stranger).post(page("identity_search"), {"text": ONE.said[name]})
    assert "Nobody found" in elsewhere.content.decode()


@pytest.mark.requirement("AT6")
def test_erasing_on_the_page_needs_a_reason_and_is_final(cast, entry, nurse_client):
    assert nurse_client.post(page("identity_erase", entry.pk), {"reason": ""}).status_code == 422
    done = nurse_client.post(
        page("identity_erase", entry.pk), {"reason": "his own request"}, follow=True
    )
    assert "The identifiers were erased." in done.content.decode()
    assert ONE.phone[-4:] not in done.content.decode()
    assert reveal(nurse_client, entry).status_code == 409


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor"])
def test_the_part_for_the_entrys_page_shows_no_mask_to_others(cast, entry, who):
    person = getattr(cast, who)
    with as_person(person):
        context = identity_context(entry, person)
    assert context["identity"] is None
    assert context["may_see_identity"] is False
    assert not any(line.masked for line in context["identity_lines"])


@pytest.mark.requirement("TH4")
@pytest.mark.parametrize("name", ["identity_ask", "identity_erase"])
def test_acts_are_posts(entry, nurse_client, name):
    assert nurse_client.get(page(name, entry.pk)).status_code == 405


@pytest.mark.requirement("PR5", "DI7")
def test_the_api_hands_out_once_and_keeps_no_answer_with_an_identifier(town):
    entry = make_entry(town.site, town.nurse)
    api = ApiClient(town.nurse)
    kept: Any = api.post(f"screening/{entry.pk}/identity/", ONE.said, key="keep")
    assert kept.json()["phone"] == f"{ONE.phone[:3]}****{ONE.phone[-4:]}"
    assert kept.json()["likely_duplicates"] == []
    asked: Any
    asked, again = (
        api.post(f"screening/{entry.pk}/identity/disclosures/", {"reason": "call back"}, key="ask")
        for _ in range(2)
    )
    assert asked.status_code == again.status_code == 201
    assert asked.content == again.content
    told_once: Any = api.get(f"screening/disclosures/{asked.json()['id']}/")
    assert {each["field"]: each["text"] for each in told_once.json()["standing"]} == ONE.said
    assert "no-store" in told_once["Cache-Control"]
    assert api.get(f"screening/disclosures/{asked.json()['id']}/").status_code == 409
    assert len(events("identity_revealed")) == 1
    answers = list(IdempotentAnswer.objects.values_list("body__text", flat=True))
    assert len(answers) == 2
    assert not [trace for trace in ONE.traces if trace in "".join(answers)]


def test_the_api_corrects_with_a_reason_and_suggests_duplicates(town):
    entry, other = keep(town, ONE), keep(town, TWO)
    api = ApiClient(town.nurse)
    refused: Any = api.post(f"screening/{entry.pk}/identity/", {"phone": TWO.phone})
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["reason"]
    done: Any = api.post(
        f"screening/{entry.pk}/identity/", {"phone": TWO.phone, "reason": "misheard"}
    )
    assert done.json()["likely_duplicates"] == [{"entry": str(other.pk), "fields": ["phone"]}]
    assert told(entry.pk, town.nurse)["phone"] == TWO.phone


@pytest.mark.requirement("IA3")
@pytest.mark.parametrize("name", ["id", "entry_id", "site_id", "kept_by", "erased", "removing"])
def test_the_api_takes_no_field_that_it_does_not_name(entry, cast, name):
    answer: Any = ApiClient(cast.nurse).post(f"screening/{entry.pk}/identity/", {name: "x"})
    assert list(answer.json()["errors"]) == [name]
