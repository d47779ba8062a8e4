"""Whether a specimen reached the freezer in time: judged again when its times are corrected."""

from __future__ import annotations

import datetime as dt

import pytest

from samples.models import AliquotState, CustodyKind
from samples.selectors.waiting import to_freeze
from samples.services.aliquots import (
    end_aliquot,
    find_aliquot,
    store_aliquot,
    thaw_aliquot,
)
from samples.services.specimen_ends import correct_time, end_specimen, find_specimen, void_specimen
from samples.services.specimens import receive_specimen
from samples.tasks import judge_unfrozen_samples
from screening.models.consent import Scope
from tests.factories import as_person
from tests.samples.bench import aliquoted, collected, stored
from tests.screening.consenting import wall, withdraw
from trialsite.conduct.models import Deviation
from trialsite.core.clock import trial_now


def frozen_after(visit, technician, box, minutes):
    """One specimen collected four hours ago, its aliquots frozen so many minutes later."""
    made = aliquoted(visit, technician, hours=-4)
    at = wall(visit.site, hours=-4) + dt.timedelta(minutes=minutes)
    with as_person(technician):
        return [store_aliquot(aliquot=each, box=box, by=technician, at=at) for each in made]


def proposals():
    return Deviation.objects.filter(kind="sample_frozen_late")


@pytest.mark.parametrize(
    ("before", "kind", "shift", "stands"),
    [
        (130, "collected", 10, False),  # collected later than was written: 120 minutes
        (130, "collected", 9, True),
        (120, "collected", -1, True),  # collected earlier: 121 minutes
        (120, "collected", 0, None),
        (115, "stored", 5, None),  # frozen later than was written: 120 minutes
        (115, "stored", 6, True),
        (121, "stored", -1, True),  # the other aliquot is still late
    ],
)
def test_a_corrected_time_is_judged_anew(visit, technician, box, before, kind, shift, stands):
    first, _second = frozen_after(visit, technician, box, before)
    with as_person(technician):
        event = first.specimen.custody.filter(
            kind=kind, aliquot=None if kind == "collected" else first
        ).get()
        at = event.happened_at + dt.timedelta(minutes=shift)
        correct_time(event=event, at=at, reason="The clock was wrong", by=technician)
        found = proposals().first()
        said = None if found is None else found.cause_ended_at is None
    assert said == stands


def test_two_corrections_bring_the_proposal_back(visit, technician, box):
    first, _second = frozen_after(visit, technician, box, 130)
    with as_person(technician):
        event = first.specimen.custody.get(kind="collected")
        for minutes in (30, 0):
            at = wall(visit.site, hours=-4) + dt.timedelta(minutes=minutes)
            correct_time(event=event, at=at, reason="Clock", by=technician)
        found = proposals().get()
        assert found.cause_ended_at is None
        assert "130 minutes" in found.description


@pytest.mark.parametrize(("minutes", "proposed"), [(120, 0), (121, 1)])
def test_what_is_in_nobodys_freezer_after_its_time_is_proposed(
    visit, technician, minutes, proposed
):
    tube = collected(visit, technician, hours=-minutes / 60)
    judge_unfrozen_samples()
    judge_unfrozen_samples()
    with as_person(technician):
        found = list(proposals())
    assert len(found) == proposed
    assert all(tube.code in each.description for each in found)


def test_an_aliquot_left_on_the_bench_is_proposed_and_one_frozen_late_says_how_late(
    visit, technician, box
):
    first, second = aliquoted(visit, technician, hours=-4)
    with as_person(technician):
        in_time = wall(visit.site, hours=-3)
        store_aliquot(aliquot=first, box=box, by=technician, at=in_time)
        assert not proposals().exists()
    assert judge_unfrozen_samples() == 1
    with as_person(technician):
        assert "was not frozen within 120 minutes" in proposals().get().description
        store_aliquot(aliquot=second, box=box, by=technician, at=wall(visit.site, hours=-1))
        assert "180 minutes after collection" in proposals().get().description


def test_what_was_entered_late_but_frozen_in_time_ends_the_proposal(visit, technician, box):
    made = aliquoted(visit, technician, hours=-4)
    judge_unfrozen_samples()
    with as_person(technician):
        assert proposals().get().cause_ended_at is None
        for each in made:
            store_aliquot(aliquot=each, box=box, by=technician, at=wall(visit.site, hours=-3))
        assert proposals().get().cause_ended_at is not None


def test_what_has_ended_or_was_voided_is_asked_of_nobody(visit, technician):
    tubes = [collected(visit, technician, kind, hours=-5) for kind in ("SERUM", "URINE")]
    with as_person(technician):
        end_specimen(specimen=tubes[0], kind=CustodyKind.DISCARDED, reason="Clotted", by=technician)
        void_specimen(specimen=tubes[1], reason="Wrong tube", by=technician)
    assert judge_unfrozen_samples() == 0


