"""Two people at the same samples at the same moment; every transaction really commits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from samples.models import (
    Aliquot,
    Box,
    CustodyEvent,
    CustodyKind,
    Destruction,
    DestructionLine,
    Specimen,
)
from samples.services.aliquots import (
    end_aliquot,
    find_aliquot,
    move_aliquots,
    store_aliquot,
    thaw_aliquot,
)
from samples.services.specimen_ends import end_specimen
from samples.services.specimens import aliquot_specimen, collect_specimen, prepare_specimens
from samples.services.storage import add_freezer, move_box, retire_freezer
from samples.services.withdrawals import close_destruction
from samples.tasks import judge_unfrozen_samples
from screening.models.consent import Scope
from tests.factories import Cast, as_person, given, make_cast
from tests.samples.bench import aliquoted, box_at, collected, sampled, technician_at
from tests.screening.consenting import make_document, wall, withdraw
from tests.screening.test_enrolment import at_once
from trialsite.access.models import User
from trialsite.casebook.models import Visit
from trialsite.conduct.models import Deviation
from trialsite.core.exceptions import DomainError

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def people(committed) -> tuple[Cast, User, User]:
    cast = make_cast()
    return cast, technician_at(cast.site), technician_at(cast.site)


@pytest.fixture
def visit(people) -> Visit:
    return sampled(people[0])


def tried(by: User, act: Callable[[], Any]) -> Any:
    """What came of it: the result, or the refusal."""
    try:
        with as_person(by):
            return act()
    except DomainError as refused:
        return refused


def many(visit: Visit, by: User, count: int) -> list[Aliquot]:
    """Aliquots of one urine, ready to be frozen."""
    specimen = collected(visit, by, "URINE")
    with as_person(by):
        return aliquot_specimen(specimen=specimen, by=by, count=count)


@given
def map_is_sound() -> None:
    """Each position holds one, each aliquot is where its last event left it."""
    placed = [(each.box_id, each.position) for each in Aliquot.objects.exclude(box=None)]
    assert len(placed) == len(set(placed))
    for aliquot in Aliquot.objects.all():
        events = list(CustodyEvent.objects.filter(aliquot=aliquot).order_by("number"))
        assert [each.number for each in events] == list(range(1, len(events) + 1))
        last = events[-1] if events else None
        if aliquot.state == "stored":
            assert last is not None
            assert (last.box_id, last.position) == (aliquot.box_id, aliquot.position)
        else:
            assert aliquot.box_id is None


def test_everybody_finds_a_free_position_of_their_own(people, visit):
    cast, one, other = people
    box = box_at(cast.site, one)
    aliquots = many(visit, one, 8)
    results = at_once(
        *(
            partial(
                tried,
                by,
                partial(store_aliquot, aliquot=each, box=box, by=by),
            )
            for each, by in zip(aliquots, [one, other] * 4, strict=True)
        )
    )
    assert all(isinstance(each, Aliquot) for each in results)
    assert sorted(each.position for each in results) == list(range(1, 9))
    map_is_sound()


def test_one_position_is_given_once(people, visit):
    cast, one, other = people
    box = box_at(cast.site, one)
    first, second = many(visit, one, 2)
    results = at_once(
        partial(tried, one, partial(store_aliquot, aliquot=first, box=box, by=one, position=5)),
        partial(
            tried, other, partial(store_aliquot, aliquot=second, box=box, by=other, position=5)
        ),
    )
    assert sum(isinstance(each, Aliquot) for each in results) == 1
    map_is_sound()


def test_two_who_move_past_each_other_wait_and_never_for_good(people, visit):
    cast, one, other = people
    left, right = box_at(cast.site, one), box_at(cast.site, one, n=2)
    aliquots = many(visit, one, 8)
    with as_person(one):
        here = [store_aliquot(aliquot=each, box=left, by=one) for each in aliquots[:4]]
        there = [store_aliquot(aliquot=each, box=right, by=one) for each in aliquots[4:]]
    for _round in range(3):
        at_once(
            partial(tried, one, partial(move_aliquots, aliquots=here, box=right, by=one)),
            partial(tried, other, partial(move_aliquots, aliquots=there, box=left, by=other)),
        )
        map_is_sound()
        left, right = right, left
    with as_person(one):
        assert Aliquot.objects.filter(state="stored").count() == 8


def test_what_is_destroyed_is_not_thawed_in_the_same_moment(people, visit):
    cast, one, other = people
    box = box_at(cast.site, one)
    (aliquot,) = many(visit, one, 1)
    with as_person(one):
        aliquot = store_aliquot(aliquot=aliquot, box=box, by=one)
    at_once(
        partial(
            tried,
            one,
            partial(
                end_aliquot,
                aliquot=aliquot,
                kind=CustodyKind.DESTROYED,
                reason="Withdrawn",
                by=one,
                witness=cast.nurse,
            ),
        ),
        partial(tried, other, partial(thaw_aliquot, aliquot=aliquot, reason="IL-6", by=other)),
    )
    with as_person(one):
        kinds = list(CustodyEvent.objects.filter(aliquot=aliquot).values_list("kind", flat=True))
        # Who comes second is refused, or sees it thawed; after a destruction there is nothing.
        assert kinds[-1] in {"destroyed", "thawed"}
        assert "destroyed" not in kinds[:-1]
    map_is_sound()


def test_a_tube_that_two_scan_at_once_is_collected_once(people, visit):
    _cast, one, other = people
    with as_person(one):
        (tube,) = prepare_specimens(visit=visit, kind="URINE", count=1, by=one)
    at_once(
        partial(tried, one, partial(collect_specimen, specimen=tube, by=one)),
        partial(tried, other, partial(collect_specimen, specimen=tube, by=other)),
    )
    with as_person(one):
        assert CustodyEvent.objects.filter(specimen=tube).count() == 1
        assert Specimen.objects.get().state == "collected"


def test_numbers_of_tubes_and_boxes_are_never_given_twice(people, visit):
    _cast, one, other = people
    at_once(
        *(
            partial(
                tried,
                by,
                partial(prepare_specimens, visit=visit, kind="EDTA", count=2, by=by),
            )
            for by in (one, other)
        )
    )
    with as_person(one):
        codes = list(Specimen.objects.values_list("code", flat=True))
        assert len(codes) == len(set(codes)) == 4
        assert Box.objects.count() == 0


def test_what_is_entered_late_while_a_list_closes_is_never_left_off_it(people, visit):
    cast, one, other = people
    kept = collected(visit, one, "URINE", hours=-50)
    with as_person(one):
        late = prepare_specimens(visit=visit, kind="EDTA", count=3, by=one)
    withdraw(cast, visit.subject, Scope.SAMPLES, hours=-24)
    with as_person(one):
        end_specimen(
            specimen=kept,
            kind=CustodyKind.DISCARDED,
            reason="Withdrawn",
            by=one,
            witness=cast.nurse,
        )
        found = Destruction.objects.select_related("subject").get()
    at = wall(visit.site, hours=-48)
    for tube in late:
        at_once(
            partial(tried, one, partial(collect_specimen, specimen=tube, by=one, at=at)),
            partial(tried, other, partial(close_destruction, destruction=found, by=other)),
        )
    with as_person(one):
        waiting = DestructionLine.objects.filter(outcome="", destruction__closed_at=None)
        live = Specimen.objects.filter(state="collected")
        assert live.count() == 3
        assert {each.specimen_id for each in waiting} == {each.pk for each in live}


def test_what_is_found_or_lost_while_it_is_listed_is_listed_as_it_is(people, visit):
    cast, one, other = people
    here, *rest = many(visit, one, 4)
    with as_person(one):
        lost = [
            end_aliquot(aliquot=each, kind=CustodyKind.LOST, reason="Nowhere", by=one)
            for each in rest[:2]
        ]
    at_once(
        partial(withdraw, cast, visit.subject, Scope.SAMPLES),
        *(
            partial(tried, other, partial(find_aliquot, aliquot=each, reason="There", by=other))
            for each in lost
        ),
        partial(
            tried,
            one,
            partial(end_aliquot, aliquot=here, kind=CustodyKind.LOST, reason="Gone", by=one),
        ),
    )
    with as_person(one):
        lines = {each.aliquot_id: each.outcome for each in DestructionLine.objects.all()}
        states = dict(Aliquot.objects.values_list("pk", "state"))
    assert lines == {key: "lost" if it == "lost" else "" for key, it in states.items()}


def test_the_nightly_look_and_who_freezes_wait_for_one_another_and_never_for_good(people):
    cast, one, other = people
    box = box_at(cast.site, one)
    paper = make_document(cast, cast.site)
    visits = [sampled(cast, document=paper) for _number in range(3)]
    made = [each for at in visits for each in aliquoted(at, one, "URINE", hours=-5)]
    results = at_once(
        judge_unfrozen_samples,
        judge_unfrozen_samples,
        *(
            partial(tried, by, partial(store_aliquot, aliquot=each, box=box, by=by))
            for each, by in zip(made, [one, other] * 3, strict=True)
        ),
    )
    assert all(isinstance(each, Aliquot) for each in results[2:])
    with as_person(one):
        # Each was frozen late, however it was judged meanwhile.
        assert Deviation.objects.filter(kind="sample_frozen_late").count() == len(visits)
        assert all("minutes after" in each.description for each in Deviation.objects.all())


def test_no_box_is_put_into_a_freezer_that_is_taken_out_of_use_in_the_same_moment(people, visit):
    cast, one, other = people
    boxes = [box_at(cast.site, one, n=number) for number in range(1, 4)]
    with as_person(one):
        racks = [
            add_freezer(site=cast.site, name=f"E{number}", celsius=-80, racks=1, by=one)
            .racks.select_related("freezer")
            .get()
            for number in range(3)
        ]
    for box, rack in zip(boxes, racks, strict=True):
        retire = partial(retire_freezer, freezer=rack.freezer, reason="Broken", by=one)
        at_once(
            partial(tried, one, retire),
            partial(tried, other, partial(move_box, box=box, rack=rack, by=other)),
        )
    with as_person(one):
        used = Box.objects.filter(rack__isnull=False)
        assert used.count() == len(boxes)
        assert not used.filter(rack__freezer__retired_at__isnull=False).exists()
