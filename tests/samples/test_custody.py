"""What happens to a sample, in its order, and what cannot happen to it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, transaction

from samples.models import Aliquot, AliquotState, CustodyEvent, CustodyKind, Specimen
from samples.services.aliquots import (
    analyse_aliquot,
    end_aliquot,
    find_aliquot,
    move_aliquots,
    note_excursion,
    store_aliquot,
    thaw_aliquot,
)
from samples.services.facts import SpecimenFacts
from samples.services.log import Happening, enter
from samples.services.specimen_ends import correct_time, end_specimen, void_specimen
from samples.services.specimens import (
    aliquot_specimen,
    centrifuge_specimen,
    collect_specimen,
    describe_specimen,
    prepare_specimens,
    receive_specimen,
)
from screening.models.consent import Scope
from tests.factories import as_person, given
from tests.samples.bench import (
    SPUN,
    aliquoted,
    box_at,
    collected,
    labelled,
    sampled,
    stored,
    technician_at,
)
from tests.screening.consenting import make_document, wall, withdraw
from trialsite.access.models import Site
from trialsite.casebook.services.closings import record_death
from trialsite.conduct.models import Deviation
from trialsite.core.clock import TrialNow
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.core.ids import is_valid
from trialsite.crf.violations import ImpossibleError


def test_every_tube_has_a_number_of_its_own_with_its_check_character(visit, technician):
    tubes = labelled(visit, technician, "EDTA", 3)
    assert len({each.code for each in tubes}) == 3
    assert all(is_valid(each.code) and each.code.startswith("S001-") for each in tubes)


def test_more_tubes_than_planned_need_the_reason(visit, technician):
    labelled(visit, technician, "URINE", 1)
    with as_person(technician), pytest.raises(ImpossibleError) as refused:
        prepare_specimens(visit=visit, kind="URINE", count=1, by=technician)
    assert list(refused.value.errors) == ["extra_reason"]
    with as_person(technician):
        (extra,) = prepare_specimens(
            visit=visit, kind="URINE", count=1, by=technician, extra_reason="First one spilled"
        )
    assert extra.extra_reason == "First one spilled"


def test_a_tube_goes_from_the_arm_to_the_freezer(visit, technician, box):
    specimen = collected(visit, technician, hours=-1.5, facts=SpecimenFacts(draw_site="VENOUS"))
    with as_person(technician):
        receive_specimen(specimen=specimen, by=technician, at=wall(visit.site, hours=-1.25))
        centrifuge_specimen(
            specimen=specimen, by=technician, at=wall(visit.site, hours=-1), facts=SPUN
        )
        first, second = aliquot_specimen(specimen=specimen, by=technician, volume=Decimal("0.9"))
        kept = store_aliquot(aliquot=first, box=box, by=technician)
    assert (kept.state, kept.place_name) == ("stored", f"{box.code} A1")
    assert kept.minutes_to_freeze in {89, 90}
    with as_person(technician):
        assert [each.kind for each in specimen.custody.filter(aliquot=None)] == [
            "collected",
            "received",
            "processed",
            "aliquoted",
        ]
        assert [each.number for each in specimen.custody.filter(aliquot=first)] == [1]
        assert not Deviation.objects.exists()
    assert second.state == "made"


def test_every_step_again_changes_nothing(visit, technician, box):
    specimen = collected(visit, technician)
    with as_person(technician):
        for _again in range(2):
            collect_specimen(specimen=specimen, by=technician)
            receive_specimen(specimen=specimen, by=technician)
            centrifuge_specimen(specimen=specimen, by=technician, facts=SPUN)
            made = aliquot_specimen(specimen=specimen, by=technician)
            store_aliquot(aliquot=made[0], box=box, by=technician)
        assert CustodyEvent.objects.filter(specimen=specimen).count() == 5
        assert specimen.aliquots.count() == 2


@pytest.mark.parametrize("step", [receive_specimen, aliquot_specimen])
def test_nothing_happens_to_a_tube_before_it_is_collected(visit, technician, step):
    (specimen,) = labelled(visit, technician)
    with as_person(technician), pytest.raises(TransitionError, match="not been collected"):
        step(specimen=specimen, by=technician)


def test_blood_is_centrifuged_before_it_is_aliquoted(visit, technician):
    specimen = collected(visit, technician)
    with as_person(technician), pytest.raises(TransitionError, match="Centrifuge"):
        aliquot_specimen(specimen=specimen, by=technician)


def test_urine_is_aliquoted_as_it_is(visit, technician):
    assert len(aliquoted(visit, technician, "URINE")) == 2


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_a_step_is_not_dated_before_the_one_that_comes_before_it(visit, technician, minutes):
    specimen = collected(visit, technician)
    at = specimen.collected_at + dt.timedelta(minutes=minutes)
    with as_person(technician):
        if minutes < 0:
            with pytest.raises(ImpossibleError) as refused:
                receive_specimen(specimen=specimen, by=technician, at=at)
            assert list(refused.value.errors) == ["happened_at"]
        else:
            assert receive_specimen(specimen=specimen, by=technician, at=at).received_at == at


def test_a_time_that_has_not_come_is_refused(visit, technician):
    with pytest.raises(ImpossibleError, match="not come yet"):
        collected(visit, technician, hours=1)


def test_an_aliquot_is_not_frozen_before_it_was_made(visit, technician, box):
    aliquot = aliquoted(visit, technician)[0]
    with as_person(technician), pytest.raises(ImpossibleError):
        store_aliquot(aliquot=aliquot, box=box, by=technician, at=wall(visit.site, hours=-2))


@pytest.mark.parametrize(("minutes", "proposed"), [(120, 0), (121, 1)])
def test_frozen_later_than_planned_is_proposed_once_as_a_deviation(
    visit, technician, box, minutes, proposed
):
    made = aliquoted(visit, technician, hours=-4)
    at = wall(visit.site, hours=-4) + dt.timedelta(minutes=minutes)
    with as_person(technician):
        for aliquot in made:
            store_aliquot(aliquot=aliquot, box=box, by=technician, at=at)
        found = Deviation.objects.filter(kind="sample_frozen_late")
        assert found.count() == proposed
        assert all(str(minutes) in each.description for each in found)


def test_the_third_thaw_is_refused_where_the_limit_is_two(visit, technician, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        for _time in range(2):
            aliquot = thaw_aliquot(aliquot=aliquot, by=technician, reason="Cytokines")
            aliquot = store_aliquot(aliquot=aliquot, box=box, by=technician)
        with pytest.raises(TransitionError, match="2 times; the protocol allows 2"):
            thaw_aliquot(aliquot=aliquot, by=technician, reason="Cytokines again")
        with pytest.raises(ImpossibleError, match="as often as the protocol allows"):
            enter(aliquot, CustodyKind.THAWED, technician, Happening(reason="By another road"))
        assert Aliquot.objects.get(pk=aliquot.pk).thaws == 2


def test_an_analysis_takes_what_there_is_and_no_more(visit, technician, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        aliquot = thaw_aliquot(aliquot=aliquot, by=technician, reason="IL-6")
        aliquot = analyse_aliquot(
            aliquot=aliquot, by=technician, reason="IL-6", amount=Decimal("0.3")
        )
        assert (aliquot.volume, aliquot.state) == (Decimal("0.20"), "thawed")
        with pytest.raises(ImpossibleError, match="not so much left"):
            analyse_aliquot(aliquot=aliquot, by=technician, reason="IL-8", amount=Decimal("0.21"))
        used = analyse_aliquot(aliquot=aliquot, by=technician, reason="IL-8", amount=Decimal("0.2"))
        assert used.state == AliquotState.USED


@pytest.mark.parametrize("kind", [CustodyKind.DISCARDED, CustodyKind.DESTROYED])
def test_nothing_happens_after_the_end(visit, technician, box, cast, kind):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        over = end_aliquot(
            aliquot=aliquot, kind=kind, reason="Broken", by=technician, witness=cast.nurse
        )
        assert over.box is None
        for attempt in CustodyKind:
            with pytest.raises(DomainError):
                enter(
                    over,
                    attempt,
                    technician,
                    Happening(
                        reason="x",
                        box=box if attempt in {"stored", "moved", "refrozen"} else None,
                        position=1 if attempt in {"stored", "moved", "refrozen"} else None,
                    ),
                )
        assert Aliquot.objects.get(pk=over.pk).state == kind


def test_destroying_is_witnessed_by_somebody_else(visit, technician, box):
    aliquot = stored(visit, technician, box)
    for witness in (None, technician):
        with as_person(technician), pytest.raises(ImpossibleError) as refused:
            end_aliquot(
                aliquot=aliquot,
                kind=CustodyKind.DESTROYED,
                reason="Withdrawn",
                by=technician,
                witness=witness,
            )
        assert list(refused.value.errors) == ["witness"]


def test_what_was_lost_can_be_found_again(visit, technician, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        lost = end_aliquot(
            aliquot=aliquot, kind=CustodyKind.LOST, reason="Not in its place", by=technician
        )
        found = find_aliquot(aliquot=lost, reason="Behind the rack", by=technician)
        assert found.state == "held"
        assert store_aliquot(aliquot=found, box=box, by=technician).state == "stored"


def test_two_aliquots_never_share_a_position(visit, technician, box):
    first, second = aliquoted(visit, technician)
    with as_person(technician):
        store_aliquot(aliquot=first, box=box, by=technician, position=5)
        with pytest.raises(ImpossibleError, match="taken"):
            store_aliquot(aliquot=second, box=box, by=technician, position=5)
        assert store_aliquot(aliquot=second, box=box, by=technician).position == 1


@pytest.mark.parametrize("position", [0, 82, 1000])
def test_a_box_has_no_position_beyond_its_last(visit, technician, box, position):
    aliquot = aliquoted(visit, technician)[0]
    with as_person(technician), pytest.raises(DomainError):
        store_aliquot(aliquot=aliquot, box=box, by=technician, position=position)


def test_a_full_box_says_so(cast, visit, technician):
    small = box_at(cast.site, technician, rows=1, columns=1)
    first, second = aliquoted(visit, technician)
    with as_person(technician):
        store_aliquot(aliquot=first, box=small, by=technician)
        with pytest.raises(TransitionError, match="full"):
            store_aliquot(aliquot=second, box=small, by=technician)


def test_stored_aliquots_move_together(cast, visit, technician, box):
    other = box_at(cast.site, technician, n=2)
    made = aliquoted(visit, technician)
    with as_person(technician):
        kept = [store_aliquot(aliquot=each, box=box, by=technician) for each in made]
        moved = move_aliquots(aliquots=kept, box=other, by=technician)
        assert [each.place_name for each in moved] == [f"{other.code} A1", f"{other.code} A2"]


def test_an_excursion_is_noted_on_each_and_moves_none(visit, technician, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        noted = note_excursion(
            aliquots=[aliquot], celsius=Decimal(-55), reason="Door open", by=technician
        )
        assert noted == 1
        assert Aliquot.objects.get(pk=aliquot.pk).state == "stored"


def test_a_wrong_time_is_put_right_and_both_stay(visit, technician):
    specimen = collected(visit, technician, hours=-2)
    right = wall(visit.site, hours=-1.5)
    with as_person(technician):
        event = specimen.custody.get()
        correct_time(event=event, at=right, reason="Read the wrong clock", by=technician)
        assert Specimen.objects.get().collected_at == right
        assert [each.kind for each in specimen.custody.order_by("number")] == [
            "collected",
            "corrected",
        ]


def test_a_correction_keeps_the_order(visit, technician):
    specimen = collected(visit, technician, hours=-2)
    with as_person(technician):
        receive_specimen(specimen=specimen, by=technician, at=wall(visit.site, hours=-1))
        event = specimen.custody.get(kind="collected")
        with pytest.raises(ImpossibleError) as refused:
            correct_time(event=event, at=wall(visit.site, hours=-0.5), reason="x", by=technician)
    assert list(refused.value.errors) == ["happened_at"]


def test_what_is_said_of_a_tube_is_said_of_its_kind_only(visit, technician):
    specimen = collected(visit, technician, "FAECES", facts=SpecimenFacts(bristol=6))
    assert specimen.bristol == 6
    with as_person(technician), pytest.raises(ImpossibleError) as refused:
        describe_specimen(
            specimen=specimen,
            facts=SpecimenFacts(draw_site="VENOUS"),
            reason="x",
            by=technician,
            base_version=specimen.version,
        )
    assert list(refused.value.errors) == ["draw_site"]


@pytest.mark.parametrize("bristol", [0, 8])
def test_the_bristol_scale_goes_from_one_to_seven(visit, technician, bristol):
    with pytest.raises(ImpossibleError):
        collected(visit, technician, "FAECES", facts=SpecimenFacts(bristol=bristol))


def test_a_voided_specimen_keeps_its_number_and_nothing_happens_to_it(visit, technician):
    specimen = collected(visit, technician)
    with as_person(technician):
        void_specimen(specimen=specimen, reason="Tube of another person", by=technician)
        with pytest.raises(TransitionError, match="voided: Tube of another person"):
            receive_specimen(specimen=specimen, by=technician)
        with pytest.raises(ImpossibleError, match="voided"):
            enter(specimen, CustodyKind.RECEIVED, technician)
    (again,) = labelled(visit, technician)
    assert again.code > specimen.code


def test_a_specimen_whose_aliquots_are_kept_is_not_voided(visit, technician, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician), pytest.raises(TransitionError, match="still kept"):
        void_specimen(specimen=aliquot.specimen, reason="x", by=technician)


def test_no_other_road_leads_to_a_samples_state(visit, technician, box):
    aliquot = stored(visit, technician, box)
    with as_person(technician):
        for change in ({"state": "made", "box": None, "position": None}, {"volume": 9}):
            with pytest.raises(DatabaseError, match="moved by its custody"), transaction.atomic():
                Aliquot.objects.filter(pk=aliquot.pk).update(**change)
        with pytest.raises(DatabaseError, match="moved by its custody"), transaction.atomic():
            Specimen.objects.update(state="collected")
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            CustodyEvent.objects.update(reason="otherwise")


def test_tubes_are_frozen_after_the_participants_death_but_none_is_collected(
    cast, visit, technician, box
):
    made = aliquoted(visit, technician, hours=-30)
    (later,) = labelled(visit, technician, "SERUM")
    with as_person(cast.investigator):
        died = wall(visit.site, hours=-26).date().isoformat()
        record_death(subject=visit.subject, died_on=died, by=cast.investigator)
    with as_person(technician):
        assert store_aliquot(aliquot=made[0], box=box, by=technician).state == "stored"
        with pytest.raises(ImpossibleError, match="died on"):
            collect_specimen(specimen=later, by=technician)


def test_nothing_is_collected_after_a_withdrawal_of_samples(cast, visit, technician):
    (tube,) = labelled(visit, technician)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician), pytest.raises(DomainError, match="withdrawn"):
        collect_specimen(specimen=tube, by=technician)


def test_what_was_collected_before_the_withdrawal_is_entered_late(cast, visit, technician):
    (tube,) = labelled(visit, technician)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        entered = collect_specimen(specimen=tube, by=technician, at=wall(visit.site, hours=-48))
    assert entered.state == "collected"


def test_nothing_is_collected_before_consent(visit, technician):
    with pytest.raises(ImpossibleError, match="before the consent"):
        collected(visit, technician, hours=-24 * 30)


def test_a_specimen_can_end_before_it_is_aliquoted(visit, technician):
    specimen = collected(visit, technician)
    with as_person(technician):
        ended = end_specimen(
            specimen=specimen, kind=CustodyKind.DISCARDED, reason="Clotted", by=technician
        )
        assert ended.state == "discarded"
        with pytest.raises(TransitionError, match="Discarded"):
            collect_specimen(specimen=specimen, by=technician)


def test_who_does_not_handle_samples_here_cannot(cast, visit, technician, box):
    (tube,) = labelled(visit, technician)
    stranger = technician_at(cast.other_site)
    for person in (cast.monitor, cast.data_manager):
        with as_person(person), pytest.raises(NotPermittedError):
            collect_specimen(specimen=tube, by=person)
    with as_person(stranger):
        assert not Specimen.objects.exists()
        with pytest.raises(NotPermittedError):
            collect_specimen(specimen=tube, by=stranger)


def test_a_sample_is_not_put_into_another_sites_freezer_by_who_does_not_work_there(
    cast, visit, technician
):
    theirs = technician_at(cast.other_site)
    box = box_at(cast.other_site, theirs)
    aliquot = aliquoted(visit, technician)[0]
    with as_person(technician), pytest.raises(DomainError):
        store_aliquot(aliquot=aliquot, box=box, by=technician)


def test_a_biobank_of_another_site_fills_its_boxes_without_collisions(cast, technician):
    central = technician_at(None)
    box = box_at(cast.other_site, central)
    paper = make_document(cast, cast.site, cast.other_site)
    mine = stored(sampled(cast, document=paper), central, box)
    theirs_visit = sampled(cast, site=cast.other_site, document=paper)
    local = technician_at(cast.other_site)
    theirs = stored(theirs_visit, local, box)
    assert (mine.position, theirs.position) == (1, 2)


def test_postgresql_voids_no_tube_whose_aliquots_are_kept_and_keeps_its_zone(
    visit, technician, box
):
    aliquot = stored(visit, technician, box)
    tubes = Specimen.objects.filter(pk=aliquot.specimen_id)
    with as_person(technician):
        with pytest.raises(DatabaseError, match="still kept"), transaction.atomic():
            tubes.update(voided_at=TrialNow(), voided_by=technician, void_reason="x")
        with pytest.raises(DatabaseError, match="a label stays"), transaction.atomic():
            tubes.update(time_zone="Pacific/Kiritimati")


def test_a_tube_labelled_under_another_clock_is_collected_by_the_one_on_the_wall(
    visit, technician, box
):
    (tube,) = labelled(visit, technician, "URINE")
    ours = tube.time_zone
    elsewhere(visit.site)
    with as_person(technician):
        site = Site.objects.get(pk=visit.site_id)
        read = wall(site, hours=-3)
        done = collect_specimen(specimen=tube, by=technician, at=read)
        event = done.custody.get()
        assert (event.happened_at, event.time_zone) == (read, site.time_zone)
        moment = read.replace(tzinfo=ZoneInfo(site.time_zone))
        assert done.collected_at == moment.astimezone(ZoneInfo(ours)).replace(tzinfo=None)
        assert done.freeze_by == moment + dt.timedelta(minutes=done.freeze_within)
        right = read + dt.timedelta(minutes=30)
        correct_time(event=event, at=right, reason="Clock", by=technician)
        again = Specimen.objects.get(pk=tube.pk)
        assert again.collected_at == done.collected_at + dt.timedelta(minutes=30)


@given
def elsewhere(site):
    """The site's clocks show another zone from now on."""
    zone = "Asia/Tokyo" if site.time_zone != "Asia/Tokyo" else "Europe/Berlin"
    Site.objects.filter(pk=site.pk).update(time_zone=zone)
