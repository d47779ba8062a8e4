"""People on their way from first contact to enrolment; and a committed study, since to see
identifiers takes two transactions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from screening.models import ScreeningEntry
from screening.selectors import enrolment as conditions
from screening.services.log import admit
from tests import databases
from tests.factories import PROTOCOL, Cast, given, make_cast, make_entry, make_protocol
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject


@dataclasses.dataclass
class Conditions:
    """What consent, the signed decision and conduct say of every subject."""

    valid: bool = True
    reconsent_due: bool = False
    eligible: bool = True
    stands: bool = True
    reasons: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    consented: bool = True
    decided: bool = True


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Conditions:
    """The evidence of enrolment, which other parts of the house give."""
    found = Conditions()
    monkeypatch.setattr(conditions, "consent_fact", lambda _s: found if found.consented else None)
    monkeypatch.setattr(conditions, "signed_decision", lambda _s: found if found.decided else None)
    monkeypatch.setattr(conditions, "enrolment_refusals", lambda **_stated: list(found.holds))
    return found


@given
def make_screened(site: Site, by: User) -> Subject:
    """A subject who has consented and is in screening."""
    return admit(entry=make_entry(site, by), by=by)


def entry_of(subject: Subject) -> ScreeningEntry:
    return given(ScreeningEntry.objects.get)(subject=subject)


@pytest.fixture
def protocol_for(tmp_path: Path) -> Callable[[int, str], Path]:
    """The study's protocol with another target, as a version of its own."""

    def make(target: int, version: str) -> Path:
        text = PROTOCOL.read_text("utf-8")
        for old, new in (
            ("target_enrolment: {value: 10,", f"target_enrolment: {{value: {target},"),
            ('version: "1.0"', f'version: "{version}"'),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        path = tmp_path / f"{version}.yaml"
        path.write_text(text, "utf-8")
        return path

    return make


@pytest.fixture
def town(committed: str) -> Cast:
    """The cast of the tests in a database where transactions really commit."""
    cast = make_cast()
    make_protocol(cast.site, cast.other_site)
    return cast


@pytest.fixture
def app(committed: str) -> Iterator[psycopg.Connection]:
    """The application's role, in psql so to speak."""
    with psycopg.connect(databases.app_url(committed), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(committed: str) -> Iterator[psycopg.Connection]:
    """The owner, who may become the vault's role."""
    with psycopg.connect(databases.owner_url(committed), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owners_commands(committed: str) -> Iterator[None]:
    """Commands that work on the owner's connection work on this test's database."""
    connection = connections["owner"]
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = committed
    yield
    connection.close()
    connection.settings_dict["NAME"] = before
