"""Every mail of one subject from day zero at 22:00 to week 12, enumerated by hand.

The table is written from the protocol's rules and the calendar, not by the code it checks:
none before its anchor event, none two for one visit within twelve hours, none after
attendance or death, at most one digest a day.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from contextlib import suppress
from functools import partial

import hypothesis
import pytest
from django.db import transaction
from hypothesis import Phase, example, settings
from hypothesis import strategies as st

from screening.models.consent import Scope
from tests.factories import Cast, as_person, given, make_protocol, make_user
from tests.screening.consenting import make_document, sign, withdraw
from tests.visits.ledger import Course, Ledger, Sent
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.services import miss_visit, record_death
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices

OPENS, DUE, LAST = "Visit window opens soon", "Visit due today", "Last day of the visit window"
OVERDUE, UNSOLVED = "Visit overdue", "Visit overdue and unsolved"
CHECK = "Adverse event check after a session"
D1, D3, D5, D7, D14 = (f"Day {n}" for n in (1, 3, 5, 7, 14))
D28, W8, W12 = "Day 28 (week 4)", "Week 8", "Week 12 (end of study)"


@pytest.fixture
def ledger(cast, clock, sink) -> Ledger:
    clock.put("2026-02-20 09:00")
    make_protocol(cast.site, cast.other_site)
    return Ledger(cast, clock, sink)


@pytest.fixture
def course(ledger) -> Course:
    """Screened; day zero comes on the second of March at 22:00."""
    course = Course.begin(ledger.cast)
    ledger.on("2026-03-02 22:00", lambda: course.anchor("2026-03-02"))
    ledger.on("2026-03-02 22:00", lambda: course.attend("SCR", "2026-02-25"))
    ledger.on("2026-03-02 22:00", lambda: course.attend("D0", "2026-03-02"))
    return course


def attends(ledger: Ledger, course: Course, *visits: tuple[str, str]) -> None:
    for name, moment in visits:
        ledger.on(moment, partial(course.attend, name, moment[:10]))


#: When, to the nurses; the window opens two days before its first day, at eight.
NURSES = [
    ("2026-03-03 08:00", {(D1, LAST), (D3, OPENS)}),
    ("2026-03-04 07:00", {("Session 1", CHECK)}),  # ended 01:00: quiet until seven
    ("2026-03-05 08:00", {(D3, DUE), (D5, OPENS)}),
    ("2026-03-05 18:00", {("Session 2", CHECK)}),
    ("2026-03-06 08:00", {(D7, OPENS)}),
    ("2026-03-07 08:00", {(D5, LAST)}),
    ("2026-03-12 08:00", {(D14, OPENS)}),
    ("2026-03-16 08:00", {(D14, DUE)}),
    ("2026-03-18 08:00", {(D14, LAST)}),
    ("2026-03-19 08:00", {(D14, OVERDUE)}),
    ("2026-03-25 08:00", {(D28, OPENS)}),
    ("2026-03-30 08:00", {(D28, DUE)}),
    ("2026-04-18 08:00", {(W8, OPENS)}),
    ("2026-04-27 08:00", {(W8, DUE)}),
    ("2026-05-04 08:00", {(W8, LAST)}),
    ("2026-05-16 08:00", {(W12, OPENS)}),
    ("2026-05-25 08:00", {(W12, DUE)}),
]
INVESTIGATOR = [
    ("2026-03-19 08:00", {(D14, OVERDUE)}),
    ("2026-03-21 08:00", {(D14, UNSOLVED)}),
]
DATA_MANAGER = [("2026-03-21 08:00", {(D14, UNSOLVED)})]


@pytest.mark.requirement("RM1", "TM4")
def test_every_mail_from_day_zero_to_week_12(ledger, course, cast):
    ledger.on(
        "2026-03-03 01:05",
        lambda: course.session_ended("2026-03-02 22:00", "2026-03-03 01:00"),
    )
    ledger.on(
        "2026-03-04 18:10",
        lambda: course.session_ended("2026-03-04 14:00", "2026-03-04 18:00"),
    )

    def missed() -> None:
        with as_person(cast.nurse):
            miss_visit(visit=course.visit("D14"), reason="Transferred.", by=cast.nurse)

    attends(
        ledger,
        course,
        ("D1", "2026-03-03 10:00"),
        ("D3", "2026-03-05 11:00"),
        ("D5", "2026-03-07 09:00"),
        ("D7", "2026-03-08 10:00"),  # a day before its target
        ("D28", "2026-03-31 15:00"),
        ("W8", "2026-05-04 09:00"),
        ("W12", "2026-05-26 09:00"),
    )
    ledger.on("2026-03-21 12:00", missed)

    sent = ledger.walk("2026-03-01", "2026-03-09")
    ledger.walk("2026-03-10", "2026-06-03", ("08:00", "20:00"))

    assert ledger.to(cast.nurse) == NURSES
    assert ledger.to(cast.second_nurse) == NURSES
    assert ledger.to(cast.investigator) == INVESTIGATOR
    assert ledger.to(cast.data_manager) == DATA_MANAGER
    assert len(sent) == 2 * len(NURSES) + len(INVESTIGATOR) + len(DATA_MANAGER)
    keeps_the_promises(sent)


def keeps_the_promises(sent: list[Sent]) -> None:
    """The sentences of the acceptance, over any ledger."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    digests: dict[tuple[str, str], int] = defaultdict(int)
    for mail in sent:
        assert mail.at > "2026-03-02 22:00"
        visits = {visit for visit, _what in mail.lines}
        assert len(visits) == len(mail.lines), "a visit is spoken of once in a mail"
        if not any(what == CHECK for _visit, what in mail.lines):
            digests[mail.to, mail.at[:10]] += 1
        for visit in visits:
            told[mail.to, visit].append(mail.at)
    assert set(digests.values()) <= {1}
    for moments in told.values():
        for earlier, later in itertools.pairwise(map(dt.datetime.fromisoformat, moments)):
            assert later - earlier >= dt.timedelta(hours=12)


