"""The cast and the databases of the tests."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import trialsite.celery  # noqa: F401
from tests import databases
from tests.factories import Cast, make_cast, sign_in
from tests.scheduling import LongestFirst
from tests.screening.consenting import asked_at
from trialsite.casebook.protocols import protocol_of

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop running

hypothesis_settings.register_profile(
    "suite",
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
hypothesis_settings.load_profile("suite")

_numbers = itertools.count(1)


#: What the tests are measured by stands in `tests.measuring`, the fault table in `tests.faulting`.
pytest_plugins = ["tests.faulting", "tests.measuring"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst:
    """Who runs what when the suite is shared by several processes."""
    return LongestFirst(config, log)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker) -> Iterator[None]:
    """A clone of the template, used as the application's role; tests in it roll back."""
    name = databases.of_this_process("test")
    databases.sweep()
    with django_db_blocker.unblock():
        databases.clone(name)
        with databases.using(name):
            yield
        databases.drop(name)


@pytest.fixture(autouse=True)
def _one_now() -> None:
    """Each test asks for its own present."""
    asked_at.clear()


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """What one test has asked for in Chinese is not what the next one hears."""
    with translation.override("en"):
        yield


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """A database of the test's own, where transactions really commit; its name."""
    name = f"{databases.of_this_process('test')}_{next(_numbers)}"
    with django_db_blocker.unblock():
        databases.clone(name)
        protocol_of.cache_clear()  # its keys begin anew with the database
        with databases.using(name):
            yield name
        protocol_of.cache_clear()
        for connection in connections.all():
            connection.close()
        databases.drop(name)


@pytest.fixture
def cast(db: None) -> Cast:
    """Two sites and the people of the trial."""
    return make_cast()


@pytest.fixture
def nurse_client(cast: Cast) -> Client:
    """The browser of site 001's nurse."""
    return sign_in(cast.nurse)
