"""The work list at 10, 1,000 and 100,000 visits: statements counted, time reported."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.benchmarks.measuring import Timing, in_turns
from tests.benchmarks.studies import study_of
from tests.factories import as_person, sign_in
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.dashboard.worklist import lanes_of

SIZES = (10, 1_000, 100_000)
PEOPLE = ("Nora Nurse", "Petra Principal", "Dana Data")


def today() -> list[str]:
    """The lanes alone for a nurse, and the whole page for three roles."""
    lines = ["Today, the whole page and its lanes (60 visits near today, at most)"]
    base: dict[str, Timing] = {}
    for size in SIZES:
        with study_of(size):
            for name, (timing, statements) in _measured(f"{size:,} visits").items():
                base.setdefault(name, timing)
                lines.append(f"{timing.line(base[name])}  {statements} statements")
    return lines


def _measured(what: str) -> dict[str, tuple[Timing, int]]:
    nurse = User.objects.get(full_name=PEOPLE[0])

    def lanes(_serial: int) -> None:
        with as_person(nurse):
            lanes_of(nurse, now=trial_now())

    calls = {"lanes": lanes}
    for name in PEOPLE:
        client = sign_in(User.objects.get(full_name=name), SERVER_NAME="localhost")

        def page(_serial: int, client: object = client) -> None:
            assert client.get("/").status_code == 200  # type: ignore[attr-defined]

        calls[f"page of {name}"] = page
    timings = in_turns({f"{what}: {each}": call for each, call in calls.items()}, calls=5, rounds=3)
    found = {}
    for (each, call), timing in zip(calls.items(), timings.values(), strict=True):
        with CaptureQueriesContext(connection) as queries:
            call(0)
        found[each] = timing, len(queries)
    return found
