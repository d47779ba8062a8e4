"""The data of NCT06904755 against the listing, the registry and the decisions taken."""

from decimal import Decimal
from itertools import pairwise

import pytest

from trialsite.protocol import (
    CriterionCategory,
    EventRole,
    Protocol,
    ProtocolError,
    Source,
    load,
    study_path,
)
from trialsite.protocol.rules import (
    AgeRange,
    AnyAboveUln,
    ConsentByParticipant,
    EitherRange,
    GradeAtMost,
    InvestigatorJudgement,
    LabAtLeastOrDailyRise,
    ScoreAbove,
    SevereAllergy,
)

LISTING = {
    "IN01": "Age range from 18 to 65 years old;",
    "IN02": "Patients with acute liver failure in the early and intermediate stages caused by "
    "various reasons;",
    "IN03": "Total bilirubin (TBil) ≥ 171μmol/L or an increase of ≥ 17.1μmol/L per day;",
    "IN04": "Prothrombin activity (PTA) between 20% and 40% (or INR between 1.5 and 2.6);",
    "IN05": "No hepatic encephalopathy or encephalopathy below grade II (including grade II);",
    "IN06": "Elevated inflammatory markers (IL-6 / TNF-α / CRP, etc.);",
    "IN07": "The subjects are able to communicate well with the researchers and can complete the "
    "study in accordance with the study regulations;",
    "IN08": "The subjects must be informed of this study and voluntarily sign a written informed "
    "consent form before the experiment.",
    "EX01": "Patients with severe active bleeding or diffuse intravascular coagulation;",
    "EX02": "Patients with a high degree of allergy to blood products or drugs used during "
    "treatment, such as plasma, heparin, and protamine;",
    "EX03": "Patients with circulatory failure;",
    "EX04": "Patients with a MELD score > 30;",
    "EX05": "Patients with other severe heart diseases, lung diseases, blood diseases, autoimmune "
    "diseases, or diabetes;",
    "EX06": "Subjects who may be unable to complete this study for other reasons or who the "
    "researchers believe should not be included.",
}


def test_the_criteria_stand_in_the_words_and_order_of_the_listing(nct06904755: Protocol) -> None:
    worded = {criterion.id: criterion.text.en for criterion in nct06904755.criteria}
    assert list(worded.items()) == list(LISTING.items())


def test_eight_criteria_include_and_six_exclude(nct06904755: Protocol) -> None:
    categories = [criterion.category for criterion in nct06904755.criteria]
    assert categories == [CriterionCategory.INCLUSION] * 8 + [CriterionCategory.EXCLUSION] * 6


@pytest.mark.parametrize("criterion_id", LISTING)
def test_english_wording_is_the_listings_and_chinese_wording_is_our_translation(
    nct06904755: Protocol, criterion_id: str
) -> None:
    wording = f"criteria.{criterion_id}.text"
    assert nct06904755.source_of(f"{wording}.en") is Source.LISTING
    assert nct06904755.source_of(f"{wording}.zh") is Source.ASSUMPTION


def test_confirming_the_translation_settles_every_chinese_wording(nct06904755: Protocol) -> None:
    confirmed = nct06904755.with_confirmed(["translation"])
    assert confirmed.source_of("criteria.EX06.text.zh") is Source.CONFIRMED
    assert confirmed.source_of("study.title.zh") is Source.CONFIRMED


