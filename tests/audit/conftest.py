"""A committed study and plain connections to it, as an attacker would have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests import databases
from tests.factories import Cast, make_cast, make_record, make_subject
from trialsite.casebook.models import CrfRecord, Subject


@dataclass(frozen=True)
class Study:
    """Two sites with one subject each, committed; `database` is its name."""

    database: str
    cast: Cast
    ours: Subject
    theirs: Subject
    record: CrfRecord

    def connect(self, *, owner: bool = False) -> psycopg.Connection:
        url = databases.owner_url(self.database) if owner else databases.app_url(self.database)
        return psycopg.connect(url, autocommit=True)


@pytest.fixture(scope="module")
def study(django_db_setup: None, django_db_blocker) -> Iterator[Study]:
    """One committed study for a module; its tests leave it consistent, not as it was."""
    name = f"{databases.of_this_process('test')}_audit"
    with django_db_blocker.unblock():
        databases.clone(name)
        with databases.using(name):
            cast = make_cast()
            ours, theirs = make_subject(cast.site), make_subject(cast.other_site)
            yield Study(name, cast, ours, theirs, make_record(ours))
        databases.drop(name)


@pytest.fixture
def app(study: Study) -> Iterator[psycopg.Connection]:
    """The application's role, in psql so to speak."""
    with study.connect() as connection:
        yield connection


@pytest.fixture
def owner(study: Study) -> Iterator[psycopg.Connection]:
    """The owner of the tables, as migrations have it."""
    with study.connect(owner=True) as connection:
        yield connection


def act_as(connection: psycopg.Connection, *sites: int, actor: object = 1, **more: str) -> None:
    """Set a context for the session, as any holder of the connection can."""
    values = {"actor": str(actor), "sites": "{" + ",".join(map(str, sites)) + "}", "channel": "ui"}
    for name, value in (values | more).items():
        connection.execute("SELECT set_config(%s, %s, false)", [f"trialsite.{name}", value])
