"""Sixteen people who open a form at the same moment, before the real web server."""

from __future__ import annotations

import http.client
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from django.test import Client

from tests.benchmarks.forms import filled
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.benchmarks.stack import family, running
from trialsite.launcher.environment import Choices

PEOPLE, PAGES = 16, sized(40, 3)


@benchmark(
    issue=7,
    title="Sixteen people at once",
    means="What each of sixteen people waits for who open a form of thirty items at the same "
    "moment, again and again without reading it: far more than a ward does.",
    aims={"p99 of a page": "below 100 ms on two cores", "pages refused": "none"},
)
def serving() -> Found:
    """The web server as the launcher starts it; those who ask are a process on the same cores."""
    _nurse, record, client = filled()
    with running() as (choices, processes):
        ask = partial(_pages, choices, f"/records/{record.pk}/", _cookie(client))
        with ThreadPoolExecutor(PEOPLE) as people:
            list(people.map(ask, [2] * PEOPLE))  # every worker has drawn the page once
            before, began = _used(processes["web server"]), time.perf_counter()
            answers = [answer for each in people.map(ask, [PAGES] * PEOPLE) for answer in each]
            seconds = time.perf_counter() - began
        cpu = (_used(processes["web server"]) - before) / len(answers)
    refused = sum(status != 200 for status, _took in answers)
    took = statistics.quantiles((took * 1e3 for _status, took in answers), n=100)
    return Found(
        [
            f"  {len(answers):,} pages: {len(answers) / seconds:.0f} a second, "
            f"p50 {took[49]:.0f} ms, p90 {took[89]:.0f} ms, p99 {took[98]:.0f} ms",
            f"  CPU of the web server for a page: {cpu * 1e3:.1f} ms; refused: {refused}",
        ],
        {"p99 of a page": f"{took[98]:.0f} ms", "pages refused": str(refused)},
    )


def _cookie(client: Client) -> str:
    return "; ".join(f"{name}={each.value}" for name, each in client.cookies.items())


def _pages(choices: Choices, path: str, cookie: str, count: int) -> list[tuple[int, float]]:
    """One person's pages over one connection: each answer's status and seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", choices.port, timeout=60)
    headers = {"Host": urlsplit(choices.base_url).netloc, "Cookie": cookie}
    answers = []
    for _page in range(count):
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        answers.append((answer.status, time.perf_counter() - began))
    connection.close()
    return answers


def _used(pid: int) -> float:
    """Seconds of CPU of a process and of all its threads and children."""
    return sum(
        int(task.read_text().split()[0]) / 1e9
        for each in family(pid)
        for task in Path(f"/proc/{each}/task").glob("*/schedstat")
    )
