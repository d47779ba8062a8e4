"""At the bedside: a reading of the run sheet, and a patient taken into the study."""

from __future__ import annotations

import datetime as dt
import statistics as middle
import time
from functools import partial

from screening.services.enrolment import enrol_subject
from tests.benchmarks.measuring import backend_cpu, in_turns, statements
from tests.benchmarks.registry import Found, benchmark
from tests.benchmarks.sizes import sized
from tests.factories import Cast, as_person, make_cast, sign_in
from tests.screening.consenting import make_document, wall
from tests.screening.deciding import confirm_all, decide, make_candidate
from tests.visits.treating import read, running, treatable
from trialsite.casebook.models import Subject
from visits.models import TreatmentSession

READINGS = sized(20, 4)
PATIENTS = sized(8, 3)
_VALUES = {"systolic": "118", "diastolic": "70", "heart_rate": "80"}


@benchmark(
    issue=4,
    title="A reading of the run sheet",
    means="What a nurse waits for beside a running machine: one row saved with its checks and its "
    "trail, and the sheet opened. The twentieth row must be as quick as the first.",
    aims={"statements, first and last row": "constant", "a row, last against first": "about 1x"},
)
def recording() -> Found:
    """A row of a sheet with few rows and of one with many, and the sheet with many."""
    cast = make_cast()
    paper = make_document(cast, cast.site)
    few, many = (running(cast, treatable(cast, paper), hours=-6) for _sheet in range(2))
    for number in range(READINGS):
        _enter(cast, many, number)
    client = sign_in(cast.nurse, SERVER_NAME="localhost")

    def opened(_serial: int) -> None:
        assert client.get(f"/sessions/{many.pk}/").status_code == 200

    sent = [statements(partial(_enter, cast, each, 99)) for each in (few, many)]
    page = statements(lambda: opened(0))
    timings = in_turns(
        {
            "a row of a new sheet": lambda serial: _enter(cast, few, serial),
            f"a row after {READINGS} others": lambda serial: _enter(cast, many, serial),
            "the sheet opened": opened,
        },
        calls=5,
        rounds=3,
    )
    base, last, _page = timings.values()
    told = " and ".join(map(str, sent))
    return Found(
        [
            *(each.line(base) for each in timings.values()),
            f"  statements: {told} for a row, {page} for the sheet",
        ],
        {"statements, first and last row": told, "a row, last against first": last.against(base)},
    )


def _enter(cast: Cast, session: TreatmentSession, number: int) -> None:
    """Rows a minute apart, all within the session."""
    at = wall(session.subject.site, hours=-5.9) + dt.timedelta(minutes=number % 340)
    read(session, cast.nurse, {"observed_at": at.isoformat(timespec="minutes")} | _VALUES)


@benchmark(
    issue=3,
    title="Taking a patient into the study",
    means="What an investigator waits for at the step that decides: consent, signed eligibility, "
    "holds and places are checked again under lock, and the number is given.",
    aims={"statements": "at most 12", "CPU": "at most 20 ms"},
)
def enrolling() -> Found:
    """Each patient once: nobody is enrolled twice. The first, which warms everything, is left
    out."""
    cast = make_cast()
    people = [make_candidate(cast)]
    confirm_all(cast)
    people += [make_candidate(cast) for _n in range(PATIENTS)]
    for person in people:
        decide(cast, person)
    sent = statements(lambda: _enrol(cast, people[0]))
    walls, cpus, servers = zip(*(_timed(cast, each) for each in people[1:]), strict=True)
    wall_ms, cpu_ms, server_ms = (middle.median(each) * 1e3 for each in (walls, cpus, servers))
    return Found(
        [
            f"  {PATIENTS} patients: median {wall_ms:.1f} ms, CPU {cpu_ms:.1f}+{server_ms:.1f} ms, "
            f"{sent} statements",
        ],
        {"statements": str(sent), "CPU": f"{cpu_ms + server_ms:.0f} ms"},
    )


def _enrol(cast: Cast, subject: Subject) -> None:
    with as_person(cast.nurse):
        enrol_subject(subject=subject, by=cast.nurse)


def _timed(cast: Cast, subject: Subject) -> tuple[float, float, float]:
    began, used, (_pid, server) = time.perf_counter(), time.process_time(), backend_cpu()
    _enrol(cast, subject)
    return (
        time.perf_counter() - began,
        time.process_time() - used,
        backend_cpu()[1] - server,
    )