@pytest.mark.parametrize(
    ("path", "value", "source"),
    [
        ("study.study_id", "NCT06904755", Source.LISTING),
        ("study.phase", "Phase 1", Source.LISTING),
        ("study.intervention_type", "Device", Source.REGISTRY),
        ("study.target_enrolment", "10", Source.REGISTRY),
        ("study.starts_on", "2024-04-23", Source.REGISTRY),
        ("study.completes_on", "2026-12-30", Source.REGISTRY),
        ("study.facts.listing_contact.text", "Kebo Zhong", Source.LISTING),
        ("study.facts.listing_updated.text", "2 September 2025", Source.LISTING),
        ("anchor.kind", "first_treatment", Source.ASSUMPTION),
        ("outcomes.survival_days", "[7, 14, 28, 56, 84]", Source.LISTING),
        ("outcomes.conversion_days", "[28, 56, 84]", Source.REGISTRY),
        ("schedule.events.SE.D5.target_day", "5", Source.REGISTRY),
        ("schedule.events.SE.D28.target_day", "28", Source.LISTING),
        ("schedule.events.SE.D28.window", "[25, 31]", Source.ASSUMPTION),
        ("criteria.IN03.rule.level.value", "171", Source.LISTING),
        ("criteria.IN03.rule.minimum_hours", "20", Source.ASSUMPTION),
        ("criteria.IN04.rule.alternatives.PTA.lower.value", "20", Source.LISTING),
        ("criteria.IN04.rule.alternatives.PTA.lower.inclusive", "true", Source.ASSUMPTION),
        ("criteria.EX04.rule.version", "unos", Source.ASSUMPTION),
        ("labs.analytes.BILI.units.mg/dL.factor", "17.104", Source.STANDARD),
        ("labs.analytes.AFP.units.[IU]/mL.factor", "1.21", Source.ASSUMPTION),
        ("labs.rules.purification_lag_hours", "12", Source.ASSUMPTION),
        ("sessions.duration_tolerance_minutes", "15", Source.ASSUMPTION),
        ("samples.thaws_at_most", "2", Source.ASSUMPTION),
    ],
)
def test_each_value_has_the_source_it_was_taken_from(
    nct06904755: Protocol, path: str, value: str, source: Source
) -> None:
    assert nct06904755.provenance.leaves[path].value == value
    assert nct06904755.source_of(path) is source


@pytest.mark.requirement("TM4")
def test_the_schedule_has_the_agreed_targets_and_windows(nct06904755: Protocol) -> None:
    days = {
        event.oid: (event.target_day, str(event.window))
        for event in nct06904755.schedule.events
        if event.window
    }
    assert days == {
        "SE.SCR": (-1, "[-14, 0]"),
        "SE.D0": (0, "[0, 0]"),
        "SE.D1": (1, "[1, 1]"),
        "SE.D3": (3, "[3, 4]"),
        "SE.D5": (5, "[5, 5]"),
        "SE.D7": (7, "[6, 8]"),
        "SE.D14": (14, "[12, 16]"),
        "SE.D28": (28, "[25, 31]"),
        "SE.W8": (56, "[49, 63]"),
        "SE.W12": (84, "[77, 91]"),
    }


def test_sessions_unscheduled_visits_and_contacts_come_without_a_target(
    nct06904755: Protocol,
) -> None:
    undated = {event.oid for event in nct06904755.schedule.events if event.target_day is None}
    assert undated == {"SE.TRT", "SE.UNS", "SE.ET", "SE.TEL"}
    assert [e.oid for e in nct06904755.schedule.with_role(EventRole.TREATMENT)] == ["SE.TRT"]
    assert nct06904755.schedule.event("SE.TRT").repeating


def test_visitnums_leave_gaps_for_visits_an_amendment_adds(nct06904755: Protocol) -> None:
    ranges = [event.visitnums for event in nct06904755.schedule.events if event.visitnums]
    gaps = [later[0] - earlier[-1] for earlier, later in pairwise(ranges)]
    assert min(gaps) >= 10


def test_lactate_and_ammonia_are_expected_at_every_milestone(nct06904755: Protocol) -> None:
    milestones = [
        event
        for event in nct06904755.schedule.events
        if event.target_day in nct06904755.outcomes.survival_days
    ]
    assert len(milestones) == 5
    assert all("lactate_ammonia" in event.lab_panels for event in milestones)
    assert all({"URINE", "FAECES", "EDTA"} <= set(event.samples) for event in milestones)


FORMS = {
    "F.VS", "F.DM", "F.MH", "F.AL", "F.HE", "F.PREG", "F.LB", "F.TX", "F.TXP", "F.TXE", "F.SS",
}  # fmt: skip
ITEMS = {"I.HE.HEGRADE", "I.VS.MAP", "I.CM.PRESSOR", "I.MH.DIABETES", "I.MH.AUTOIMM"}


