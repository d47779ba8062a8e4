"""A committed study: to see identifiers takes two transactions."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections

from tests import databases
from tests.factories import Cast, make_cast, make_protocol


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
