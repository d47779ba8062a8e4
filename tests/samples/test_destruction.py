"""After a withdrawal of the consent for samples: each is followed to its end."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, transaction

from samples.models import (
    Aliquot,
    CustodyEvent,
    CustodyKind,
    Destruction,
    DestructionLine,
    Specimen,
)
from samples.services.aliquots import (
    analyse_aliquot,
    end_aliquot,
    find_aliquot,
    store_aliquot,
    thaw_aliquot,
    use_up_aliquot,
)
from samples.services.destruction import (
    Explanation,
    destroy_listed,
    explain_line,
    explanations_of,
)
from samples.services.facts import SpecimenFacts
from samples.services.log import Happening, enter
from samples.services.receiving import arrive, receive
from samples.services.specimen_ends import end_specimen, find_specimen, void_specimen
from samples.services.specimens import aliquot_specimen, collect_specimen, describe_specimen
from samples.services.withdrawals import close_destruction
from screening.models.consent import Scope
from screening.services.consent_records import void_part
from tests.factories import as_person
from tests.samples import shipping
from tests.samples.bench import aliquoted, collected, labelled, stored
from tests.screening.consenting import wall, withdraw
from trialsite.core.clock import TrialNow
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.violations import ImpossibleError


@pytest.fixture
def kept(visit, technician, box) -> Aliquot:
    """One aliquot in a box; its sibling was made and not frozen."""
    return stored(visit, technician, box)


def the_list() -> Destruction:
    return Destruction.objects.select_related("subject").open().get()


def open_lines(destruction):
    return [each for each in destruction.lines.all() if not each.is_settled]


def sent(aliquot, by):
    """An aliquot that left in a parcel."""
    shipping.sent(shipping.drafted(aliquot.site, by), by, aliquot)
    with as_person(by):
        return Aliquot.objects.get(pk=aliquot.pk)


@pytest.mark.parametrize("scope", [Scope.SAMPLES, Scope.ALL_DATA])
def test_a_withdrawal_lists_every_sample_that_is_somewhere(
    cast, visit, technician, box, kept, scope
):
    away = sent(kept, technician)
    tube = collected(visit, technician, "URINE")
    with as_person(technician):
        gone = aliquoted(visit, technician, "SERUM")[0]
        end_aliquot(
            aliquot=gone,
            kind=CustodyKind.DISCARDED,
            reason="Leaked",
            by=technician,
        )
        lost = gone.specimen.aliquots.get(number=2)
        end_aliquot(aliquot=lost, kind=CustodyKind.LOST, reason="Nowhere", by=technician)
        sibling = away.specimen.aliquots.exclude(pk=away.pk).get()
    withdraw(cast, visit.subject, scope)
    with as_person(technician):
        lines = {each.code: each.outcome for each in the_list().lines.all()}
    assert lines == {away.code: "", sibling.code: "", tube.code: "", lost.code: "lost"}


@pytest.mark.parametrize("scope", [Scope.TREATMENT, Scope.CONTACT])
def test_a_withdrawal_of_something_else_touches_no_sample(cast, visit, technician, kept, scope):
    withdraw(cast, visit.subject, scope)
    with as_person(technician):
        assert not Destruction.objects.exists()
        assert thaw_aliquot(aliquot=kept, by=technician, reason="IL-6").state == "thawed"


def test_the_list_closes_only_when_each_is_destroyed_or_explained(cast, visit, technician, kept):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        found = the_list()
        first, second = found.lines.all()
        with pytest.raises(TransitionError, match="2 samples are not destroyed"):
            close_destruction(destruction=found, by=technician)
        done = destroy_listed(
            destruction=found, lines=[first], how="Autoclaved", witness=cast.nurse, by=technician
        )
        assert done == 1
        with pytest.raises(TransitionError, match="1 sample is not"):
            close_destruction(destruction=found, by=technician)
        explain_line(
            line=second, why=Explanation.LOST, explanation="All racks searched", by=technician
        )
        assert close_destruction(destruction=found, by=technician).closed_at is not None
        assert {each.outcome for each in found.lines.all()} == {"destroyed", "lost"}
        events = CustodyEvent.objects.filter(kind="destroyed")
        assert [each.witness for each in events] == [cast.nurse]


def test_postgresql_itself_keeps_the_list_open(cast, visit, technician, kept):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        closing = {"closed_at": TrialNow(), "closed_by": technician}
        with pytest.raises(DatabaseError, match="not every sample"), transaction.atomic():
            Destruction.objects.update(**closing)
        event = CustodyEvent.objects.filter(aliquot=kept).first()
        with pytest.raises(DatabaseError, match="by its custody"), transaction.atomic():
            DestructionLine.objects.update(outcome="destroyed", event=event)


def test_a_live_sample_on_no_line_keeps_the_list_open_too(cast, visit, technician, kept):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        found = the_list()
        destroy_listed(
            destruction=found,
            lines=found.lines.all(),
            how="Autoclaved",
            witness=cast.nurse,
            by=technician,
        )
        (tube,) = labelled(visit, technician, "URINE")
        enter(tube, CustodyKind.COLLECTED, technician, Happening(at=wall(visit.site, hours=-48)))
        with pytest.raises(DatabaseError, match="not every sample"), transaction.atomic():
            Destruction.objects.update(closed_at=TrialNow(), closed_by=technician)
        with pytest.raises(TransitionError, match="1 sample is not"):
            close_destruction(destruction=found, by=technician)


@pytest.mark.parametrize("why", [Explanation.USED, Explanation.DISCARDED])
def test_before_the_withdrawal_is_a_time_before_it(cast, visit, technician, why):
    sample = aliquoted(visit, technician)[0]
    withdraw(cast, visit.subject, Scope.SAMPLES)
    said = {"why": why, "explanation": "ELISA of the morning", "by": technician}
    with as_person(technician):
        line = the_list().lines.get(aliquot=sample)
        for at in (None, wall(visit.site)):
            with pytest.raises(ImpossibleError) as refused:
                explain_line(line=line, at=at, **said)
            assert list(refused.value.errors) == ["happened_at"]
        at = wall(visit.site) - dt.timedelta(minutes=1)
        assert explain_line(line=line, at=at, **said).outcome == why.value


def test_after_the_withdrawal_nothing_is_used_up(cast, visit, technician):
    sample = aliquoted(visit, technician)[0]
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        with pytest.raises(ImpossibleError, match="to be destroyed"):
            use_up_aliquot(aliquot=sample, reason="ELISA", by=technician)
        before = wall(visit.site, hours=-0.25)
        used = use_up_aliquot(aliquot=sample, reason="ELISA", by=technician, at=before)
        assert used.state == "used"


def test_what_is_discarded_after_the_withdrawal_is_discarded_before_a_witness(
    cast, visit, technician
):
    sample = aliquoted(visit, technician)[0]
    withdraw(cast, visit.subject, Scope.SAMPLES)
    said = {"kind": CustodyKind.DISCARDED, "reason": "Leaking", "by": technician}
    with as_person(technician):
        for witness in (None, technician):
            with pytest.raises(ImpossibleError) as refused:
                end_aliquot(aliquot=sample, witness=witness, **said)
            assert list(refused.value.errors) == ["witness"]
            happened = Happening(reason="Leaking", witness=witness)
            with pytest.raises(ImpossibleError, match="second person"):
                enter(sample, CustodyKind.DISCARDED, technician, happened)
        end_aliquot(aliquot=sample, witness=cast.nurse, **said)
        line = the_list().lines.get(aliquot=sample)
        assert line.event is not None
        assert (line.outcome, line.event.witness) == ("disposed", cast.nurse)


@pytest.mark.parametrize(
    ("why", "confirmed", "state", "outcome"),
    [
        (Explanation.USED, "", "used", "used"),
        (Explanation.DISCARDED, "", "discarded", "discarded"),
        (Explanation.LOST, "", "lost", "lost"),
        (Explanation.RECIPIENT, "Dr Wu, core laboratory", "destroyed", "recipient"),
    ],
)
def test_each_explanation_ends_the_samples_custody(
    cast, visit, technician, kept, why, confirmed, state, outcome
):
    before = why in {Explanation.USED, Explanation.DISCARDED}
    away = aliquoted(visit, technician)[0] if before else sent(kept, technician)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        line = the_list().lines.get(aliquot=away)
        explained = explain_line(
            line=line,
            why=why,
            explanation="Letter of today",
            confirmed_by=confirmed,
            at=wall(visit.site, hours=-0.25) if before else None,
            by=technician,
        )
        event = explained.event
        assert event is not None
        assert (explained.outcome, event.reason) == (outcome, "Letter of today")
        assert event.place == confirmed
        assert Aliquot.objects.get(pk=away.pk).state == state
        with pytest.raises(TransitionError, match="entered already"):
            explain_line(line=line, why=why, explanation="Again", by=technician)


def test_a_recipients_confirmation_names_who_confirmed(cast, visit, technician, kept):
    away = sent(kept, technician)
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        line = the_list().lines.get(aliquot=away)
        with pytest.raises(ImpossibleError) as refused:
            explain_line(
                line=line, why=Explanation.RECIPIENT, explanation="By letter", by=technician
            )
        assert list(refused.value.errors) == ["confirmed_by"]
        with pytest.raises(ImpossibleError, match="Not here"):
            destroy_listed(
                destruction=line.destruction,
                lines=[line],
                how="Autoclaved",
                witness=cast.nurse,
                by=technician,
            )


@pytest.mark.parametrize("at_hand", ["stored", "made", "tube"])
def test_what_is_at_the_site_is_not_destroyed_by_a_recipient(
    cast, visit, technician, kept, at_hand
):
    tube = collected(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        lines = the_list().lines
        line = (
            lines.get(specimen=tube)
            if at_hand == "tube"
            else lines.get(aliquot__state=at_hand, specimen=kept.specimen)
        )
        assert Explanation.RECIPIENT not in explanations_of(line)
        with pytest.raises(DomainError):
            explain_line(
                line=line,
                why=Explanation.RECIPIENT,
                explanation="They said so",
                confirmed_by="Dr Wu",
                by=technician,
            )
        # By no other road either.
        said = Happening(reason="They said so", place="Dr Wu, core laboratory")
        with pytest.raises(ImpossibleError, match="second person"):
            enter(line.sample, CustodyKind.DESTROYED, technician, said)
        assert not lines.get(pk=line.pk).is_settled


@pytest.mark.parametrize("who", ["nobody", "oneself"])
def test_destroying_a_list_is_witnessed_by_somebody_else(cast, visit, technician, kept, who):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        found = the_list()
        with pytest.raises(ImpossibleError) as refused:
            destroy_listed(
                destruction=found,
                lines=found.lines.all(),
                how="Autoclaved",
                witness=None if who == "nobody" else technician,
                by=technician,
            )
        assert list(refused.value.errors) == ["witness"]
        for witness in (None, technician):
            with pytest.raises(ImpossibleError, match="second person"):
                enter(
                    kept, CustodyKind.DESTROYED, technician, Happening(reason="x", witness=witness)
                )


def test_nothing_more_is_collected_worked_up_thawed_or_packed(cast, visit, technician, box, kept):
    tube = collected(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    shipment = shipping.drafted(visit.site, technician)
    with as_person(technician):
        for attempt in (
            lambda: aliquot_specimen(specimen=tube, by=technician),
            lambda: thaw_aliquot(aliquot=kept, by=technician, reason="IL-6"),
            lambda: enter(kept, CustodyKind.PACKED, technician, Happening(shipment=shipment)),
        ):
            with pytest.raises(DomainError, match="to be destroyed"):
                attempt()
        sibling = kept.specimen.aliquots.get(state="made")
        with pytest.raises(ImpossibleError, match="to be destroyed"):
            analyse_aliquot(aliquot=sibling, by=technician, reason="IL-6")
        # Kept safely until it is destroyed.
        assert store_aliquot(aliquot=sibling, box=box, by=technician).state == "stored"


def test_what_was_done_before_the_withdrawal_is_entered_late_and_joins_the_list(
    cast, visit, technician
):
    (tube,) = labelled(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    before = wall(visit.site, hours=-48)
    with as_person(technician):
        assert Destruction.objects.get().closed_at is not None  # there was nothing yet
        collect_specimen(specimen=tube, by=technician, at=before)
        assert [each.code for each in the_list().lines.all()] == [tube.code]
        made = aliquot_specimen(specimen=tube, by=technician, at=before)
        found = {each.code: each.outcome for each in the_list().lines.all()}
    assert found == {tube.code: "divided"} | {each.code: "" for each in made}


def test_what_ends_by_any_road_is_settled(cast, visit, technician, kept):
    tube = collected(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        end_specimen(
            specimen=tube,
            kind=CustodyKind.DESTROYED,
            reason="Withdrawn",
            by=technician,
            witness=cast.nurse,
        )
        end_aliquot(
            aliquot=kept,
            kind=CustodyKind.DISCARDED,
            reason="Broken",
            by=technician,
            witness=cast.nurse,
        )
        found = {each.code: each.outcome for each in the_list().lines.all() if each.outcome}
    assert found == {tube.code: "destroyed", kept.code: "disposed"}


def test_what_was_lost_and_is_found_is_to_be_destroyed_again(cast, visit, technician, kept):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        found = the_list()
        for line in found.lines.all():
            explain_line(line=line, why="lost", explanation="Searched", by=technician)
        back = find_aliquot(
            aliquot=Aliquot.objects.get(pk=kept.pk), reason="Behind the rack", by=technician
        )
        assert [each.code for each in open_lines(found)] == [back.code]
        with pytest.raises(TransitionError, match="1 sample is not"):
            close_destruction(destruction=found, by=technician)
        explain_line(
            line=found.lines.get(aliquot=back), why="lost", explanation="Again", by=technician
        )
        close_destruction(destruction=found, by=technician)
        find_aliquot(aliquot=Aliquot.objects.get(pk=kept.pk), reason="In the lorry", by=technician)
        assert [each.code for each in the_list().lines.all()] == [kept.code]


def test_a_lost_tube_that_is_found_joins_the_list(cast, visit, technician):
    tube = collected(visit, technician, "URINE")
    with as_person(technician):
        tube = end_specimen(
            specimen=tube, kind=CustodyKind.LOST, reason="Not in the rack", by=technician
        )
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        assert find_specimen(specimen=tube, reason="In the bag", by=technician).state == "collected"
        assert [each.code for each in open_lines(the_list())] == [tube.code]


def test_what_is_at_its_destination_is_explained_and_found_there(cast, visit, technician, kept):
    away = sent(kept, technician)
    with as_person(technician):
        parcel = away.shipment
        arrive(by=technician, shipment=parcel, receiver="Dr Wu")
        receive(by=technician, shipment=parcel, code=away.code)
        assert Aliquot.objects.get(pk=away.pk).state == "away"
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        line = the_list().lines.get(aliquot=away)
        assert not line.is_here
        explain_line(line=line, why="lost", explanation="Not in their freezer", by=technician)
        back = find_aliquot(
            aliquot=Aliquot.objects.get(pk=away.pk), reason="They wrote", by=technician
        )
        assert (back.state, back.shipment) == ("away", parcel)
        assert [each.pk for each in open_lines(line.destruction)] != []


def test_a_listed_tube_is_not_voided_away(cast, visit, technician):
    tube = collected(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        with pytest.raises(TransitionError, match="Enter first what became of it"):
            void_specimen(specimen=tube, reason="Of another person", by=technician)
        voiding = {"voided_at": TrialNow(), "voided_by": technician, "void_reason": "x"}
        with pytest.raises(DatabaseError, match="to be destroyed"), transaction.atomic():
            Specimen.objects.filter(pk=tube.pk).update(**voiding)
        end_specimen(
            specimen=tube,
            kind=CustodyKind.DISCARDED,
            reason="Mixed up",
            by=technician,
            witness=cast.nurse,
        )
        void_specimen(specimen=tube, reason="Of another person", by=technician)
        assert close_destruction(destruction=the_list(), by=technician).closed_at is not None


def test_a_voided_withdrawal_lifts_the_list_and_samples_may_be_used(cast, visit, technician, kept):
    withdrawal = withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(cast.investigator):
        void_part(part=withdrawal, reason="Another participant", by=cast.investigator)
    with as_person(technician):
        found = Destruction.objects.get()
        assert found.lifted_at is not None
        with pytest.raises(TransitionError, match="no longer stands"):
            destroy_listed(
                destruction=found,
                lines=found.lines.all(),
                how="x",
                witness=cast.nurse,
                by=technician,
            )
        assert thaw_aliquot(aliquot=kept, by=technician, reason="IL-6").state == "thawed"


@pytest.mark.parametrize("minutes", [-1, 0])
def test_the_moment_of_the_withdrawal_is_the_border(cast, visit, technician, minutes):
    (tube,) = labelled(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        assert Destruction.objects.get().withdrawn_at is not None
        at = wall(visit.site) + dt.timedelta(minutes=minutes)
        if minutes < 0:
            assert collect_specimen(specimen=tube, by=technician, at=at).state == "collected"
        else:
            with pytest.raises(DomainError, match="withdrawn"):
                collect_specimen(specimen=tube, by=technician, at=at)
            with pytest.raises(ImpossibleError, match="to be destroyed"):
                enter(tube, CustodyKind.COLLECTED, technician, Happening(at=at))


def test_only_who_handles_samples_there_destroys_them(cast, visit, technician, kept):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    for person in (cast.monitor, cast.data_manager):
        with as_person(person):
            found = Destruction.objects.get()
            with pytest.raises(NotPermittedError):
                close_destruction(destruction=found, by=person)
            with pytest.raises(NotPermittedError):
                destroy_listed(
                    destruction=found,
                    lines=found.lines.all(),
                    how="x",
                    witness=cast.nurse,
                    by=person,
                )


def test_an_unmeasured_aliquot_can_be_used_up(visit, technician, box):
    (tube, *_rest) = aliquoted(visit, technician)
    with as_person(technician):
        enter(tube, CustodyKind.USED_UP, technician, Happening(reason="ELISA"))
        assert Aliquot.objects.get(pk=tube.pk).state == "used"
        assert Aliquot.objects.get(pk=tube.pk).volume in (None, Decimal(0))
        assert Specimen.objects.get().state == "aliquoted"


def test_postgresql_lets_a_list_stand_as_long_as_its_withdrawal(cast, visit, technician, kept):
    withdrawal = withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician):
        lifting = {"lifted_at": TrialNow(), "lifted_by": technician}
        with pytest.raises(DatabaseError, match="the withdrawal stands"), transaction.atomic():
            Destruction.objects.update(**lifting)
        for shift in (dt.timedelta(minutes=1), dt.timedelta(minutes=-1)):
            moved = {"withdrawn_at": the_list().withdrawn_at + shift}
            with pytest.raises(DatabaseError, match="withdrawn then"), transaction.atomic():
                Destruction.objects.update(**moved)
    with as_person(cast.investigator):
        void_part(part=withdrawal, reason="Another participant", by=cast.investigator)
    with as_person(technician):
        assert Destruction.objects.get().lifted_at is not None
        with pytest.raises(DatabaseError, match="withdrawn then"), transaction.atomic():
            Destruction.objects.create(
                site=visit.site,
                subject=visit.subject,
                withdrawn_at=TrialNow(),
                opened_by=technician,
                opened_at=TrialNow(),
            )


def test_a_list_follows_to_the_withdrawal_that_stands_beside_a_voided_one(
    cast, visit, technician, kept
):
    first = withdraw(cast, visit.subject, Scope.SAMPLES, hours=-5)
    withdraw(cast, visit.subject, Scope.ALL_DATA, hours=-2)
    with as_person(cast.investigator):
        void_part(part=first, reason="Another participant", by=cast.investigator)
    with as_person(technician):
        found = the_list()
        walls = found.withdrawn_at.astimezone(ZoneInfo(visit.site.time_zone)).replace(tzinfo=None)
        assert walls == wall(visit.site, hours=-2)


def test_postgresql_adds_no_aliquot_to_what_is_to_be_destroyed(cast, visit, technician, kept):
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(technician), pytest.raises(DatabaseError, match="to be destroyed"):
        one_more(kept, technician)


def one_more(aliquot, by, **said):
    """Past the services: a further aliquot of the same tube."""
    fields = {
        "site_id": aliquot.site_id,
        "subject_id": aliquot.subject_id,
        "specimen_id": aliquot.specimen_id,
        "number": 9,
        "code": "S001-999999-09-X",
        "thaws_at_most": 2,
        "time_zone": aliquot.time_zone,
        "made_by": by,
        "made_at": TrialNow(),
    }
    with transaction.atomic():
        return Aliquot.objects.create(**(fields | said))


@pytest.mark.parametrize(("volume", "fits"), [("0.99", True), ("1.00", True), ("1.01", False)])
def test_the_aliquots_hold_no_more_than_the_tube_did(visit, technician, volume, fits):
    facts = SpecimenFacts(amount=Decimal("3.00"))
    tube = collected(visit, technician, "URINE", facts=facts)
    with as_person(technician):
        made = aliquot_specimen(specimen=tube, by=technician, count=2, volume=Decimal("1.00"))
        if fits:
            assert one_more(made[0], technician, volume=Decimal(volume)).number == 9
        else:
            with pytest.raises(DatabaseError, match="more than was collected"):
                one_more(made[0], technician, volume=Decimal(volume))


@pytest.mark.parametrize(("amount", "refused"), [("1.99", True), ("2.00", False)])
def test_a_tube_is_not_said_to_have_held_less_than_its_aliquots(visit, technician, amount, refused):
    tube = collected(visit, technician, "URINE")
    with as_person(technician):
        aliquot_specimen(specimen=tube, by=technician, count=2, volume=Decimal("1.00"))

        def describe():
            return describe_specimen(
                specimen=tube,
                facts=SpecimenFacts(amount=Decimal(amount)),
                reason="Measured",
                by=technician,
                base_version=tube.version,
            )

        if refused:
            with pytest.raises(ImpossibleError) as error:
                describe()
            assert list(error.value.errors) == ["amount"]
        else:
            assert describe().amount == Decimal(amount)
