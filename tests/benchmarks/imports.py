"""Importing 100,000 results: reading and comparing, then taking, with the memory it needs."""

from __future__ import annotations

import time

from tests.benchmarks.measuring import peak
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.factories import make_protocol, make_site, make_subject, make_user
from tests.labs.conftest import make_laboratory
from tests.labs.hospital import MAPPING, export
from trialsite.access.capabilities import Role
from trialsite.access.context import context_of
from trialsite.core.context import Channel, acting
from trialsite.labs.services.imports import choose, prepare_import
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.services.taking import accept_import

RESULTS = sized(100_000, 2_000)
_A_DRAW = 25


@benchmark(
    issue=5,
    title="Importing 100,000 laboratory results",
    means="How long a data manager waits for years of a hospital's results: read, matched to "
    "people and draws, compared with what is there, and taken in one transaction or not at all.",
    aims={"rows a second, taken": "none set", "memory at its peak": "none set; it is reported"},
)
def importing() -> Found:
    """One file as the command prepares it and the worker takes it, in one transaction."""
    site = make_site()
    nurse = make_user(Role.RESEARCH_NURSE, site)
    manager = make_user(Role.DATA_MANAGER)
    laboratory = make_laboratory(site)
    version = make_protocol(site)
    people = [
        make_subject(site, protocol_version=version) for _n in range(RESULTS // _A_DRAW // 20)
    ]
    content = export([each.screening_number for each in people], draws=20).content()
    before = peak()
    with acting(context_of(manager, Channel.COMMAND)):
        keep_mapping(laboratory=laboratory, text=MAPPING, by=manager)
        began = time.perf_counter()
        found = prepare_import(
            laboratory=laboratory, content=content, filename="bench.csv", most=None, by=manager
        )
        prepared, after = time.perf_counter() - began, peak()
    with acting(context_of(nurse, Channel.IMPORT)):
        began = time.perf_counter()
        found = choose(found=found, choices={}, leave_all=["slip", "twice"], by=nurse)
        chosen = time.perf_counter() - began
        began = time.perf_counter()
        found = accept_import(found=found, digest=found.digest, by=nurse)
        taken = time.perf_counter() - began
    lines, written = found.report["lines"], found.report["writes"]
    return Found(
        [
            f"{lines:,} results of {len(people):,} people ({len(content) / 1e6:.1f} MB)",
            f"  read and compare: {prepared:6.1f} s  {lines / prepared:8,.0f} rows/s",
            f"  say what becomes of lines: {chosen:6.2f} s",
            f"  take {written:,}: {taken:6.1f} s  {written / taken:8,.0f} rows/s",
            f"  peak memory: {before} MB before, {after} MB after comparing, "
            f"{peak()} MB at the end",
        ],
        {
            "rows a second, taken": f"{written / taken:,.0f}",
            "memory at its peak": f"{peak()} MB",
        },
    )