@pytest.mark.requirement("PR6")
def test_nothing_is_said_after_a_death(ledger, course, cast):
    attends(ledger, course, *((name, "2026-03-16 10:00") for name in ("D1", "D3", "D5", "D7")))

    def died() -> None:
        with as_person(cast.nurse):
            record_death(subject=course.subject, died_on="2026-03-22", by=cast.nurse)

    ledger.on("2026-03-22 23:50", died)  # the twentieth day; day 14 is still overdue
    ledger.walk("2026-03-18", "2026-03-22")
    before = len(ledger.sent)
    assert before
    ledger.walk("2026-03-23", "2026-04-05", ("07:00", "08:00"))
    assert len(ledger.sent) == before


@pytest.mark.requirement("RM1", "PR6")
def test_a_death_between_the_plan_and_the_post_stops_the_mail(ledger, course, cast):
    ledger.walk("2026-03-02", "2026-03-02", ("23:00",))
    ledger.clock.put("2026-03-03 08:00")
    assert plan_notices(trial_now(), kind="visit") == 4
    with as_person(cast.nurse):
        record_death(subject=course.subject, died_on="2026-03-03", by=cast.nurse)
    ledger.pass_by("2026-03-03 08:00")
    assert ledger.sent == []
    states = given(lambda: set(Notice.objects.filter(kind="visit").values_list("state", flat=True)))
    assert states() == {"cancelled"}


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize(
    ("scopes", "goes_on"),
    [
        ([Scope.TREATMENT], True),
        ([Scope.SAMPLES], True),
        ([Scope.CONTACT], False),
        ([Scope.TREATMENT, Scope.CONTACT], False),
        ([Scope.ALL_DATA], False),
    ],
    ids=str,
)
def test_a_withdrawal_ends_reminders_by_its_scope(ledger, course, cast, scopes, goes_on):
    document = make_document(cast, cast.site)
    sign(cast, course.subject, document, days=-1)
    ledger.on("2026-03-10 09:00", lambda: withdraw(cast, course.subject, *scopes))
    ledger.walk("2026-03-02", "2026-03-02", ("23:00",))
    attends(ledger, course, *((name, "2026-03-10 08:30") for name in ("D1", "D3", "D5", "D7")))
    ledger.walk("2026-03-10", "2026-03-16", ("07:59", "08:00"))
    later = [(moment, lines) for moment, lines in ledger.to(cast.nurse) if moment > "2026-03-10 09"]
    assert later == (
        [("2026-03-12 08:00", {(D14, OPENS)}), ("2026-03-16 08:00", {(D14, DUE)})]
        if goes_on
        else []
    )


@pytest.mark.requirement("RM1")
def test_when_day_zero_moves_the_new_dates_are_said_and_the_old_ones_are_not(ledger, course, cast):
    # The session of the second is voided on the third at noon; the first was on the third.
    ledger.on("2026-03-03 12:00", lambda: course.anchor(None))
    ledger.on("2026-03-03 20:00", lambda: course.anchor("2026-03-03"))
    attends(ledger, course, ("D1", "2026-03-04 09:00"), ("D3", "2026-03-07 08:30"))
    ledger.walk("2026-03-02", "2026-03-07", ("07:59", "08:00", "08:01", "22:30"))
    assert ledger.to(cast.nurse) == [
        ("2026-03-03 08:00", {(D1, LAST), (D3, OPENS)}),
        ("2026-03-04 08:00", {(D1, LAST), (D3, OPENS)}),
        ("2026-03-06 08:00", {(D3, DUE), (D5, OPENS)}),
        ("2026-03-07 08:00", {(D3, LAST), (D7, OPENS)}),
    ]
    keeps_the_promises(ledger.sent)


