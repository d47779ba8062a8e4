"""200,000 aliquots in freezers: from a scan to its answer, a box, what is missing, Today."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
from django.db import connection
from django.test import Client

from samples.models import Aliquot, Box, CustodyEvent, Freezer, Rack, Specimen
from samples.selectors.plan import plans_in_use
from tests import databases
from tests.benchmarks.measuring import Timing, in_turns, statements
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import every_site, keep, study_of, triggers
from tests.factories import given, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject, Visit
from trialsite.core.clock import trial_now

#: Visits, two of three attended, of which each gives about nine aliquots.
SIZES = {"a small store": 350, "a large store": sized(34_000, 700)}
#: Whatever the size: aliquots that wait to be frozen, and visits of which something is missing.
WAITING, LACKING = 40, 30
_CELLS = 81
_TABLES = (Specimen, Aliquot, CustodyEvent, Freezer, Rack, Box)
TECHNICIAN = "Tara Technician"


@benchmark(
    issue=6,
    title="Samples: a store of 200,000 aliquots",
    means="What a technician waits for with a thawing tube in hand: from the scan to the answer, "
    "and a box as a map. A full store must not be slower than a new one.",
    aims={
        "a scan looked up, large against small": "about 1x",
        "a box as a map, large against small": "about 1x",
        "statements, small and large": "constant",
    },
)
def at_the_bench() -> Found:
    """What a technician waits for, in a small store and in a large one."""
    lines: list[str] = []
    base: dict[str, Timing] = {}
    told: dict[str, Timing] = {}
    sent: dict[str, list[int]] = {}
    for name, visits in SIZES.items():
        with _store(visits) as aliquots:
            lines.append(f"{name}: {aliquots:,} aliquots")
            for what, (timing, number) in _measured().items():
                told[what] = timing
                base.setdefault(what, timing)
                sent.setdefault(what, []).append(number)
                lines.append(f"{timing.line(base[what])}  {number} statements")
    scan, box = ("a scan looked up, with its custody", "a box as a map")
    return Found(
        lines,
        {
            "a scan looked up, large against small": told[scan].against(base[scan]),
            "a box as a map, large against small": told[box].against(base[box]),
            "statements, small and large": f"{sent[scan]} for a scan, {sent[box]} for a box",
        },
    )


@contextmanager
def _store(visits: int) -> Iterator[int]:
    with study_of(visits):
        triggers(_TABLES, "DISABLE TRIGGER USER")
        _fill()
        triggers(_TABLES, "ENABLE ALWAYS TRIGGER")
        yield _count()


@given
def _count() -> int:
    return Aliquot.objects.count()


def _fill() -> None:
    """Rows are written by the owner, set by set; each step commits before the next."""
    by = _technician()
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        owner.execute(
            "CREATE TEMP TABLE plan AS SELECT * FROM unnest(%s::bigint[], %s::text[], "
            "%s::text[], %s::integer[]) AS p(version, event, kind, least)",
            _plans(),
        )
        owner.execute(_SPECIMENS, [by.pk, LACKING])
        owner.execute(_ALIQUOTS, [by.pk])
    _shelve(by)
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        owner.execute("SELECT set_config('trialsite.sites', %s, false)", [every_site()])
        owner.execute(_PLACES, [WAITING])
        for events in (_COLLECTED, _STORED):
            owner.execute(events, [by.pk])
        owner.execute("ANALYZE")


@given
def _technician() -> User:
    by: User = make_user(
        Role.SAMPLE_TECHNICIAN, Site.objects.order_by("code")[0], full_name=TECHNICIAN
    )
    return by


@given
def _plans() -> list[list[object]]:
    return [list(column) for column in zip(*plans_in_use(), strict=True)]


@given
def _shelve(by: User) -> None:
    """A freezer at each site with as many boxes as it needs, and one with room."""
    now, numbers = trial_now(), itertools.count(1)
    for site in Site.objects.order_by("code"):
        needed = Aliquot.objects.filter(site=site).count() // _CELLS + 3
        freezer = Freezer(id=uuid.uuid4(), site=site, name="F", celsius=-80)
        freezer.added_by, freezer.added_at = by, now
        racks = [
            Rack(id=uuid.uuid4(), site=site, freezer=freezer, name=str(number), places=100)
            for number in range(1, needed // 100 + 2)
        ]
        boxes = [
            Box(
                id=uuid.uuid4(),
                site=site,
                code=f"B{site.code}-{next(numbers):05d}",
                rack=racks[number // 100],
                place=number % 100 + 1,
                added_by=by,
                added_at=now,
            )
            for number in range(needed)
        ]
        for rows in ([freezer], racks, boxes):
            keep(rows)


_S, _A, _E, _B, _V, _U, _T = (
    model._meta.db_table for model in (Specimen, Aliquot, CustodyEvent, Box, Visit, Subject, Site)
)
_SPECIMENS = f"""
INSERT INTO {_S} (id, site_id, subject_id, visit_id, kind, matrix, tube_type, freeze_within,
  code, extra_reason, state, time_zone, collected_at, aliquoted_at, amount_unit, draw_site,
  urine_method, dipstick, remark, prepared_by_id, prepared_at, void_reason, version)
SELECT gen_random_uuid(), v.site_id, v.subject_id, v.id, p.kind, 'blood', '', 120,
  'S' || t.code || '-' || lpad((row_number() OVER (ORDER BY v.id, p.kind, n))::text, 6, '0')
  || '-X', '', 'aliquoted', t.time_zone, v.attended_on + time '08:00',
  v.attended_on + time '09:00', 'mL', '', '', '', '', %s, now(), '', 1
