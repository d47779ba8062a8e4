"""A file is of one moment, however many statements it is read in."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from django.db import connection

from tests import databases
from tests.api.conftest import ApiClient
from tests.factories import make_cast, make_protocol
from trialsite.access.context import context_of
from trialsite.access.models import Site
from trialsite.core.context import Channel, acting


@pytest.fixture
def town(committed: str):
    cast = make_cast()
    make_protocol(cast.site, cast.other_site)
    return cast


def rename(database: str) -> None:
    """Somebody else changes the study, and their change is there at once."""
    with psycopg.connect(databases.owner_url(database), autocommit=True) as owner:
        owner.execute("SELECT set_config('trialsite.system', 'test', false)")
        owner.execute("SELECT set_config('trialsite.sites', '{1,2,3,4}', false)")
        owner.execute("SELECT set_config('trialsite.channel', 'command', false)")
        owner.execute("SELECT set_config('trialsite.request', gen_random_uuid()::text, false)")
        owner.execute("UPDATE access_site SET name = 'Renamed' WHERE code = '001'")


@pytest.mark.parametrize(("one_moment", "seen"), [(True, "Site 001"), (False, "Renamed")])
def test_what_changes_meanwhile_is_not_seen(committed, town, one_moment, seen):
    context = context_of(town.data_manager, Channel.API)
    with acting(context, one_moment=one_moment):
        assert Site.objects.get(code="001").name == "Site 001"
        rename(committed)
        assert Site.objects.get(code="001").name == seen


@pytest.mark.parametrize(
    ("address", "level"),
    [
        ("datasets/changes/", "repeatable read"),
        ("datasets/biomarkers/", "repeatable read"),
        ("datasets/lbgrades/", "repeatable read"),
        ("subjects/", "read committed"),
    ],
)
def test_files_are_read_so(town, address, level):
    levels = set()

    def look(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if "casebook_" in str(sql) and connection.in_atomic_block:
            with connection.connection.cursor() as cursor:
                cursor.execute("SHOW transaction_isolation")
                levels.add(cursor.fetchone()[0])
        return answer

    client = ApiClient(town.data_manager)
    with connection.execute_wrapper(look), closing(client.get(address)) as answer:
        assert answer.status_code == 200
    assert levels == {level}
