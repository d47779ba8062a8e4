"""Judging a whole person: fourteen criteria over a full set of facts, without a database and
with everything read from it."""

from __future__ import annotations

from functools import partial

from screening.eligibility.again import evaluation_of
from screening.eligibility.engine import evaluate
from screening.eligibility.facts import Facts
from screening.eligibility.frozen import frozen_facts
from screening.selectors.eligibility import live_evaluation, signed_decisions
from tests.benchmarks.measuring import in_turns, statements
from tests.benchmarks.registry import Found, benchmark
from tests.factories import as_person, make_cast
from tests.screening.deciding import RESULTS, confirm_all, decide, draw, make_candidate
from tests.screening.eligibility import FIRST, confirmed, eligible_person, lab, protocol_of
from trialsite.casebook.models import Subject
from trialsite.protocol import Protocol

#: Three earlier draws, as a patient on the ward has them.
EARLIER = tuple(
    lab(analyte, text, hours=hours, high="10", draw=hours)
    for hours in (26, 50, 74)
    for analyte, text in (("BILI", "290"), ("PTA", "33"), ("INR", "2.0"), ("CREAT", "75"))
)


@benchmark(
    issue=3,
    title="Judging a person by every criterion",
    means="What it costs to say for one patient which of the fourteen criteria are met, and to "
    "make an old decision again from what was kept of it when an inspector asks.",
    aims={"an evaluation, CPU": "none set; a page shows one"},
)
def evaluating() -> Found:
    """1,000 evaluations: all confirmed, nothing confirmed, and made again from what was kept."""
    known: Facts = eligible_person(*EARLIER)
    signed, unsigned = confirmed(), protocol_of()
    kept, text = frozen_facts(known), FIRST.read_text("utf-8")
    timings = in_turns(
        {
            "evaluate, everything confirmed": lambda _serial: _run(signed, known),
            "evaluate, nothing confirmed": lambda _serial: _run(unsigned, known),
        },
        calls=200,
    )
    again = in_turns(
        {
            "made again from text": lambda _serial: _again(
                kept, text, evaluate(signed, known).confirmed
            )
        },
        calls=2,
    )
    base = timings["evaluate, everything confirmed"]
    return Found(
        [
            base.line(),
            timings["evaluate, nothing confirmed"].line(base),
            again["made again from text"].line(base),
        ],
        {"an evaluation, CPU": f"{base.cpu / 1e3:.1f} ms"},
    )


def _run(protocol: Protocol, known: Facts) -> None:
    evaluate(protocol, known)


def _again(kept: str, text: str, paths: tuple[str, ...]) -> None:
    evaluation_of(kept, text, paths)


@benchmark(
    issue=3,
    title="Judging a person from the casebook",
    means="The same with everything read from the database, as the page of eligibility does it: "
    "a patient with months of results must not cost more statements than one with a day's.",
    aims={"statements, 6 and 204 results": "constant"},
)
def from_the_database() -> Found:
    """Evaluations with their facts: six results, two hundred, and signed decisions."""
    cast = make_cast()
    few = make_candidate(cast)
    confirm_all(cast)
    many = make_candidate(cast)
    for serial in range(33):
        draw(cast, many, RESULTS, hours=-2 - serial / 4)
    signed = [few, many]
    for subject in signed:
        decide(cast, subject)
    with as_person(cast.nurse):
        timings = in_turns(
            {
                "facts and verdicts, 6 results": lambda _serial: _judge(few),
                "facts and verdicts, 204 results": lambda _serial: _judge(many),
                "two signed decisions checked": lambda _serial: _check(signed),
            },
            calls=10,
        )
        sent = [statements(partial(_judge, each)) for each in (few, many)]
    base = timings["facts and verdicts, 6 results"]
    return Found(
        [
            base.line(),
            timings["facts and verdicts, 204 results"].line(base),
            timings["two signed decisions checked"].line(base),
            f"  statements: {sent[0]} with 6 results, {sent[1]} with 204",
        ],
        {"statements, 6 and 204 results": f"{sent[0]} and {sent[1]}"},
    )


def _judge(subject: Subject) -> None:
    live_evaluation(subject)


def _check(subjects: list[Subject]) -> None:
    signed_decisions(subjects)