def test_only_forms_and_items_that_exist_are_named() -> None:
    assert load(study_path("NCT06904755"), known_forms=FORMS, known_items=ITEMS)


@pytest.mark.parametrize("item", sorted(ITEMS))
def test_an_item_that_no_form_has_is_refused_where_it_is_named(item: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        load(study_path("NCT06904755"), known_items=ITEMS - {item})
    (problem,) = refused.value.problems
    assert problem.path.startswith("criteria.")
    assert problem.path.endswith("item_oid")
    assert repr(item) in problem.message


def test_the_rules_are_those_of_the_decisions(nct06904755: Protocol) -> None:
    kinds = {criterion.id: criterion.rule.kind for criterion in nct06904755.criteria}
    assert kinds == {
        "IN01": AgeRange.kind,
        "IN02": "investigator_judgement",
        "IN03": LabAtLeastOrDailyRise.kind,
        "IN04": EitherRange.kind,
        "IN05": GradeAtMost.kind,
        "IN06": AnyAboveUln.kind,
        "IN07": "investigator_judgement",
        "IN08": ConsentByParticipant.kind,
        "EX01": "investigator_judgement",
        "EX02": SevereAllergy.kind,
        "EX03": "investigator_judgement",
        "EX04": ScoreAbove.kind,
        "EX05": "investigator_judgement",
        "EX06": "investigator_judgement",
    }


def test_whatever_decides_a_criterion_can_be_drawn_at_screening(nct06904755: Protocol) -> None:
    """Else nobody can ever be said not to meet it: of no marker high, all must be known."""
    (screening,) = nct06904755.schedule.with_role(EventRole.SCREENING)
    possible = {*screening.lab_panels, *screening.optional_lab_panels}
    drawn = {
        analyte
        for panel in nct06904755.labs.panels
        if panel.key in possible
        for analyte in panel.analytes
    }
    read = {
        use.analyte
        for criterion in nct06904755.criteria
        if not isinstance(criterion.rule, InvestigatorJudgement)
        for use in criterion.rule.lab_uses()
    }
    assert {"INTLK6", "TNF", "CRP", "BILI", "PTA", "INR"} <= read
    assert read <= drawn


def test_thresholds_are_decimals_in_the_criterions_unit(nct06904755: Protocol) -> None:
    rise = nct06904755.criterion("IN03").rule
    assert isinstance(rise, LabAtLeastOrDailyRise)
    assert (rise.level.value, rise.level.unit) == (Decimal(171), "umol/L")
    assert rise.daily_rise.value == Decimal("17.1")
    assert rise.daily_rise.admits_from_above(Decimal("167.1") - Decimal("150.0"))


def test_the_score_shows_every_version_a_hospital_may_mean(nct06904755: Protocol) -> None:
    score = nct06904755.criterion("EX04").rule
    assert isinstance(score, ScoreAbove)
    assert score.version == "unos"
    assert score.shown == ("unos", "meld_na_2016", "meld_3_0", "aetiology")
    assert score.threshold == 30


def test_every_proposal_is_shipped_off(nct06904755: Protocol) -> None:
    proposals = nct06904755.proposals
    switches = [
        *(hold.active for hold in proposals.holds),
        *(gate.active for gate in proposals.gates),
        *(monitor.active for monitor in proposals.monitors),
    ]
    assert switches == [False] * 8


@pytest.mark.parametrize("analyte", ["TNF", "BICARB", "PH", "BASEEXCS"])
def test_a_loinc_code_public_files_disagree_on_stays_empty(
    nct06904755: Protocol, analyte: str
) -> None:
    assert nct06904755.labs.analyte(analyte).loinc == ""


def test_prothrombin_activity_is_accepted_in_per_cent_only(nct06904755: Protocol) -> None:
    assert nct06904755.labs.analyte("PTA").accepted_units == ("%",)
