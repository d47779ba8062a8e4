"""Today and the lists beside it at 10, 1,000 and 10,000 subjects: statements counted, time
reported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.benchmarks.measuring import Timing, in_turns, statements
from tests.benchmarks.registry import Found, benchmark
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


@benchmark(
    issue=7,
    title="Today and the lists at 10, 1,000 and 10,000 subjects",
    means="What a nurse, an investigator and a data manager wait for first thing in the morning, "
    "and the lists opened next: at most 60 visits are near today, however long the study runs.",
    aims={
        "the lanes of a nurse, largest against smallest": "flat",
        "statements of Today, small to large": "constant",
        "compliance of the whole study at the largest, CPU": "none set; reads every visit",
    },
)
def today() -> Found:
    """The lanes alone for a nurse, the whole page for three roles, and the study's lists."""
    lines: list[str] = []
    events = visits_of_a_subject()
    base: dict[str, Timing] = {}
    told: dict[str, Timing] = {}
    sent: dict[str, list[int]] = {}
    for size in SIZES:
        with study_of(size * events):
            for name, (timing, number) in _measured(f"{size:,} subjects").items():
                told[name] = timing
                base.setdefault(name, timing)
                sent.setdefault(name, []).append(number)
                lines.append(f"{timing.line(base[name])}  {number} statements")
    page, lists = f"Today of {PEOPLE[0]}", f"/compliance/ of {PEOPLE[1]}"
    return Found(
        lines,
        {
            "the lanes of a nurse, largest against smallest": told["lanes"].against(base["lanes"]),
            "statements of Today, small to large": ", ".join(map(str, sent[page])),
            "compliance of the whole study at the largest, CPU": f"{told[lists].both / 1e6:.2f} s",
        },
    )


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
    return {
        each: (timing, statements(partial(call, 0)))
        for (each, call), timing in zip(calls.items(), timings.values(), strict=True)
    }


def _page(name: str, address: str) -> Callable[[int], None]:
    client = sign_in(User.objects.get(full_name=name), SERVER_NAME="localhost")

    def page(_serial: int) -> None:
        assert client.get(address).status_code == 200

    return page
