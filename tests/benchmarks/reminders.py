"""Planning the reminders of a million scheduled visits, with little and with nothing due."""

from __future__ import annotations

import datetime as dt
import json
import resource
import statistics
import time
from zoneinfo import ZoneInfo

import psycopg
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import databases
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


def planning() -> list[str]:
    """A pass of the beat: the morning's, and the one a minute later."""
    now = trial_now().astimezone(ZoneInfo("Asia/Shanghai"))
    morning = now.replace(hour=8, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    _fill(morning.date())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan_notices(morning - dt.timedelta(days=30), kind=VISIT_KIND)  # reads the protocol
    lines = [f"Planning reminders of {VISITS:,} scheduled visits at {SITES} sites"]
    for name, moment in (
        ("after a week without a server", morning - dt.timedelta(days=1)),
        ("a morning at eight", morning),
    ):
        seconds, rows = _pass(moment)
        lines.append(
            f"  {name:<40} {rows:>7,} notices in {seconds:6.2f} s: {rows / seconds:8,.0f}/s"
        )
    minutes = [_pass(morning + dt.timedelta(minutes=n))[0] for n in range(1, 21)]
    lines.append(
        f"  a minute with nothing due                {statistics.median(minutes) * 1e3:6.0f} ms"
    )
    with CaptureQueriesContext(connection) as queries:
        _pass(morning + dt.timedelta(minutes=30))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    lines.append(
        f"  statements per pass {len(queries)}; this process grew by {grown:.0f} MB; "
        f"PostgreSQL wrote {_spilled(morning):.0f} MB of temporary files"
    )
    return lines


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


def _pass(moment: dt.datetime) -> tuple[float, int]:
    started = time.perf_counter()
    rows = plan_notices(moment, kind=VISIT_KIND)
    return time.perf_counter() - started, rows


def _spilled(moment: dt.datetime) -> float:
    """Temporary files of one pass, in MB."""
    with acting(system_context("bench", Channel.COMMAND)), connection.cursor() as cursor:
        query, parameters = plan_visits(moment)
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", [*parameters])
        plan = cursor.fetchone()[0][0]["Plan"]
    return float(plan["Temp Written Blocks"]) * 8192 / 1e6
