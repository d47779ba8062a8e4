import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.protocol import DayInterval, Protocol, Schedule, StudyEventDef, Text
from trialsite.protocol.schedule import EventKind, EventRole

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(5 * 365 + 2)]
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]


def an_event(first: int, target: int, last: int) -> StudyEventDef:
    return StudyEventDef(
        oid="SE.X",
        name=Text(en="X", zh="X"),
        kind=EventKind.SCHEDULED,
        role=EventRole.FOLLOW_UP,
        visitnum=1,
        target_day=target,
        window=DayInterval(first=first, last=last),
    )


@pytest.mark.requirement("TM4")
def test_every_window_is_right_for_every_day_zero_of_five_years(protocol: Protocol) -> None:
    assert DAYS[-1] == dt.date(2028, 12, 31)
    dated = [event for event in protocol.schedule.events if event.window]
    for day_zero in DAYS:
        zero = day_zero.toordinal()
        for event, visit in zip(dated, protocol.schedule.expand(day_zero), strict=True):
            assert event.window
            assert event.target_day is not None
            assert visit.event_oid == event.oid
            assert visit.target_on.toordinal() == zero + event.target_day
            assert visit.window_first.toordinal() == zero + event.window.first
            assert visit.window_last.toordinal() == zero + event.window.last
            assert visit.window_first <= visit.target_on <= visit.window_last


@pytest.mark.requirement("TM4")
def test_no_date_belongs_to_two_visits_after_the_anchor(protocol: Protocol) -> None:
    for day_zero in DAYS:
        visits = [v for v in protocol.schedule.expand(day_zero) if v.target_on > day_zero]
        for earlier, later in pairwise(visits):
            assert earlier.window_last < later.window_first


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize("zone", ZONES)
def test_a_clock_change_never_moves_a_window(zone: str) -> None:
    week = Schedule(events=(an_event(6, 7, 8),))
    for day_zero in DAYS:
        late = dt.datetime.combine(day_zero, dt.time(23, 59), tzinfo=ZoneInfo(zone))
        (visit,) = week.expand(late.date())
        at_noon = dt.datetime.combine(visit.target_on, dt.time(12), tzinfo=ZoneInfo(zone))
        assert (at_noon.date() - day_zero).days == 7


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize(
    ("day_zero", "target_on"),
    [
        pytest.param(dt.date(2024, 2, 28), dt.date(2024, 2, 29), id="into the leap day"),
        pytest.param(dt.date(2024, 2, 29), dt.date(2024, 3, 1), id="out of the leap day"),
        pytest.param(dt.date(2025, 2, 28), dt.date(2025, 3, 1), id="no leap day"),
        pytest.param(dt.date(2026, 12, 31), dt.date(2027, 1, 1), id="year end"),
        pytest.param(dt.date(2026, 3, 28), dt.date(2026, 3, 29), id="clocks forward in Berlin"),
        pytest.param(dt.date(2026, 10, 24), dt.date(2026, 10, 25), id="clocks back in Berlin"),
    ],
)
def test_the_day_after_is_the_next_date(day_zero: dt.date, target_on: dt.date) -> None:
    (visit,) = Schedule(events=(an_event(1, 1, 1),)).expand(day_zero)
    assert visit.target_on == target_on


@pytest.mark.parametrize(
    ("day", "accepted"),
    [
        pytest.param(5, False, id="the day before the window"),
        pytest.param(6, True, id="the first day"),
        pytest.param(7, True, id="the target day"),
        pytest.param(8, True, id="the last day"),
        pytest.param(9, False, id="the day after the window"),
    ],
)
@pytest.mark.requirement("TM4")
def test_both_ends_of_a_window_are_inside(day: int, *, accepted: bool) -> None:
    day_zero = dt.date(2026, 11, 22)
    (visit,) = Schedule(events=(an_event(6, 7, 8),)).expand(day_zero)
    assert visit.accepts(day_zero + dt.timedelta(days=day)) is accepted
    assert (day in DayInterval(first=6, last=8)) is accepted


@settings(deadline=None)
@given(
    day_zero=st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    shift=st.integers(-400, 400),
)
def test_moving_day_zero_moves_every_date_alike(
    protocol: Protocol, day_zero: dt.date, shift: int
) -> None:
    delta = dt.timedelta(days=shift)
    before = protocol.schedule.expand(day_zero)
    after = protocol.schedule.expand(day_zero + delta)
    for one, other in zip(before, after, strict=True):
        assert other.target_on - one.target_on == delta
        assert other.window_first - one.window_first == delta
        assert other.window_last - one.window_last == delta


def test_each_occurrence_has_a_visitnum_of_its_own(protocol: Protocol) -> None:
    numbers = [
        event.visitnum_of(key)
        for event in protocol.schedule.events
        if event.visitnum is not None
        for key in range(1, event.repeat_limit + 1)
    ]
    assert len(numbers) == len(set(numbers))


def test_an_occurrence_beyond_the_limit_has_no_visitnum() -> None:
    with pytest.raises(ValueError, match="occurs 1 to 1 times"):
        an_event(1, 1, 1).visitnum_of(2)


def test_an_unscheduled_event_takes_its_visitnum_from_the_visit_before(
    nct06904755: Protocol,
) -> None:
    assert nct06904755.schedule.event("SE.UNS").visitnum_of(3) is None


def test_an_unknown_event_is_said_so(protocol: Protocol) -> None:
    with pytest.raises(LookupError, match=r"SE\.NONE"):
        protocol.schedule.event("SE.NONE")


def test_anchor_is_printed_in_both_languages(protocol: Protocol) -> None:
    assert protocol.anchor.printed.in_language("zh-hans") == protocol.anchor.printed.zh
    assert protocol.anchor.printed.in_language("zh_CN") == protocol.anchor.printed.zh
    assert protocol.anchor.printed.in_language("en-GB") == protocol.anchor.printed.en
    assert protocol.anchor.printed.in_language("fr") == protocol.anchor.printed.en


def intervals() -> st.SearchStrategy[DayInterval]:
    days = st.tuples(st.integers(-3, 3), st.integers(-3, 3))
    return days.map(lambda pair: DayInterval(first=min(pair), last=max(pair)))


@pytest.mark.requirement("TM4")
@given(one=intervals(), other=intervals())
def test_two_windows_overlap_exactly_when_some_day_is_in_both(
    one: DayInterval, other: DayInterval
) -> None:
    common = [day for day in range(-3, 4) if day in one and day in other]
    assert one.shares_a_day_with(other) is bool(common)