def lost_and_found(aliquot, by):
    lost = end_aliquot(aliquot=aliquot, kind=CustodyKind.LOST, reason="Not there", by=by)
    return find_aliquot(aliquot=lost, reason="Behind the rack", by=by)


def test_an_aliquot_is_found_as_it_was_lost(visit, technician, box):
    frozen = stored(visit, technician, box)
    with as_person(technician):
        made = frozen.specimen.aliquots.get(state=AliquotState.MADE)
        assert lost_and_found(made, technician).state == "made"
        assert lost_and_found(frozen, technician).state == "held"
        thawed = thaw_aliquot(aliquot=frozen, by=technician, reason="IL-6")
        assert lost_and_found(thawed, technician).state == "thawed"
        again = store_aliquot(aliquot=thawed, box=box, by=technician)
        assert lost_and_found(again, technician).state == "held"


def test_one_never_frozen_counts_from_collection_when_it_is_found(visit, technician, box):
    made, _other = aliquoted(visit, technician, hours=-4)
    with as_person(technician):
        found = lost_and_found(made, technician)
        kept = store_aliquot(aliquot=found, box=box, by=technician)
        assert kept.frozen_late
        assert proposals().count() == 1


@pytest.mark.parametrize("received", [False, True])
def test_a_tube_is_found_as_it_was_lost(visit, technician, received):
    tube = collected(visit, technician, "URINE")
    with as_person(technician):
        if received:
            receive_specimen(specimen=tube, by=technician)
        lost = end_specimen(specimen=tube, kind=CustodyKind.LOST, reason="Gone", by=technician)
        found = find_specimen(specimen=lost, reason="In the bag", by=technician)
    assert found.state == ("received" if received else "collected")
    assert (found.received_at is not None) == received


def test_a_voided_tube_was_never_late(visit, technician):
    tube = collected(visit, technician, "URINE", hours=-5)
    judge_unfrozen_samples()
    with as_person(technician):
        assert proposals().get().cause_ended_at is None
        void_specimen(specimen=tube, reason="Wrong tube", by=technician)
        assert proposals().get().cause_ended_at is not None


def corrected(tube, technician, minutes):
    event = tube.custody.get(kind="collected")
    at = tube.collected_at + dt.timedelta(minutes=minutes)
    correct_time(event=event, at=at, reason="Clock", by=technician)


@pytest.mark.parametrize("kind", [CustodyKind.DISCARDED, CustodyKind.LOST])
def test_a_tube_never_frozen_was_late_though_it_is_gone_since(visit, technician, kind):
    tube = collected(visit, technician, "URINE", hours=-5)
    judge_unfrozen_samples()
    with as_person(technician):
        end_specimen(specimen=tube, kind=kind, reason="Not there", by=technician)
        if kind == CustodyKind.LOST:  # what was discarded has no time to put right
            corrected(tube, technician, 10)
        assert proposals().get().cause_ended_at is None


def test_a_lost_tube_was_not_late_when_it_was_lost_in_time_and_late_again(visit, technician):
    tube = collected(visit, technician, "URINE", hours=-5)
    judge_unfrozen_samples()
    with as_person(technician):
        at = wall(visit.site, hours=-2)
        end_specimen(specimen=tube, kind=CustodyKind.LOST, reason="x", by=technician, at=at)
        corrected(tube, technician, 170)  # lost ten minutes after collection
        assert proposals().get().cause_ended_at is not None
        corrected(tube, technician, 0)
        assert proposals().get().cause_ended_at is None


def test_an_aliquot_lost_on_the_bench_after_its_time_stays_late(visit, technician, box):
    first, second = aliquoted(visit, technician, hours=-4)
    judge_unfrozen_samples()
    with as_person(technician):
        store_aliquot(aliquot=first, box=box, by=technician, at=wall(visit.site, hours=-3))
        end_aliquot(aliquot=second, kind=CustodyKind.LOST, reason="Nowhere", by=technician)
        event = first.custody.get(kind="stored")
        at = wall(visit.site, hours=-2.5)
        correct_time(event=event, at=at, reason="Clock", by=technician)
        assert proposals().get().cause_ended_at is None


@pytest.mark.parametrize(("hours", "asked"), [(-4, 0), (-1, 1)])
def test_what_is_to_be_destroyed_is_to_be_frozen_no_more(cast, visit, technician, hours, asked):
    tube = collected(visit, technician, "URINE", hours=-5)
    withdraw(cast, visit.subject, Scope.SAMPLES, hours=hours)
    # What was late already when consent was withdrawn was late.
    assert judge_unfrozen_samples() == asked
    with as_person(technician):
        assert proposals().count() == asked
        assert to_freeze(technician, now=trial_now()) == []
        assert tube.is_live
