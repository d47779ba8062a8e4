"""Planning the reminders of a million scheduled visits, with little and with nothing due."""

from __future__ import annotations

import datetime as dt
import json
import statistics
import time
from zoneinfo import ZoneInfo

import psycopg
from django.db import connection

from tests import databases
from tests.benchmarks.measuring import backend_cpu, peak, statements
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.factories import make_protocol, make_site, make_user
from trialsite.access.capabilities import Role
from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.casebook.models import Subject, Visit
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.notify.planning import plan_notices
from visits.reminders.planning import VISIT_KIND, plan_visits

VISITS, SITES, PER_SUBJECT = sized(1_000_000, 20_000), 40, 10
#: Two years of the study: of what is past nearly all is attended.
PAST, SPAN = 292, 730
_SUBJECT, _VISIT = Subject._meta.db_table, Visit._meta.db_table

_SUBJECTS = f"""
    INSERT INTO {_SUBJECT} (id, site_id, screening_number, number, status, consent_state,
                            protocol_version_id, died_on, lock_state, created_at)
    SELECT md5('s' || n)::uuid, %(sites)s[1 + n %% {SITES}], 'B' || n, 'B' || n, 'enrolled',
           'given', %(version)s, '', 'open', now()
      FROM generate_series(1, {VISITS // PER_SUBJECT}) n
"""
_VISITS = f"""
    INSERT INTO {_VISIT} (id, site_id, subject_id, event_oid, repeat_key, status, target_on,
                          "window", first_day, last_day, anchor_version, dated_at,
                          protocol_version_id, lock_state, attended_on, mode,
                          missed_reason, not_required_cause, version)
    SELECT md5('v' || n)::uuid, %(sites)s[1 + (1 + (n - 1) / {PER_SUBJECT}) %% {SITES}],
           md5('s' || (1 + (n - 1) / {PER_SUBJECT}))::uuid, 'SE.B' || n %% {PER_SUBJECT}, 1,
           CASE WHEN seen THEN 'attended' ELSE 'planned' END, target,
           daterange(target - (n %% 4)::int, target + (n %% 4)::int, '[]'), target - (n %% 4)::int,
           target + (n %% 4)::int, 1, now() - interval '400 days',
           %(version)s, 'open', CASE WHEN seen THEN target END,
           CASE WHEN seen THEN 'on_site' ELSE '' END, '', '', 1
      FROM generate_series(1, {VISITS}) n,
           LATERAL (SELECT %(today)s::date - {PAST}
                           + (n::bigint * 7919 %% {SPAN})::int AS target) t,
           LATERAL (SELECT target < %(today)s::date AND n %% 50 > 0 AS seen) a
"""


@benchmark(
    issue=4,
    title="Planning reminders of a million visits",
    means="Every minute the beat asks what has come due in the whole study. With nothing due this "
    "must not be felt by anybody; after a week without a server it must catch up at once.",
    aims={
        "a minute with nothing due": "at most 50 ms",
        "notices a second, a morning": "none set; hundreds of readers",
    },
)
def planning() -> Found:
    """A pass of the beat: the morning's, and the one a minute later."""
    now = trial_now().astimezone(ZoneInfo("Asia/Shanghai"))
    morning = now.replace(hour=8, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    _fill(morning.date())
    before = peak()
    plan_notices(morning - dt.timedelta(days=30), kind=VISIT_KIND)  # reads the protocol
    lines = [f"{VISITS:,} scheduled visits at {SITES} sites"]
    for name, moment in (
        ("after a week without a server", morning - dt.timedelta(days=1)),
        ("a morning at eight", morning),
    ):
        seconds, cpu, rows = _pass(moment)
        lines.append(
            f"  {name:<40} {rows:>7,} notices in {seconds:6.2f} s "
            f"({cpu:.2f} s CPU of the server): {rows / seconds:8,.0f}/s"
        )
    walls, cpus, _rows = zip(
        *(_pass(morning + dt.timedelta(minutes=n)) for n in range(1, 21)), strict=True
    )
    idle = f"{statistics.median(walls) * 1e3:.0f} ms ({statistics.median(cpus) * 1e3:.0f} ms CPU)"
    sent = statements(lambda: _pass(morning + dt.timedelta(minutes=30)))
    lines += [
        f"  a minute with nothing due                {idle}",
        f"  statements per pass {sent}; this process grew by {peak() - before} MB; "
        f"PostgreSQL wrote {_spilled(morning):.0f} MB of temporary files",
    ]
    reached = {
        "a minute with nothing due": idle,
        "notices a second, a morning": f"{rows / seconds:,.0f}",
    }
    return Found(lines, reached)


def _fill(today: dt.date) -> None:
    sites = [make_site(f"{n:03d}") for n in range(200, 200 + SITES)]
    for site in sites:
        for role in (*[Role.RESEARCH_NURSE] * 3, Role.PRINCIPAL_INVESTIGATOR):
            make_user(role, site, second_factor=False, trained=False, password=None)
    make_user(Role.DATA_MANAGER, second_factor=False, trained=False, password=None)
    version = make_protocol(*sites)
    every = Site.objects.values_list("pk", flat=True)
    values = {"sites": [site.pk for site in sites], "version": version.pk, "today": today}
    address = databases.owner_url(connection.settings_dict["NAME"])
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [_array(every)])
        for table, statement in ((_SUBJECT, _SUBJECTS), (_VISIT, _VISITS)):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            owner.execute(statement, values)
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        owner.execute(f"VACUUM ANALYZE {_SUBJECT}, {_VISIT}")


def _array(keys: object) -> str:
    return json.dumps(list(keys)).replace("[", "{").replace("]", "}")  # type: ignore[call-overload]


def _pass(moment: dt.datetime) -> tuple[float, float, int]:
    """Seconds, seconds of the server's CPU, and notices planned."""
    started, (_pid, used) = time.perf_counter(), backend_cpu()
    rows = plan_notices(moment, kind=VISIT_KIND)
    return time.perf_counter() - started, backend_cpu()[1] - used, rows


def _spilled(moment: dt.datetime) -> float:
    """Temporary files of one pass, in MB."""
    with acting(system_context("bench", Channel.COMMAND)), connection.cursor() as cursor:
        query, parameters = plan_visits(moment)
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", [*parameters])
        plan = cursor.fetchone()[0][0]["Plan"]
    return float(plan["Temp Written Blocks"]) * 8192 / 1e6
