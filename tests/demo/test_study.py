"""The demonstration study tells one coherent story, made through the doors people use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import connections

from outcomes.models import (
    AdverseEvent,
    AdverseEventOrigin,
    SaeCase,
    SurvivalContact,
    SurvivalStatus,
)
from outcomes.selectors.outcome import overview_of
from outcomes.selectors.sae_board import ClockState, case_lines
from samples.models import Aliquot, NotCollected, Shipment, Specimen
from screening.models import ConsentDocument, Enrolment, ScreeningEntry
from screening.models.log import Outcome
from screening.selectors.consent import reconsent_due
from screening.selectors.eligibility import live_evaluation, signed_decisions
from screening.services.identity import masked_identities
from tests import databases
from tests.demo.making import demonstration
from tests.samples.replaying import assert_custody_is_true
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.casebook.models import RecordStatus, Subject, Visit, VisitStatus
from trialsite.conduct.models import Deviation
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.core.partial_dates import PartialDate
from trialsite.demo.product import IN_USE
from trialsite.labs.models import LabPanel, LabResult, PurificationInterval
from trialsite.review.assumptions import confirmed_protocol
from visits.models import (
    Complication,
    LoadedProduct,
    LotMovement,
    ProductLot,
    TreatmentSession,
)
from visits.models.session_codes import State
from visits.selectors.products import units_left
from visits.selectors.sessions import minutes_of


@pytest.fixture(scope="module")
def demo(django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        with (
            demonstration(databases.of_this_process("demo")) as name,
            databases.using(name),
            acting(system_context("test", Channel.COMMAND)),
        ):
            yield
        for connection in connections.all():
            connection.close()


def test_every_outcome_of_the_log_is_there(demo):
    outcomes = Counter(ScreeningEntry.objects.values_list("outcome", flat=True))
    assert set(outcomes) == set(Outcome.values)
    assert outcomes[Outcome.ENROLLED] == 9
    assert all(each.criteria for each in ScreeningEntry.objects.filter(outcome="screen_failed"))


def test_whoever_is_enrolled_is_eligible_by_a_signature_that_stands(demo):
    enrolled = list(Subject.objects.filter(number__isnull=False).select_related("site"))
    decisions = signed_decisions(enrolled)
    assert len(decisions) == len(enrolled) == Enrolment.objects.count()
    assert all(each.eligible and each.stands for each in decisions.values())


def test_who_is_not_eligible_was_told_so_by_the_engine(demo):
    for entry in ScreeningEntry.objects.filter(outcome=Outcome.SCREEN_FAILED):
        assert entry.subject is not None
        decision = signed_decisions([entry.subject])[entry.subject.pk]
        assert not decision.eligible
        assert decision.evaluation.against == entry.criteria


def test_one_person_waits_for_a_result(demo):
    entry = ScreeningEntry.objects.get(outcome=Outcome.OPEN, subject__isnull=False)
    assert entry.subject is not None
    verdicts = live_evaluation(entry.subject).evaluation.verdicts
    missing = {each.name for verdict in verdicts for each in verdict.missing if each.name}
    assert "INR" in missing


def test_assumptions_that_decide_are_confirmed_and_others_stay_open(demo):
    version = Subject.objects.all()[0].protocol_version_id
    left = {each.path for each in confirmed_protocol(version).assumptions()}
    assert not [path for path in left if path.startswith("criteria.IN")]
    assert any(path.startswith("criteria.") for path in left)


def test_consent_draws_and_deviations_have_their_cases(demo):
    sites = list(Site.objects.values_list("pk", flat=True))
    assert len(reconsent_due(sites)) == 1
    assert ConsentDocument.objects.filter(reconsent_required=True).exists()
    assert Counter(Deviation.objects.values_list("status", flat=True)) == {"proposed": 5}
    assert PurificationInterval.objects.exists()
    assert not LabPanel.objects.exclude(record__status=RecordStatus.COMPLETE).exists()
    assert set(LabResult.objects.filter(analyte="BILI").values_list("unit", flat=True)) == {
        "umol/L",
        "mg/dL",
    }


def test_samples_went_from_the_tube_to_the_freezer_and_one_is_missing(demo):
    states = Counter(Aliquot.objects.values_list("state", flat=True))
    assert states.keys() == {"stored", "away", "lost"}
    assert (states["away"], states["lost"]) == (5, 1)
    assert Aliquot.objects.filter(thaws=1).count() == 1
    assert NotCollected.objects.get().reason == "none_passed"
    proposed = Deviation.objects.filter(kind__startswith="sample_")
    assert sorted(proposed.values_list("kind", flat=True)) == [
        "sample_frozen_late",
        "sample_not_collected",
    ]
    assert Shipment.objects.get().state == "received"
    waiting = Specimen.objects.filter(state__in=["received", "processed"])
    assert {each.visit.event_oid for each in waiting.select_related("visit")} == {"SE.D0"}
    assert_custody_is_true(Aliquot.objects.values_list("pk", flat=True), Decimal("0.50"))


def test_everybody_in_the_log_is_somebody_in_the_vault(demo):
    nurse = User.objects.get(email="nurse@demo.example")
    mine = ScreeningEntry.objects.filter(site__code="001").values_list("pk", flat=True)
    with acting(context_of(nurse, Channel.COMMAND)):
        assert set(masked_identities(mine, by=nurse)) == set(mine)


def test_sessions_are_over_running_and_prepared(demo):
    sessions = list(TreatmentSession.objects.all())
    assert {each.state for each in sessions} == {State.ENDED, State.RUNNING, State.PREPARED}
    first = {each.subject_id: each for each in sessions if each.number == 1 and each.started_at}
    for subject in Subject.objects.filter(day_zero__isnull=False):
        assert first[subject.pk].started_at.date() == subject.day_zero


def test_the_hypotension_of_a_session_is_an_adverse_event(demo):
    complication = Complication.objects.get()
    event = AdverseEvent.objects.get(serious=False)
    origin = AdverseEventOrigin.objects.get(record=event.record)
    assert origin.complication_id == complication.pk
    session = TreatmentSession.objects.get(pk=complication.record_id)
    assert (session.ended_at - session.started_at).total_seconds() == 6 * 3600
    assert minutes_of(session).effective == 360 - 25 - 10


def test_one_serious_event_was_reported_in_time_and_the_clock_of_another_runs(demo):
    now = trial_now()
    states = {
        line.event.term: {clock.state for clock in line.clocks}
        for line in case_lines(SaeCase.objects.select_related("site", "subject", "record"), now)
    }
    assert states == {
        "Catheter-related sepsis (SYNTHETIC)": {ClockState.IN_TIME},
        "Gastrointestinal bleeding (SYNTHETIC)": {ClockState.RUNNING},
    }


def test_the_cells_are_accounted_for(demo):
    for site in Site.objects.all():
        moved = LotMovement.objects.filter(site=site).standing()
        received = sum(each.units for each in moved if each.kind == "received")
        used = LoadedProduct.objects.filter(site=site, voided_at=None).count()
        gone = sum(each.units for each in moved if each.kind == "destroyed")
        assert received == 12
        lot = ProductLot.objects.get(code=IN_USE)
        assert units_left(lot, site.pk) == received - used - gone


def test_what_became_of_the_participants_has_its_cases(demo):
    subjects = Subject.objects.filter(number__isnull=False).select_related("site")
    seen = [overview_of(subject) for subject in subjects]
    assert sum(each.status == SurvivalStatus.DEAD for each in seen) == 1
    assert sum(bool(each.transplantation) for each in seen) == 1
    assert sum(each.attempts.met for each in seen) == 1
    assert [
        each.reason for one in seen for each in one.proposals if each.reason == "LOST TO FOLLOW-UP"
    ]
    assert Counter((each.scope, each.reason) for one in seen for each in one.dispositions) == {
        ("TREATMENT", "WITHDRAWAL BY SUBJECT"): 1,
        ("TREATMENT", "DEATH"): 1,
        ("STUDY", "DEATH"): 1,
    }
    (found,) = SurvivalContact.objects.filter(status="ALIVE")
    stands_for = Visit.objects.filter(contacts=found.record.visit_id)
    assert [visit.status for visit in stands_for] == [VisitStatus.MISSED]
    died = next(each for each in seen if each.status == SurvivalStatus.DEAD)
    assert died.sighting is not None
    assert died.sighting.day.before(PartialDate.parse(died.subject.died_on)) is True
