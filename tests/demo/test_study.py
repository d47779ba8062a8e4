"""The demonstration study tells one coherent story, made through the doors people use."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from statistics import mean
from zoneinfo import ZoneInfo

import pytest
from django.db import connections

from outcomes.models import (
    AdverseEvent,
    AdverseEventGrade,
    AdverseEventOrigin,
    EventMedication,
    SaeCase,
    SurvivalContact,
    SurvivalStatus,
)
from outcomes.selectors.outcome import overview_of
from outcomes.selectors.sae_board import ClockState, Look, case_lines
from outcomes.selectors.sae_owed import owed_at
from samples.models import Aliquot, NotCollected, Shipment, Specimen
from screening.models import Consent, ConsentDocument, Enrolment, ScreeningEntry
from screening.models.consent import ConsentKind
from screening.models.eligibility import CriterionAnswer
from screening.models.log import Outcome
from screening.selectors.consent import reconsent_due
from screening.selectors.eligibility import live_evaluation, signed_decisions
from screening.selectors.funnel import Box, Place, funnel
from screening.services.identity import masked_identities
from tests import databases
from tests.demo.making import demonstration
from tests.samples.replaying import assert_custody_is_true
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, Visit, VisitStatus
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.conduct.models import Deviation
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.context import Channel, acting
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.models import Coding
from trialsite.dashboard.overview.flow import PARTS, Stand, flow_of
from trialsite.dashboard.overview.flow import Box as Flow
from trialsite.demo.product import IN_USE
from trialsite.labs.models import LabPanel, LabResult, PurificationInterval
from trialsite.notify.models import DeliveryAttempt
from trialsite.protocol.rules import InvestigatorJudgement
from trialsite.review.assumptions import confirmed_protocol
from trialsite.review.models import Query
from visits.models import (
    Complication,
    EventLook,
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


def test_forty_were_considered_and_the_funnel_tells_where_each_of_them_stands(demo):
    total = funnel(Site.objects.values_list("pk", flat=True)).total
    assert total.of(Box.CONSIDERED) == 40
    assert total.of(Box.CONSENTED) == 23
    assert total.of(Box.ENROLLED) == 10
    assert {place: total.of(place) for place in Place if total.of(place)} == {
        Place.UNDECIDED: 1,
        Place.NOT_ELIGIBLE: 7,
        Place.NOT_APPROACHED: 4,
        Place.DECLINED: 5,
        Place.IN_SCREENING: 1,
        Place.SCREEN_FAILED: 11,
        Place.WITHDREW: 1,
        Place.WITHDRAWN: 1,
        Place.ON_STUDY: 6,
        Place.COMPLETED: 1,
        Place.DIED: 2,
    }


def test_screening_failed_by_every_criterion_of_the_protocol(demo):
    """Judged by the engine or by an investigator, and signed: not only noted in the log."""
    given: Counter[str] = Counter()
    for entry in ScreeningEntry.objects.filter(outcome=Outcome.SCREEN_FAILED):
        assert entry.subject is not None
        signed = signed_decisions([entry.subject])[entry.subject.pk].evaluation
        assert sorted(signed.against) == sorted(entry.criteria)
        given.update(signed.against)
    version = Subject.objects.order_by("screening_number")[0].protocol_version_id
    assert set(given) == {each.id for each in protocol_of(version).criteria}


def test_a_criterion_that_data_decide_was_failed_by_data(demo):
    """The engine said so before anybody judged: of every criterion that has a rule."""
    found = set()
    for entry in ScreeningEntry.objects.filter(outcome=Outcome.SCREEN_FAILED):
        assert entry.subject is not None
        signed = signed_decisions([entry.subject])[entry.subject.pk].evaluation
        answers = CriterionAnswer.objects.filter(evaluation=signed, judged=False)
        found |= {each.criterion for each in answers if each.criterion in signed.against}
    version = Subject.objects.order_by("screening_number")[0].protocol_version_id
    assert found == {
        each.id
        for each in protocol_of(version).criteria
        if not isinstance(each.rule, InvestigatorJudgement)
    }


def test_every_site_and_every_outcome_has_somebody(demo):
    entries = ScreeningEntry.objects.values_list("outcome", "site__code")
    assert {outcome for outcome, _site in entries} == set(Outcome.values)
    enrolled = Counter(Enrolment.objects.values_list("site__code", flat=True))
    assert enrolled == {"001": 3, "002": 4, "003": 3}


def test_one_of_the_enrolled_was_never_treated(demo):
    enrolled = Subject.objects.filter(number__isnull=False)
    never = enrolled.select_related("site").get(day_zero=None, sessions=None)
    (ended,) = overview_of(never).dispositions
    assert (ended.scope, ended.reason) == ("TREATMENT", "PHYSICIAN DECISION")


def test_the_boxes_of_the_overview_tell_the_story_of_the_enrolled(demo):
    found = flow_of(list(Site.objects.values_list("pk", flat=True)))
    parts = (*PARTS[Flow.ENROLLED], *PARTS[Flow.NEVER_TREATED], *PARTS[Flow.TREATED])
    assert {part.value: found.of(part) for part in parts if found.of(part)} == {
        Flow.NEVER_TREATED: 1,
        Stand.UNTREATED_ON_STUDY: 1,
        Stand.WAITING: 1,
        Flow.TREATED: 8,
        Stand.ON_STUDY: 4,
        Stand.COMPLETED: 1,
        Stand.LOST: 1,
        Stand.DIED: 2,
    }


def test_no_report_is_overdue_and_every_death_has_its_fatal_event(demo):
    """The overview and the safety board count from one selector."""
    owed = owed_at(Site.objects.values_list("pk", flat=True), trial_now())
    assert owed.deaths == []
    counts = {look: owed.count(look) for look in (Look.OPEN, Look.CLOSED, Look.OVERDUE, Look.LATE)}
    assert counts == {Look.OPEN: 3, Look.CLOSED: 1, Look.OVERDUE: 0, Look.LATE: 0}
    died = Subject.objects.exclude(died_on="")
    fatal = AdverseEvent.objects.filter(serious=True, outcome="FATAL")
    assert set(fatal.values_list("subject", flat=True)) == set(died.values_list("pk", flat=True))


def test_the_amendment_is_in_force_where_it_was_approved_and_asks_for_consent_again(demo):
    today = trial_today("Asia/Shanghai")
    in_force = {
        site.code: protocol_of(version_in_force(site, on=today).pk) for site in Site.objects.all()
    }
    targets = {code: protocol.study.target_enrolment for code, protocol in in_force.items()}
    assert targets == {"001": 12, "002": 12, "003": 10}
    again = Consent.objects.filter(kind=ConsentKind.RECONSENT)
    assert sorted(again.values_list("site__code", flat=True)) == ["001", "002"]
    due = reconsent_due(Site.objects.values_list("pk", flat=True))
    assert [line.subject.site.code for line in due] == ["001"]


def test_the_reminders_of_the_past_were_planned_and_sent(demo):
    sent = DeliveryAttempt.objects.filter(outcome="sent")
    days = {at.date() for at in sent.values_list("at", flat=True)}
    assert len(days) >= 10
    assert max(days) < trial_now().date()
    kinds = set(sent.values_list("notice__kind", flat=True))
    assert kinds >= {"digest", "reconsent", "sae-report"}
    assert not DeliveryAttempt.objects.filter(outcome__in=["refused", "failed"]).exists()


def test_what_belongs_together_moves_together(demo):
    """Bilirubin, ammonia and lactate of one draw are high in whom the INR is high."""
    draws: dict[uuid.UUID, dict[str, Decimal]] = defaultdict(dict)
    rows = LabResult.objects.filter(voided_at=None, canonical__isnull=False)
    for panel, analyte, value in rows.values_list("panel_id", "analyte", "canonical"):
        assert value is not None
        draws[panel][analyte] = value
    whole = [each for each in draws.values() if {"INR", "PTA", "BILI", "AMMONIA"} <= each.keys()]
    assert len(whole) > 40
    for each in whole:
        assert abs(each["PTA"] - min(Decimal(120), 40 / (each["INR"] - Decimal("0.6")))) <= 1
    well = [each for each in whole if each["INR"] < Decimal("1.3")]
    ill = [each for each in whole if each["INR"] > Decimal("1.9")]
    for key in ("BILI", "AMMONIA", "LACTICAC"):
        assert mean(each[key] for each in ill) > Decimal("1.3") * mean(each[key] for each in well)


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
        assert sorted(decision.evaluation.against) == sorted(entry.criteria)


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
    assert ConsentDocument.objects.filter(reconsent_required=True).exists()
    kinds = Counter(Deviation.objects.values_list("kind", flat=True))
    assert set(kinds) >= {"visit_missed", "visit_out_of_window", "procedure_without_consent"}
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
    assert AdverseEvent.objects.filter(serious=False).count() == 5
    origin = AdverseEventOrigin.objects.get(complication=complication)
    assert origin.complication_id == complication.pk
    session = TreatmentSession.objects.get(pk=complication.record_id)
    assert (session.ended_at - session.started_at).total_seconds() == 6 * 3600
    assert minutes_of(session).effective == 360 - 25 - 10


def test_serious_events_were_reported_in_time_and_the_clock_of_another_runs(demo):
    now = trial_now()
    states = {
        line.event.term: {clock.state for clock in line.clocks}
        for line in case_lines(SaeCase.objects.select_related("site", "subject", "record"), now)
    }
    assert states == {
        "Catheter-related sepsis (SYNTHETIC)": {ClockState.IN_TIME},
        "Septic shock (SYNTHETIC)": {ClockState.IN_TIME},
        "Cerebral oedema (SYNTHETIC)": {ClockState.IN_TIME},
        "Gastrointestinal bleeding (SYNTHETIC)": {ClockState.RUNNING},
    }


def test_the_coder_has_begun_and_the_sepsis_has_its_course_and_its_medicine(demo):
    codes = {each.verbatim: each.code for each in Coding.objects.all()}
    assert codes == {
        "Hypotension (SYNTHETIC)": "SYN-1001",
        "Catheter-related sepsis (SYNTHETIC)": "SYN-1002",
    }
    event = AdverseEvent.objects.get(term="Catheter-related sepsis (SYNTHETIC)")
    rows = AdverseEventGrade.objects.filter(record=event.record).order_by("number")
    assert [row.grade for row in rows] == [2, 3, 1]
    named = EventMedication.objects.get(record=event.record)
    medicine = CrfRecord.objects.get(
        subject=event.subject_id, form_oid="F.CM", repeat_key=named.medication
    )
    assert medicine.voided_at is None
    assert not Query.objects.unresolved().filter(record=event.record).exists()


def test_sessions_were_looked_after_on_the_next_day(demo):
    looks = list(EventLook.objects.select_related("session"))
    assert looks
    for look in looks:
        ended = look.session.ended_at.replace(tzinfo=ZoneInfo(look.session.time_zone))
        assert dt.timedelta(hours=20) <= look.looked_at - ended <= dt.timedelta(hours=28)


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
    assert sum(each.status == SurvivalStatus.DEAD for each in seen) == 2
    assert sum(bool(each.transplantation) for each in seen) == 1
    assert sum(each.attempts.met for each in seen) == 2
    (proposed,) = [
        one for one in seen for each in one.proposals if each.reason == "LOST TO FOLLOW-UP"
    ]
    assert proposed.subject.day_zero is None
    assert Counter((each.scope, each.reason) for one in seen for each in one.dispositions) == {
        ("TREATMENT", "WITHDRAWAL BY SUBJECT"): 1,
        ("TREATMENT", "PHYSICIAN DECISION"): 1,
        ("TREATMENT", "COMPLETED"): 2,
        ("STUDY", "COMPLETED"): 1,
        ("STUDY", "LOST TO FOLLOW-UP"): 1,
        ("TREATMENT", "DEATH"): 2,
        ("STUDY", "DEATH"): 2,
    }
    (found,) = SurvivalContact.objects.filter(status="ALIVE")
    stands_for = Visit.objects.filter(contacts=found.record.visit_id)
    assert [visit.status for visit in stands_for] == [VisitStatus.MISSED]
    for died in (each for each in seen if each.status == SurvivalStatus.DEAD):
        assert died.sighting is not None
        assert died.sighting.day.before(PartialDate.parse(died.subject.died_on)) is True
