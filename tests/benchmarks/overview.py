"""The study overview at 10, 1,000 and 10,000 enrolled subjects: every figure, and the page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from django.db import connection

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Source
from tests.benchmarks.endpoints import study_of
from tests.benchmarks.measuring import Timing, in_turns, statements
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.benchmarks.studies import keep, triggers
from tests.factories import as_person, given, sign_in
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.dashboard.overview.board import board_of
from trialsite.dashboard.overview.scope import scope_of

SIZES = (10, sized(1_000, 20), sized(10_000, 40))
#: Screening failures for each subject that was enrolled.
_FAILED = 2


@benchmark(
    issue=7,
    title="The study overview at 10, 1,000 and 10,000 subjects",
    means="What a principal investigator waits for when opening the study: enrolment, failures, "
    "visits, sessions, survival and safety of all sites, counted at that moment.",
    aims={
        "figures at the largest, CPU": "none set; less than a second",
        "statements, small to large": "constant",
    },
)
def overview() -> Found:
    """The figures alone, and the page that a principal investigator of all sites gets."""
    lines = ["two screen failures for each enrolled subject"]
    base: dict[str, Timing] = {}
    sent: list[int] = []
    for size in SIZES:
        with study_of(size) as person:
            _considered(person)
            calls = {"figures": lambda _n: _read(person), "page": _page(person)}
            found = in_turns(
                {f"{size:,} subjects, {name}": call for name, call in calls.items()},
                calls=1,
                rounds=3,
            )
            sent.append(statements(partial(_read, person)))
            for name, timing in zip(calls, found.values(), strict=True):
                base.setdefault(name, timing)
                lines.append(f"{timing.line(base[name])}  {sent[-1]} statements")
            figures = next(iter(found.values()))
    return Found(
        lines,
        {
            "figures at the largest, CPU": f"{figures.both / 1e6:.2f} s",
            "statements, small to large": ", ".join(map(str, sent)),
        },
    )


def _read(person: User) -> None:
    with as_person(person):
        board_of(scope_of(person, now=trial_now()))


def _page(person: User) -> Callable[[int], None]:
    client = sign_in(person, SERVER_NAME="localhost")

    def page(_serial: int) -> None:
        assert client.get("/overview/").status_code == 200

    return page


def _considered(person: User) -> None:
    """An entry of the log for each subject, and those whose screening failed."""
    triggers([ScreeningEntry, Subject], "DISABLE TRIGGER USER")
    _keep_entries(person)
    triggers([ScreeningEntry, Subject], "ENABLE ALWAYS TRIGGER")
    given(_analyse)()


def _analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@given
def _keep_entries(person: User) -> None:
    subjects, entries = [], []
    for number, subject in enumerate(Subject.objects.all()):
        entries.append(_entry(subject, f"{number}-0", Outcome.ENROLLED, person))
        for again in range(1, _FAILED + 1):
            failed = Subject(
                site_id=subject.site_id,
                screening_number=f"F{number:06d}-{again}",
                status="screen_failed",
                protocol_version_id=subject.protocol_version_id,
            )
            subjects.append(failed)
            entries.append(_entry(failed, f"{number}-{again}", Outcome.SCREEN_FAILED, person))
    for rows in (subjects, entries):
        for start in range(0, len(rows), 5000):
            keep(rows[start : start + 5000])


def _entry(subject: Subject, number: str, outcome: str, person: User) -> ScreeningEntry:
    day = dt.date(2026, 3, 1)
    return ScreeningEntry(
        site_id=subject.site_id,
        number=number,
        first_contact_on=day,
        source=Source.WARD,
        considered_by=person,
        opened_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
        subject=subject,
        outcome=outcome,
        outcome_on=day,
        criteria=["EX04"] if outcome == Outcome.SCREEN_FAILED else [],
    )