def test_who_is_nurse_and_investigator_gets_one_mail_a_day(ledger, course, cast):
    add = Membership.objects.create
    given(
        lambda: add(
            user=cast.nurse,
            site=cast.site,
            role=Role.PRINCIPAL_INVESTIGATOR,
            valid_from=dt.date(2026, 1, 1),
        )
    )()
    ledger.walk("2026-03-02", "2026-03-06", ("08:00", "08:01", "22:30"))
    assert ledger.to(cast.nurse) == [
        ("2026-03-03 08:00", {(D1, LAST), (D3, OPENS)}),
        ("2026-03-04 08:00", {(D1, OVERDUE)}),
        ("2026-03-05 08:00", {(D3, DUE), (D5, OPENS)}),
        ("2026-03-06 08:00", {(D1, UNSOLVED), (D3, LAST), (D7, OPENS)}),
    ]
    assert ledger.to(cast.second_nurse)[-1] == (
        "2026-03-06 08:00",
        {(D3, LAST), (D7, OPENS)},
    )
    keeps_the_promises(ledger.sent)


def test_who_works_at_two_sites_gets_one_mail_a_day(ledger, course, cast):
    both = make_user(Role.RESEARCH_NURSE, cast.site)
    other = Course.begin(cast, cast.other_site)
    given(
        lambda: Membership.objects.create(
            user=both,
            site=cast.other_site,
            role=Role.RESEARCH_NURSE,
            valid_from=dt.date(2026, 1, 1),
        )
    )()
    ledger.on("2026-03-02 22:10", lambda: other.anchor("2026-03-02"))
    ledger.on("2026-03-02 22:10", lambda: other.attend("SCR", "2026-02-25"))
    ledger.on("2026-03-02 22:10", lambda: other.attend("D0", "2026-03-02"))
    ledger.walk("2026-03-02", "2026-03-03", ("08:00", "08:01", "22:30"))
    assert [mail.at for mail in ledger.sent if mail.to == both.email] == ["2026-03-03 08:00"]


@pytest.mark.requirement("RM2")
@pytest.mark.fault(
    "the clock jumps four days ahead",
    promised="each visit is said once, as it stands",
)
def test_after_four_days_without_a_server_each_visit_is_said_once_and_as_it_stands(
    ledger, course, cast
):
    ledger.walk("2026-03-02", "2026-03-02", ("23:00",))
    ledger.walk("2026-03-07", "2026-03-07", ("11:00", "11:01", "14:00"))
    assert ledger.to(cast.nurse) == [
        (
            "2026-03-07 11:00",
            {
                (D1, f"{OVERDUE} (of 2026-03-04)"),
                (D3, OVERDUE),
                (D5, LAST),
                (D7, f"{OPENS} (of 2026-03-06)"),
            },
        )
    ]
    keeps_the_promises(ledger.sent)


#: An act of the story: on which day and at which tick, what, and to which visit.
_ACTS = st.lists(
    st.tuples(
        st.integers(3, 12),
        st.sampled_from(["07:30", "08:00", "12:00"]),
        st.sampled_from(["attend", "miss", "move", "die", "withdraw"]),
        st.sampled_from(["D1", "D3", "D5", "D7"]),
    ),
    max_size=6,
)


@pytest.mark.requirement("RM1", "PR6")
@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@example(acts=[(4, "08:00", "die", "D1")])
@example(acts=[(5, "07:30", "move", "D1"), (6, "08:00", "attend", "D3")])
@hypothesis.given(acts=_ACTS)
def test_whatever_happens_nothing_is_said_that_is_over(cast, clock, sink, acts):
    try:
        with transaction.atomic():
            _tell(Ledger(cast, clock, sink), acts)
            transaction.set_rollback(True)
    finally:
        protocol_of.cache_clear()  # its keys went with the rollback


def _tell(ledger: Ledger, acts: list[tuple[int, str, str, str]]) -> None:
    cast = ledger.cast
    ledger.clock.put("2026-02-20 09:00")
    document = make_document(cast, cast.site)
    course = Course.begin(cast, version=make_protocol(cast.site))
    sign(cast, course.subject, document, days=-1)
    ledger.clock.put("2026-03-02 22:00")
    course.anchor("2026-03-02")
    over: dict[str, str] = {}

    def happens(what: str, name: str, moment: str) -> None:
        with suppress(DomainError):
            _act(cast, course, what, name, moment[:10])
            ended = {"attend": f"Day {name[1:]}", "miss": f"Day {name[1:]}", "move": ""}
            over.setdefault(ended.get(what, "all"), moment)

    for day, tick, what, name in acts:
        moment = f"2026-03-{day:02d} {tick}"
        ledger.on(moment, partial(happens, what, name, moment))
    ledger.walk("2026-03-02", "2026-03-12", ("08:00",))
    for mail in ledger.sent:
        assert mail.at < over.get("all", "9")
        for visit, _what in mail.lines:
            assert mail.at < over.get(visit, "9"), (visit, over)
    keeps_the_promises(ledger.sent)


def _act(cast: Cast, course: Course, what: str, name: str, day: str) -> None:
    if what == "attend":
        course.attend(name, day)
    elif what == "move":
        course.anchor("2026-03-03")
    elif what == "withdraw":
        withdraw(cast, course.subject, Scope.CONTACT)
    else:
        with as_person(cast.nurse):
            if what == "miss":
                miss_visit(visit=course.visit(name), reason="Away.", by=cast.nurse)
            else:
                record_death(subject=course.subject, died_on=day, by=cast.nurse)
