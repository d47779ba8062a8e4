"""A browser on the running product. `cast` here is committed in the product's own database."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connections
from django.test import override_settings
from playwright.sync_api import Browser, expect, sync_playwright

from tests import databases
from tests.e2e.stack import LOADED, Stack, Visitors, running
from tests.factories import Cast, make_cast, make_protocol
from tests.notify.sink import Sink


@pytest.fixture(scope="session")
def begun(django_db_blocker) -> Iterator[tuple[str, Cast]]:
    """A database with the people of the trial and its protocol, to be copied; its name."""
    name = databases.of_this_process("e2eseed")
    with django_db_blocker.unblock():
        databases.clone(name)
        with databases.using(name):
            cast = make_cast()
            make_protocol(cast.site, cast.other_site)
        yield name, cast
        databases.drop(name)


@pytest.fixture(scope="session")
def server(begun: tuple[str, Cast], django_db_blocker) -> Iterator[Stack]:
    """The product on a database of this process's own, for the whole run."""
    name = databases.of_this_process("e2e")
    with django_db_blocker.unblock(), running(name, source=begun[0]) as stack:
        yield stack
        for connection in connections.all():
            connection.close()


@pytest.fixture(scope="module")
def stack(server: Stack, begun: tuple[str, Cast], django_db_blocker) -> Stack:
    """The running product, its database begun anew: no module finds what another one left."""
    with django_db_blocker.unblock():
        databases.send_away(server.database)
        databases.clone(server.database, begun[0])
    return server


@pytest.fixture(scope="session")
def crew(begun: tuple[str, Cast]) -> Cast:
    """The people of the trial, the same ones in every module."""
    return begun[1]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests fail, they are not skipped."""
    program = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    if not Path(program).exists():
        pytest.fail(f"There is no browser at {program}; set CHROMIUM to one.")
    arguments = ["--disable-gpu", "--disable-quic", "--disable-background-networking"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    expect.set_options(timeout=1000 * LOADED)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def cast(stack: Stack, crew: Cast, django_db_blocker) -> Iterator[Cast]:
    """The same people; inside the test the factories write to the product's database."""
    with django_db_blocker.unblock(), databases.using(stack.database):
        yield crew


@pytest.fixture
def visit(browser: Browser, stack: Stack, cast: Cast) -> Iterator[Visitors]:
    """`page = visit(user, "/subjects/", width=820, language="zh-hans", theme="dark")`.

    Console errors, page errors and violations of the content policy fail the test at its
    end, unless `visit.expect(pattern)` has said that they belong to it.
    """
    visitors = Visitors(browser, stack)
    yield visitors
    visitors.leave()


@pytest.fixture
def clock(stack) -> Iterator[Callable[[dt.datetime], None]]:
    """The trial's clock of the running product, set as only its owner can."""
    with psycopg.connect(databases.owner_url(stack.database), autocommit=True) as owner:

        def to(moment: dt.datetime) -> None:
            owner.execute(
                "INSERT INTO trial_clock (shift) VALUES (%s - clock_timestamp()) "
                "ON CONFLICT (only_row) DO UPDATE SET shift = excluded.shift",
                [moment],
            )

        yield to
        owner.execute("DELETE FROM trial_clock")


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    with override_settings(
        NOTIFY_DELIVERY_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=sink.port,
    ):
        yield sink
    sink.stop()
