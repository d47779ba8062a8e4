"""Identifiers: kept apart, masked, found, corrected, erased; whose they are to see."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from screening.services.identity import (
    IdentityError,
    UnknownIdentityError,
    ask_for_identity,
    erase_identity,
    find_by_identifier,
    keep_identity,
    likely_duplicates,
    masked_identities,
    masked_identity,
    reveal_identity,
)
from tests.factories import as_person, make_entry, make_user
from tests.screening.people import keep, persons, told
from trialsite.access.capabilities import Role
from trialsite.access.context import system_context
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.core.ids import with_check

ONE, TWO, THREE = persons(3)


def events(act: str) -> list[Event]:
    with acting(system_context("tests", Channel.COMMAND)):
        return list(Event.objects.filter(act=act).order_by("eid"))


@pytest.mark.requirement("PR5")
def test_what_is_kept_is_masked_for_those_who_may_see_it(cast):
    entry = keep(cast, ONE)
    with as_person(cast.investigator):
        masked = masked_identity(entry.pk, by=cast.investigator)
    assert masked is not None
    assert masked.values == {
        "name": f"{ONE.name[0]}**",
        "phone": f"{ONE.phone[:3]}****{ONE.phone[-4:]}",
        "hospital_number": f"****{ONE.hospital_number[-4:]}",
    }


@pytest.mark.requirement("PR5", "AT6")
def test_seeing_leaves_an_event_with_its_reason(town):
    entry = keep(town, ONE)
    assert told(entry.pk, town.nurse, reason="consent talk on Monday") == ONE.said
    (event,) = events("identity_revealed")
    assert event.reason == "consent talk on Monday"
    assert event.actor_id == town.nurse.pk
    assert event.site_id == town.site.pk
    assert event.new is not None
    assert event.new["entry"] == str(entry.pk)


@pytest.mark.requirement("PR5")
@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_without_a_reason_nothing_is_asked(cast, reason):
    entry = keep(cast, ONE)
    with as_person(cast.nurse), pytest.raises(IdentityError) as refused:
        ask_for_identity(entry_id=entry.pk, reason=reason, by=cast.nurse)
    assert list(refused.value.errors) == ["reason"]
    assert events("identity_revealed") == []


@pytest.mark.requirement("PR5")
def test_nothing_is_handed_out_before_its_event_is_kept(town):
    entry = keep(town, ONE)
    with as_person(town.nurse):
        asked = ask_for_identity(entry_id=entry.pk, reason="x", by=town.nurse)
        with pytest.raises(TransitionError):
            reveal_identity(disclosure=asked, by=town.nurse)


@pytest.mark.requirement("PR5")
def test_what_was_asked_for_opens_once_and_for_nobody_else(town):
    entry = keep(town, ONE)
    with as_person(town.nurse):
        asked = ask_for_identity(entry_id=entry.pk, reason="x", by=town.nurse)
    with as_person(town.second_nurse), pytest.raises(TransitionError):
        reveal_identity(disclosure=asked, by=town.second_nurse)
    with as_person(town.stranger), pytest.raises(UnknownIdentityError):
        reveal_identity(disclosure=asked, by=town.stranger)
    with as_person(town.nurse):
        assert reveal_identity(disclosure=asked, by=town.nurse).standing["name"].text == ONE.name
    with as_person(town.nurse), pytest.raises(TransitionError):
        reveal_identity(disclosure=asked, by=town.nurse)


@pytest.mark.requirement("IA5")
def test_who_loses_the_right_after_asking_sees_nothing(town):
    entry = keep(town, ONE)
    with as_person(town.nurse):
        asked = ask_for_identity(entry_id=entry.pk, reason="x", by=town.nurse)
    with acting(system_context("tests", Channel.COMMAND)):
        today = trial_today("UTC")
        Membership.objects.create(
            user=town.nurse, site=town.site, role=Role.SAMPLE_TECHNICIAN, valid_from="2026-01-01"
        )
        nursing = Membership.objects.filter(user=town.nurse, role=Role.RESEARCH_NURSE)
        nursing.update(ended_on=today)
    del town.nurse.access
    with as_person(town.nurse), pytest.raises(NotPermittedError):
        reveal_identity(disclosure=asked, by=town.nurse)


@pytest.mark.requirement("IA3")
@pytest.mark.parametrize(
    "role",
    [
        Role.MONITOR,
        Role.DATA_MANAGER,
        Role.AUDITOR,
        Role.SPONSOR,
        Role.STUDY_ADMINISTRATOR,
        Role.SAFETY_OFFICER,
        Role.SAMPLE_TECHNICIAN,
    ],
)
def test_who_oversees_or_assists_sees_no_identifier(cast, role):
    entry = keep(cast, ONE)
    person = make_user(role, cast.site)
    with as_person(person):
        assert masked_identities([entry.pk], by=person) == {}
        for refused in (
            lambda: ask_for_identity(entry_id=entry.pk, reason="x", by=person),
            lambda: keep_identity(entry_id=entry.pk, site=cast.site, name="X", by=person),
            lambda: erase_identity(entry_id=entry.pk, reason="x", by=person),
            lambda: likely_duplicates(site=cast.site, phone=ONE.phone, by=person),
            lambda: find_by_identifier(text=ONE.phone, by=person),
        ):
            with pytest.raises(NotPermittedError):
                refused()


@pytest.mark.requirement("IA2")
def test_another_sites_identity_does_not_exist(cast):
    entry = keep(cast, ONE)
    person = cast.stranger
    with as_person(person):
        assert masked_identity(entry.pk, by=person) is None
        assert find_by_identifier(text=ONE.phone, by=person) == {}
        assert likely_duplicates(site=cast.other_site, by=person, phone=ONE.phone) == {}
        for act in (
            lambda: ask_for_identity(entry_id=entry.pk, reason="x", by=person),
            lambda: keep_identity(entry_id=entry.pk, site=cast.other_site, name="X", by=person),
            lambda: erase_identity(entry_id=entry.pk, reason="x", by=person),
        ):
            with pytest.raises(UnknownIdentityError):
                act()


def test_the_masks_of_a_whole_list_take_one_query(cast, django_assert_num_queries):
    entries = [keep(cast, person).pk for person in persons(12)]
    with as_person(cast.nurse):
        assert cast.nurse.access
        for count in (1, 12):
            with django_assert_num_queries(3):  # a savepoint around the one query
                assert len(masked_identities(entries[:count], by=cast.nurse)) == count


@pytest.mark.requirement("CC1")
def test_a_correction_needs_a_reason_and_keeps_what_stood(town):
    entry = keep(town, ONE)
    correct: dict[str, Any] = {
        "entry_id": entry.pk,
        "site": town.site,
        "by": town.nurse,
        "phone": TWO.phone,
    }
    with as_person(town.nurse), pytest.raises(IdentityError) as refused:
        keep_identity(**correct)
    assert list(refused.value.errors) == ["reason"]
    with as_person(town.nurse):
        keep_identity(**correct, reason="misheard")
    assert told(entry.pk, town.nurse) == ONE.said | {"phone": TWO.phone}
    with as_person(town.nurse):
        asked = ask_for_identity(entry_id=entry.pk, reason="x", by=town.nurse)
    with as_person(town.nurse):
        (earlier,) = reveal_identity(disclosure=asked, by=town.nurse).earlier
    assert (earlier.field, earlier.text, earlier.kept_by) == ("phone", ONE.phone, town.nurse.pk)


def test_the_trail_says_which_identifier_was_corrected_and_never_what_it_was(cast):
    entry = keep(cast, ONE)
    with as_person(cast.nurse):
        keep_identity(
            entry_id=entry.pk, site=cast.site, by=cast.nurse, name=TWO.name, reason="misspelt"
        )
    with acting(system_context("tests", Channel.COMMAND)):
        changed = list(Event.objects.filter(table_name="identifier", reason="misspelt"))
    replaced, entered = sorted(changed, key=lambda event: event.eid)
    assert (replaced.operation, entered.operation) == ("U", "I")
    assert entered.new is not None
    assert entered.new["field"] == "name"
    for column in ("sealed", "masked", "blind"):
        assert entered.new[column] == "(secret)"


def test_an_identifier_can_be_taken_away(town):
    entry = keep(town, ONE)
    with as_person(town.nurse):
        keep_identity(
            entry_id=entry.pk, site=town.site, by=town.nurse, removing=["phone"], reason="not his"
        )
        assert find_by_identifier(text=ONE.phone, by=town.nurse) == {}
    assert "phone" not in told(entry.pk, town.nurse)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "!!!"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"phone": "1234"}, "phone"),
        ({"phone": "1" * 41}, "phone"),
        ({"phone": "none"}, "phone"),
        ({"hospital_number": "-"}, "hospital_number"),
        ({"name": TWO.name, "removing": ["name"]}, "removing"),
        ({"removing": ["birth"]}, "removing"),
        ({"name": TWO.name, "reason": f"{TWO.name} said so"}, "reason"),
        ({"phone": TWO.phone, "reason": f"now +86 {TWO.phone}"}, "reason"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field_without_repeating_it(cast, said, field):
    entry = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse), pytest.raises(IdentityError) as refused:
        keep_identity(entry_id=entry.pk, site=cast.site, by=cast.nurse, **said)
    assert list(refused.value.errors) == [field]
    for text in ("!!!", TWO.name, TWO.phone):
        assert text not in str(refused.value)


@pytest.mark.parametrize("name", ["name", "phone", "hospital_number"])
def test_a_likely_duplicate_is_suggested_with_what_agrees(cast, name):
    entry = keep(cast, ONE)
    with as_person(cast.nurse):
        said = TWO.said | {name: ONE.said[name].upper()}
        found = likely_duplicates(site=cast.site, by=cast.nurse, **said)
        assert found == {entry.pk: (name,)}
        assert likely_duplicates(site=cast.site, by=cast.nurse, apart_from=entry.pk, **said) == {}
        assert find_by_identifier(text=f" {ONE.said[name]} ", by=cast.nurse) == {entry.pk: (name,)}


@pytest.mark.requirement("AT6")
def test_a_search_is_in_the_trail_without_what_was_sought(cast):
    with as_person(cast.nurse):
        find_by_identifier(text=ONE.phone, by=cast.nurse)
    (event,) = events("identity_searched")
    assert event.actor_id == cast.nurse.pk
    assert event.new == {"fields": ["name", "phone", "hospital_number"]}


@pytest.mark.requirement("AT6")
def test_erasing_destroys_every_writing_and_leaves_its_event(town, owner):
    entry = keep(town, ONE)
    with as_person(town.nurse):
        keep_identity(
            entry_id=entry.pk, site=town.site, by=town.nurse, phone=TWO.phone, reason="misheard"
        )
        with pytest.raises(IdentityError):
            erase_identity(entry_id=entry.pk, reason=" ", by=town.nurse)
    with as_person(town.nurse):
        erase_identity(entry_id=entry.pk, reason="his own request", by=town.nurse)
        masked = masked_identity(entry.pk, by=town.nurse)
        assert masked is not None
        assert (masked.erased, dict(masked.values)) == (True, {})
        for act in (
            lambda: ask_for_identity(entry_id=entry.pk, reason="x", by=town.nurse),
            lambda: erase_identity(entry_id=entry.pk, reason="x", by=town.nurse),
            lambda: keep_identity(entry_id=entry.pk, site=town.site, name="X", by=town.nurse),
        ):
            with pytest.raises(TransitionError):
                act()
    owner.execute("SELECT set_config('trialsite.sites', %s, false)", [f"{{{town.site.pk}}}"])
    rows = owner.execute("SELECT sealed, masked, blind FROM vault.identifier").fetchall()
    assert len(rows) == 4
    assert set(rows) == {("", "", "")}
    (event,) = events("identity_erased")
    assert (event.reason, event.actor_id) == ("his own request", town.nurse.pk)


def test_an_entry_that_does_not_exist_has_no_identity(cast):
    with as_person(cast.nurse), pytest.raises(UnknownIdentityError):
        keep_identity(entry_id=uuid.uuid4(), site=cast.site, name="X", by=cast.nurse)


@pytest.mark.requirement("PR2")
def test_a_screening_number_follows_the_order_of_entry_and_not_the_person(cast):
    """The same persons in the other order at the other site: the numbers stay the same."""
    people = persons(5)
    here = [keep(cast, person) for person in people]
    there = [make_entry(cast.other_site, cast.stranger) for _person in people]
    with as_person(cast.stranger):
        for entry, person in zip(there, reversed(people), strict=True):
            keep_identity(entry_id=entry.pk, site=cast.other_site, by=cast.stranger, **person.said)
    order = [f"S{number:03d}" for number in range(1, 6)]
    assert [entry.number[:-2] for entry in here] == [f"001-{each}" for each in order]
    assert [entry.number[:-2] for entry in there] == [f"002-{each}" for each in order]
    assert [entry.number for entry in here] == [with_check(e.number[:-2]) for e in here]
