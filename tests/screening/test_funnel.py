"""The funnel adds up, whatever happened to whom."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.models import Enrolment, ScreeningEntry
from screening.models.log import Outcome, Reason
from screening.selectors.funnel import PARTS, Box, Funnel, Place, entries_in, funnel
from screening.services.enrolment import enrol_subject, void_enrolment
from screening.services.log import (
    admit,
    close_entry,
    open_entry,
    reopen_entry,
    screen_fail,
    void_entry,
)
from tests.factories import as_person, make_protocol
from tests.factories import given as given_rows
from trialsite.casebook.models import Subject, SubjectStatus
from trialsite.core.clock import trial_today

DAY = dt.date(2026, 3, 1)
_numbers = itertools.count(1)
CRITERIA = ["IN01", "IN03", "IN04", "EX02", "EX04"]

#: What can have happened to one person, and the place that a reader of the log would name.
KINDS: dict[Place, tuple[Outcome, SubjectStatus | None]] = {
    Place.UNDECIDED: (Outcome.OPEN, None),
    Place.NOT_ELIGIBLE: (Outcome.NOT_ELIGIBLE, None),
    Place.NOT_APPROACHED: (Outcome.NOT_APPROACHED, None),
    Place.DECLINED: (Outcome.DECLINED, None),
    Place.IN_SCREENING: (Outcome.OPEN, SubjectStatus.SCREENING),
    Place.SCREEN_FAILED: (Outcome.SCREEN_FAILED, SubjectStatus.SCREEN_FAILED),
    Place.WITHDREW: (Outcome.WITHDREW, SubjectStatus.WITHDRAWN),
    Place.ON_STUDY: (Outcome.ENROLLED, SubjectStatus.ENROLLED),
    Place.COMPLETED: (Outcome.ENROLLED, SubjectStatus.COMPLETED),
    Place.WITHDRAWN: (Outcome.ENROLLED, SubjectStatus.WITHDRAWN),
    Place.DIED: (Outcome.ENROLLED, SubjectStatus.DIED),
    Place.VOIDED: (Outcome.OPEN, None),
}
HISTORY = st.tuples(
    st.sampled_from(list(KINDS)),
    st.booleans(),
    st.lists(st.sampled_from(CRITERIA), unique=True, min_size=1, max_size=4),
    st.lists(st.sampled_from([Reason.DIED, Reason.TRANSFERRED]), unique=True, min_size=1),
)


def adds_up(found: Funnel) -> None:
    """Every box is the sum of its parts, at every site and in total."""
    for persons in (found.total, *found.sites.values()):
        for box, parts in PARTS.items():
            assert persons.of(box) == sum(persons.of(part) for part in parts)
    for part in (*Place, *Box):
        assert found.total.of(part) == sum(each.of(part) for each in found.sites.values())


def rows_of(cast, version, histories) -> None:
    """The histories as rows, as the constraints of the database allow them."""
    subjects, entries, enrolments = [], [], []
    for place, here, criteria, reasons in histories:
        n = next(_numbers)
        outcome, status = KINDS[place]
        site = cast.site if here else cast.other_site
        subject = None
        if status is not None:
            subject = Subject(
                site=site,
                screening_number=f"{site.code}-F{n}",
                status=status,
                protocol_version=version,
            )
            subjects.append(subject)
        by_criterion = outcome in (Outcome.NOT_ELIGIBLE, Outcome.SCREEN_FAILED)
        ended = outcome not in (Outcome.OPEN, Outcome.ENROLLED)
        entries.append(
            ScreeningEntry(
                site=site,
                number=f"{site.code}-F{n}",
                first_contact_on=DAY,
                source="ward",
                considered_by=cast.nurse,
                opened_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
                subject=subject,
                outcome=outcome,
                outcome_on=None if outcome == Outcome.OPEN else DAY,
                criteria=sorted(criteria) if by_criterion else [],
                reasons=sorted(reasons) if ended else [],
                voided_at=dt.datetime(2026, 3, 2, tzinfo=dt.UTC) if place is Place.VOIDED else None,
                void_reason="in error" if place is Place.VOIDED else "",
            )
        )
        if outcome == Outcome.ENROLLED:
            enrolments.append(
                Enrolment(
                    site=site,
                    subject=subject,
                    number=f"{site.code}-E{n}",
                    enrolled_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
                    enrolled_on=DAY,
                    enrolled_by=cast.nurse,
                    protocol_version=version,
                    target=100_000,
                )
            )
    Subject.objects.bulk_create(subjects)
    Enrolment.objects.bulk_create(enrolments)
    ScreeningEntry.objects.bulk_create(entries)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_thousand_histories_add_up_at_every_level(cast, data, seed):
    """Five times two hundred; the independent count is taken from what was drawn."""
    version = make_protocol(cast.site, cast.other_site)
    some = data.draw(st.lists(HISTORY, min_size=1, max_size=30))
    chance = random.Random(seed)
    histories = some + [chance.choice(some) for _ in range(170)]
    histories += [
        (place, here, ["EX04"], [Reason.DIED]) for place in KINDS for here in (True, False)
    ]
    before, found = counted_around(cast, version, histories)
    expected = Counter((code(cast, here), place) for place, here, _c, _r in histories)
    for site in ("001", "002"):
        for place in Place:
            now = found.sites[site].of(place) if site in found.sites else 0
            then = before.sites[site].of(place) if site in before.sites else 0
            assert now - then == expected[site, place]
    adds_up(found)
    persons = Counter(
        (place, criterion)
        for place, _h, criteria, _r in histories
        if place in (Place.NOT_ELIGIBLE, Place.SCREEN_FAILED)
        for criterion in criteria
    )
    assert by_criterion(found) - by_criterion(before) == persons


def code(cast, here: bool) -> str:
    return str(cast.site.code if here else cast.other_site.code)


def by_criterion(found: Funnel) -> Counter[Any]:
    return Counter(
        {(each.place, each.code): each.persons for each in found.reasons if each.by_criterion}
    )


@given_rows
def counted_around(cast, version, histories) -> tuple[Funnel, Funnel]:
    sites = [cast.site.pk, cast.other_site.pk]
    before = funnel(sites)
    rows_of(cast, version, histories)
    return before, funnel(sites)


def test_a_study_lived_through_the_services_adds_up(cast, said, protocol_for):
    """Random walks of people through the acts that the pages call, back and forth."""
    make_protocol(cast.site, path=protocol_for(1000, "2.0"))
    chance = random.Random(6904755)
    today = trial_today_of(cast)
    with as_person(cast.investigator):
        expected = Counter(walk(cast, chance, today) for _ in range(60))
        found = funnel([cast.site.pk])
    assert {place: found.total.of(place) for place in Place} == {
        place: expected[place] for place in Place
    }
    adds_up(found)
    assert len(expected) >= 7


def trial_today_of(cast) -> dt.date:
    return given_rows(trial_today)(cast.site.time_zone)


def walk(cast, chance: random.Random, today: dt.date) -> Place:
    """One person; what is returned is told step by step, without looking at the rows."""
    by = cast.investigator
    entry = open_entry(site=cast.site, first_contact_on=today, source="ward", by=by)
    end = chance.choice(["void", "decline", "refuse", "stay", *["consent"] * 6])
    if end == "void":
        void_entry(entry=entry, reason="twice", by=by)
        return Place.VOIDED
    if end == "decline":
        close_entry(entry=entry, outcome=Outcome.DECLINED, on=today, by=by)
        if chance.random() < 0.5:
            return Place.DECLINED
        reopen_entry(entry=entry, reason="asked again", by=by)
        return Place.UNDECIDED
    if end == "refuse":
        screen_fail(entry=entry, on=today, criteria=["IN01", "EX04"], by=by)
        return Place.NOT_ELIGIBLE
    return Place.UNDECIDED if end == "stay" else consented(entry, by, chance, today)


def consented(entry: ScreeningEntry, by, chance: random.Random, today: dt.date) -> Place:
    subject = admit(entry=entry, by=by)
    if chance.random() < 0.3:
        screen_fail(entry=entry, on=today, criteria=["EX04"], by=by)
        if chance.random() < 0.7:
            return Place.SCREEN_FAILED
        reopen_entry(entry=entry, reason="typing error", by=by)
    if chance.random() < 0.3:
        close_entry(entry=entry, outcome=Outcome.WITHDREW, on=today, by=by)
        return Place.WITHDREW
    if chance.random() < 0.3:
        return Place.IN_SCREENING
    enrol_subject(subject=subject, by=by)
    if chance.random() < 0.2:
        void_enrolment(subject=subject, reason="wrong person", by=by)
        return Place.IN_SCREENING
    return Place.ON_STUDY


@pytest.mark.parametrize("part", [*Place, *Box])
def test_the_list_behind_a_number_holds_that_many(cast, part):
    version = make_protocol(cast.site, cast.other_site)
    histories = [
        (place, n % 2 == 0, ["EX04", "IN01"], [Reason.DIED])
        for place in KINDS
        for n in range(1 + len(place) % 3)
    ]
    _before, found = counted_around(cast, version, histories)
    with as_person(cast.investigator):
        assert entries_in(ScreeningEntry.objects.all(), part).count() == found.total.of(part) > 0


def test_a_funnel_is_one_query_and_of_these_sites_only(cast, django_assert_num_queries):
    version = make_protocol(cast.site, cast.other_site)
    histories = [(Place.DECLINED, here, ["EX04"], [Reason.DIED]) for here in (True, True, False)]
    counted_around(cast, version, histories)
    with as_person(cast.investigator):
        with django_assert_num_queries(1):
            found = funnel([cast.site.pk])
        assert (found.total.of(Box.CONSIDERED), list(found.sites)) == (2, ["001"])
        assert funnel([]).total.of(Box.CONSIDERED) == 0
