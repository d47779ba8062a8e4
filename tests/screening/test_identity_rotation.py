"""Keys change and nothing is lost; what is still needed is told."""

from __future__ import annotations

import base64
import os
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from screening.checks import check_identity_keys, demand_identity_keys
from screening.services.identity import find_by_identifier, keep_identity
from screening.services.identity_keys import keys_in_use, rotate_batch
from tests.factories import as_person
from tests.screening.people import keep, persons, told
from trialsite.access.context import system_context
from trialsite.audit.models import Event
from trialsite.core.context import Channel, acting

pytestmark = [pytest.mark.requirement("PR1"), pytest.mark.usefixtures("owners_commands")]

PEOPLE = persons(8)


def key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def rotate(*options: str) -> str:
    said = StringIO()
    call_command("rotate_identity_keys", *options, stdout=said)
    return said.getvalue()


@pytest.fixture
def kept(town, settings):
    """Identities under the key `old`, one of them corrected."""
    settings.IDENTITY_KEYS = [f"old:{key()}"]
    entries = [(keep(town, person), person) for person in PEOPLE]
    with as_person(town.nurse):
        keep_identity(
            entry_id=entries[0][0].pk,
            site=town.site,
            by=town.nurse,
            name="Xenia",
            reason="misspelt",
        )
    return entries


def everything(town, kept) -> list[dict[str, str]]:
    return [told(entry.pk, town.nurse) for entry, _person in kept]


def test_under_a_new_key_everything_reads_as_before_and_the_old_key_can_go(town, kept, settings):
    before = everything(town, kept)
    (old,) = settings.IDENTITY_KEYS
    new = f"new:{key()}"
    settings.IDENTITY_KEYS = [new, old]
    assert "old: 25 identifiers. Still needed." in rotate("--status")
    assert everything(town, kept) == before
    said = rotate("--batch", "7")
    assert "25 identifiers sealed anew." in said
    assert "old: 0 identifiers. No longer needed: it can be removed." in said
    settings.IDENTITY_KEYS = [new]
    assert everything(town, kept) == before
    assert check_identity_keys() == []
    assert "0 identifiers sealed anew." in rotate()


def test_a_run_that_is_broken_off_is_taken_up(town, kept, settings):
    before = everything(town, kept)
    settings.IDENTITY_KEYS = [f"new:{key()}", *settings.IDENTITY_KEYS]
    context = system_context("tests", Channel.COMMAND)
    with acting(context, using="owner"):
        assert rotate_batch(using="owner", batch=10) == 10
    with acting(context, using="owner"):
        assert rotate_batch(using="owner", batch=10) == 10
        transaction.set_rollback(True, using="owner")
    with acting(context):
        assert {each.key_id: each.held for each in keys_in_use()} == {"new": 10, "old": 15}
    assert everything(town, kept) == before
    assert "15 identifiers sealed anew." in rotate()
    assert everything(town, kept) == before


def test_what_is_entered_meanwhile_is_under_the_newest_key(town, kept, settings):
    settings.IDENTITY_KEYS = [f"new:{key()}", *settings.IDENTITY_KEYS]
    (late,) = persons(1, seed=7)
    entry = keep(town, late)
    assert "25 identifiers sealed anew." in rotate()
    assert told(entry.pk, town.nurse) == late.said


def test_a_key_taken_away_too_early_is_named_and_loses_nothing(town, kept, settings):
    before = everything(town, kept)
    old = settings.IDENTITY_KEYS
    settings.IDENTITY_KEYS = [f"new:{key()}"]
    (error,) = check_identity_keys()
    assert error.id == "trialsite.E003"
    assert "the key old" in str(error)
    with pytest.raises(CommandError, match="no key old"):
        rotate()
    assert "IDENTITY_KEYS does not hold this key" in rotate("--status")
    settings.IDENTITY_KEYS = old
    assert everything(town, kept) == before


def test_a_new_index_key_finds_again_after_the_run(town, kept, settings):
    entry, person = kept[1]
    settings.IDENTITY_INDEX_KEY = key()
    with as_person(town.nurse):
        assert find_by_identifier(text=person.phone, by=town.nurse) == {}
    assert [error.id for error in check_identity_keys()] == ["trialsite.E004"]
    assert "25 identifiers are indexed under another index key." in rotate("--status")
    rotate()
    assert check_identity_keys() == []
    with as_person(town.nurse):
        assert find_by_identifier(text=person.phone, by=town.nurse) == {entry.pk: ("phone",)}


def test_rotation_is_in_the_trail_without_any_text(town, kept, settings):
    settings.IDENTITY_KEYS = [f"new:{key()}", *settings.IDENTITY_KEYS]
    rotate()
    with acting(system_context("tests", Channel.COMMAND)):
        events = list(Event.objects.filter(system="rotate_identity_keys"))
    assert len(events) == 25
    assert {value for event in events for value in (event.new or {}).values()} == {"(secret)"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("IDENTITY_KEYS", []), ("IDENTITY_KEYS", ["k1:short"]), ("IDENTITY_INDEX_KEY", "")],
)
def test_nothing_starts_without_keys_that_can_be_used(settings, name, value):
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match="IDENTITY_"):
        demand_identity_keys()