FROM (SELECT v.*, row_number() OVER (ORDER BY v.attended_on DESC, v.id) AS serial FROM {_V} v
      WHERE v.status = 'attended') v
JOIN {_T} t ON t.id = v.site_id
JOIN plan p ON p.version = v.protocol_version_id AND p.event = v.event_oid
CROSS JOIN LATERAL generate_series(1, p.least) n
WHERE v.serial > %s OR p.kind <> 'SERUM'
"""
_ALIQUOTS = f"""
INSERT INTO {_A} (id, site_id, subject_id, specimen_id, number, code, state, thaws,
  thaws_at_most, time_zone, made_by_id, made_at)
SELECT gen_random_uuid(), s.site_id, s.subject_id, s.id, n,
  left(s.code, -1) || lpad(n::text, 2, '0') || '-X', 'made', 0, 2, s.time_zone, %s, now()
FROM {_S} s CROSS JOIN generate_series(1, 2) n
"""
_PLACES = f"""
WITH ranked AS (
  SELECT a.id, a.site_id, row_number() OVER (PARTITION BY a.site_id ORDER BY a.code) - 1 AS n,
    count(*) OVER (PARTITION BY a.site_id) AS every
  FROM {_A} a), boxes AS (
  SELECT b.id, b.site_id, row_number() OVER (PARTITION BY b.site_id ORDER BY b.code) - 1 AS n
  FROM {_B} b)
UPDATE {_A} a SET state = 'stored', box_id = b.id, "position" = r.n %% {_CELLS} + 1,
  frozen_at = s.collected_at + interval '90 minutes'
FROM ranked r JOIN boxes b ON b.site_id = r.site_id AND b.n = r.n / {_CELLS}, {_S} s
WHERE r.id = a.id AND s.id = a.specimen_id AND r.n < r.every - %s
"""
_COLLECTED = f"""
INSERT INTO {_E} (id, site_id, subject_id, specimen_id, number, kind, happened_at, time_zone,
  moment, place, reason, entered_by_id, entered_at)
SELECT gen_random_uuid(), s.site_id, s.subject_id, s.id, 1, 'collected', s.collected_at,
  s.time_zone, s.collected_at AT TIME ZONE s.time_zone, '', '', %s, now() FROM {_S} s
"""
_STORED = f"""
INSERT INTO {_E} (id, site_id, subject_id, specimen_id, aliquot_id, number, kind, happened_at,
  time_zone, moment, box_id, "position", place, reason, entered_by_id, entered_at)
SELECT gen_random_uuid(), a.site_id, a.subject_id, a.specimen_id, a.id, 1, 'stored',
  a.frozen_at, a.time_zone, a.frozen_at AT TIME ZONE a.time_zone, a.box_id, a."position", '',
  '', %s, now() FROM {_A} a WHERE a.state = 'stored'
"""


@given
def _codes(state: str, count: int) -> list[str]:
    """Aliquots of the technician's site, from all over the store."""
    site = User.objects.get(full_name=TECHNICIAN).memberships.get().site
    rows = Aliquot.objects.filter(site=site, state=state).order_by("id")
    return list(rows.values_list("code", flat=True)[:count])


@given
def _box_codes() -> tuple[str, str]:
    """A full box of the technician's site, and the last, which has room."""
    site = User.objects.get(full_name=TECHNICIAN).memberships.get().site
    boxes = list(Box.objects.filter(site=site).order_by("code").values_list("code", "pk"))
    return boxes[0][0], str(boxes[-1][1])


def _calls(client: Client) -> dict[str, Callable[[int], None]]:
    kept, waiting = _codes("stored", 60), iter(_codes("made", WAITING))
    full, empty = _box_codes()

    def opened(path: str) -> None:
        assert client.get(path).status_code == 200, path

    def froze() -> None:
        said = {"code": next(waiting), "box": empty}
        answer = client.post("/samples/scan/freeze/", said)
        assert b"scan-done" in answer.content, answer.content

    def looked_up(serial: int) -> None:
        code = kept[serial % len(kept)]
        answer = client.get("/samples/scan/", {"code": code}, follow=True)
        assert code in answer.content.decode()

    return {
        "a scan looked up, with its custody": looked_up,
        "a scan frozen into a box": lambda _serial: froze(),
        "a box as a map": lambda _serial: opened(f"/samples/boxes/{full}/"),
        "what is to freeze and what is missing": lambda _serial: opened("/samples/"),
        "reconciliation over the API": lambda _serial: opened("/api/v1/sample-reconciliation/"),
        "aliquots over the API, a page of 100": lambda _serial: opened("/api/v1/aliquots/"),
        "custody over the API, a page of 100": lambda _serial: opened("/api/v1/custody-events/"),
        "freezers with their boxes": lambda _serial: opened("/samples/freezers/"),
        "Today of the technician": lambda _serial: opened("/"),
    }


def _measured() -> dict[str, tuple[Timing, int]]:
    client = sign_in(User.objects.get(full_name=TECHNICIAN), SERVER_NAME="localhost")
    calls = _calls(client)
    timings = in_turns(calls, calls=5, rounds=3)
    return {name: (timings[name], statements(partial(call, 0))) for name, call in calls.items()}
