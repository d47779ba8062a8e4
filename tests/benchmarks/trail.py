"""The audit trail: what it costs to change ten thousand rows at once, and what it keeps."""

from __future__ import annotations

import psycopg
from django.db import connection, models, transaction
from django.db.models import F

from tests import databases
from tests.benchmarks.forms import NAMES, bare_model, filled
from tests.benchmarks.measuring import in_turns
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import every_site, multiply
from tests.engine.models import Wide
from tests.factories import given
from trialsite.audit.models import Event
from trialsite.casebook.models import Subject

ROWS = sized(10_000, 500)


@benchmark(
    issue=2,
    title="Ten thousand rows changed at once",
    means="What the trail costs where a correction by an administrator touches the whole study: "
    "every row is kept before and after, with who and why, whichever way it was changed.",
    aims={
        "CPU of the server for 10,000 rows": "at most 0.4 s",
        "kept for each change": "at most 250 bytes",
    },
)
def updating() -> Found:
    """One UPDATE of a value in every row, with its trail and in a table that has none."""
    _nurse, record, _client = filled()
    model = bare_model()
    given(Subject.objects.update)(number="N-1")
    multiply(record, (Wide,), ROWS)
    _copy(model)
    before = _held()
    changes = [0]

    def audited(_serial: int) -> None:
        changes[0] += given(_raise)(Wide)

    timings = in_turns(
        {"a bare table": lambda _serial: _plain(model), "with its trail": audited},
        calls=1,
        rounds=3,
    )
    base, found = timings.values()
    kept = (_held() - before) / changes[0]
    return Found(
        [
            f"{ROWS:,} rows",
            base.line(),
            found.line(base),
            f"  kept for each change: {kept:.0f} bytes, indexes included",
        ],
        {
            "CPU of the server for 10,000 rows": f"{found.server / ROWS / 100:.2f} s",
            "kept for each change": f"{kept:.0f} bytes",
        },
    )


def _raise(model: type[models.Model]) -> int:
    return model._default_manager.update(**{NAMES[0]: F(NAMES[0]) + 1})


def _plain(model: type[models.Model]) -> None:
    with transaction.atomic():
        _raise(model)


@given
def _held() -> int:
    """Bytes of the trail's tables with their indexes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s)", [Event._meta.db_table])
        return int(cursor.fetchone()[0])


def _copy(bare: type[models.Model]) -> None:
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        owner.execute(f"INSERT INTO {bare._meta.db_table} SELECT * FROM {Wide._meta.db_table}")
        owner.execute("ANALYZE")
