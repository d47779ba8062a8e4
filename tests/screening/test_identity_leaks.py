"""Two hundred persons pass through; then every place is searched for a trace of them."""

from __future__ import annotations

import base64
import io
import logging
import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg.conninfo import make_conninfo

from screening.services.identity import find_by_identifier, masked_identities
from tests.api.conftest import ApiClient
from tests.factories import as_person, given, make_entry, sign_in
from tests.screening.people import Person, keep, persons
from trialsite.access.context import system_context
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting
from trialsite.launcher.binaries import find_postgres
from trialsite.launcher.layout import Layout

pytestmark = pytest.mark.requirement("PR3")

PEOPLE = persons()


def traces() -> list[str]:
    """Each person's texts, as typed and as JSON would write them."""
    return [trace for person in PEOPLE for trace in person.traces]


def found_in(text: str, sought: Iterable[str] | None = None) -> list[str]:
    return [trace for trace in (sought or traces()) if trace in text]


def dump(database: str, *options: str, role: str = "BACKUP") -> subprocess.CompletedProcess[str]:
    program = find_postgres(Layout.from_environment()).program("pg_dump")
    url = make_conninfo(os.environ[f"DATABASE_{role}_URL".replace("_APP", "")], dbname=database)
    return subprocess.run(
        [program, f"--dbname={url}", *options], capture_output=True, text=True, check=False
    )


def valkey() -> str:
    """Everything the broker and cache holds."""
    places = {django_settings.REDIS_URL, django_settings.CACHES["default"]["LOCATION"]}
    stores = [redis.Redis.from_url(place) for place in places]
    return "".join(f"{key!r} {each.dump(key)!r}" for each in stores for key in each.scan_iter())


@given
def sessions() -> str:
    return str([session.get_decoded() for session in Session.objects.all()])


@pytest.fixture(autouse=True)
def every_log() -> Iterator[io.StringIO]:
    """What any logger says, from the first line of the preparations on."""
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield said
    root.setLevel(before)
    root.removeHandler(handler)


@pytest.fixture
def half_by_service(town, every_log) -> None:
    """A hundred through the service, searched for and shown masked too."""
    entries = [keep(town, person) for person in PEOPLE[:100]]
    with as_person(town.nurse):
        find_by_identifier(text=PEOPLE[0].phone, by=town.nurse)
        assert len(masked_identities([each.pk for each in entries], by=town.nurse)) == 100


@pytest.fixture
def half_by_page(town, every_log, settings) -> list[str]:
    """A hundred through the pages and the API, with every kind of refusal; the error pages."""
    settings.ADMINS = [("Operator", "operator@example.org")]
    client, api = sign_in(town.nurse, raise_request_exception=False), ApiClient(town.nurse)
    for number, person in enumerate(PEOPLE[100:]):
        entry = make_entry(town.site, town.nurse)
        if number % 4:
            assert client.post(_page("identity", entry.pk), person.said).status_code == 302
        else:
            answer = api.post(f"screening/{entry.pk}/identity/", person.said)
            assert answer.status_code == 200
        if number % 10 == 0:
            asked = client.post(_page("identity_ask", entry.pk), {"reason": "call back"})
            assert person.phone in client.get(asked["Location"]).content.decode()
            client.post(_page("identity_search"), {"text": person.name})
            api.post(f"screening/{entry.pk}/identity/", {"name": person.name, "phone": "x"})
    return _refused(town, entry, PEOPLE[150], settings)


def _refused(town, entry, person: Person, settings) -> list[str]:
    """What is answered to a POST that fails in each way there is; none is the form itself."""
    address = _page("identity", entry.pk)
    answers: list[Any] = []
    for who in (town.stranger, town.monitor):
        answers.append(sign_in(who).post(address, person.said))
        answers.append(ApiClient(who).post(f"screening/{entry.pk}/identity/", person.said))
    unguarded = sign_in(town.nurse, enforce_csrf_checks=True)
    answers.append(unguarded.post(address, person.said))
    answers.append(Client().post(address, person.said))
    answers.append(ApiClient(town.nurse).post(f"screening/{entry.pk}/identity/", b"{"))
    good, settings.IDENTITY_KEYS = settings.IDENTITY_KEYS, []
    broken = sign_in(town.nurse, raise_request_exception=False)
    answers.append(broken.post(address, person.said))
    answers.append(broken.post(_page("identity_search"), {"text": person.name}))
    settings.IDENTITY_KEYS = good
    assert {answer.status_code for answer in answers} == {302, 400, 403, 404, 500}
    return [f"{answer.content.decode()} {answer.headers}" for answer in answers]


def _page(name: str, *args: object) -> str:
    return reverse(f"screening:{name}", args=args)


@pytest.mark.requirement("PR1", "AT6")
def test_no_identifier_of_two_hundred_persons_is_found_anywhere(
    committed, town, half_by_service, half_by_page, every_log
):
    whole = dump(committed)
    assert whole.returncode == 0, whole.stderr
    with acting(system_context("tests", Channel.COMMAND)), connection.cursor() as cursor:
        cursor.execute("SELECT sum(held) FROM trialsite.vault_keys()")
        assert cursor.fetchone()[0] == 600
    assert whole.stdout.count("v1.k1.") == 1200
    assert "identity_revealed" in whole.stdout
    assert found_in(whole.stdout) == []
    assert found_in(sessions()) == []
    assert found_in(valkey()) == []
    assert half_by_page
    assert [found_in(answer) for answer in half_by_page] == [[]] * len(half_by_page)
    mails = [
        f"{each.subject} {each.body} {getattr(each, 'alternatives', '')}" for each in mail.outbox
    ]
    assert [each for each in mails if "Internal Server Error" in each or "500" in each]
    assert found_in("".join(mails)) == []
    assert "Internal Server Error" in every_log.getvalue()
    assert found_in(every_log.getvalue()) == []


@pytest.mark.requirement("PR1")
def test_a_dump_of_the_clinical_data_alone_holds_not_even_ciphertext(committed, town):
    entry = keep(town, PEOPLE[0])
    clinical = dump(committed, "--schema=public", "--schema=trialsite")
    assert clinical.returncode == 0, clinical.stderr
    assert entry.number in clinical.stdout
    assert "v1.k1." not in clinical.stdout
    assert found_in(clinical.stdout, PEOPLE[0].traces) == []
    vault = dump(committed, "--schema=vault")
    assert vault.returncode == 0, vault.stderr
    assert vault.stdout.count("v1.k1.") == 6
    assert entry.number not in vault.stdout


@pytest.mark.requirement("BR4")
def test_a_dump_as_the_application_fails_instead_of_leaving_the_vault_out(committed, town):
    keep(town, PEOPLE[0])
    partial = dump(committed, role="APP")
    assert partial.returncode != 0
    assert "permission denied" in partial.stderr


def test_the_search_for_traces_would_find_them(town, committed, every_log):
    """The searches above are able to fail: a name in a reason is found by them."""
    person = PEOPLE[0]
    with as_person(town.nurse, reason=f"{person.name} called"):
        note_act("tested")
    logging.getLogger("tests").info("seen: %s", person.phone)
    assert person.name in found_in(dump(committed).stdout)
    assert person.phone in found_in(every_log.getvalue())


def test_keys_stand_in_no_dump(committed, town):
    keep(town, PEOPLE[0])
    held = [*django_settings.IDENTITY_KEYS, f"i:{django_settings.IDENTITY_INDEX_KEY}"]
    whole = dump(committed).stdout
    for each in held:
        key = each.partition(":")[2]
        assert key not in whole
        assert base64.urlsafe_b64decode(key).hex() not in whole
