"""Today and the lists beside it at 10, 1,000 and 10,000 subjects: statements counted, time
reported."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.benchmarks.measuring import Timing, in_turns
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import study_of, visits_of_a_subject
from tests.factories import as_person, sign_in
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.dashboard.worklist import lanes_of

SIZES = (10, sized(1_000, 20), sized(10_000, 40))
#: What a principal investigator opens beside Today.
LISTS = ("/subjects/", "/calendar/", "/compliance/")
PEOPLE = ("Nora Nurse", "Petra Principal", "Dana Data")


def today() -> list[str]:
    """The lanes alone for a nurse, the whole page for three roles, and the study's lists."""
    lines = ["Today, the whole page and its lanes (60 visits near today, at most), and the lists"]
    events = visits_of_a_subject()
    base: dict[str, Timing] = {}
    for size in SIZES:
        with study_of(size * events):
            for name, (timing, statements) in _measured(f"{size:,} subjects").items():
                base.setdefault(name, timing)
                lines.append(f"{timing.line(base[name])}  {statements} statements")
    return lines


def _measured(what: str) -> dict[str, tuple[Timing, int]]:
    nurse = User.objects.get(full_name=PEOPLE[0])

    def lanes(_serial: int) -> None:
        with as_person(nurse):
            lanes_of(nurse, now=trial_now())

    calls: dict[str, Callable[[int], None]] = {"lanes": lanes}
    for name in PEOPLE:
        calls[f"Today of {name}"] = _page(name, "/")
    for address in LISTS:
        calls[f"{address} of {PEOPLE[1]}"] = _page(PEOPLE[1], address)
    timings = in_turns({f"{what}: {each}": call for each, call in calls.items()}, calls=5, rounds=3)
    found = {}
    for (each, call), timing in zip(calls.items(), timings.values(), strict=True):
        with CaptureQueriesContext(connection) as queries:
            call(0)
        found[each] = timing, len(queries)
    return found


def _page(name: str, address: str) -> Callable[[int], None]:
    client = sign_in(User.objects.get(full_name=name), SERVER_NAME="localhost")

    def page(_serial: int) -> None:
        assert client.get(address).status_code == 200

    return page
