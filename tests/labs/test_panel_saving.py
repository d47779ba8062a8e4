"""Saving a lab panel: what is kept as printed, what follows from it, what stands in the way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from tests.factories import as_person, given, make_record, make_subject, make_visit
from tests.labs.conftest import DRAW, make_laboratory, make_range
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.crf.services import IncompleteError, ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import LabPanel, LabResult
from trialsite.labs.selectors import lab_facts
from trialsite.labs.services.panels import (
    mark_panel_not_done,
    open_panel,
    retake_ranges,
    set_panel_significance,
    void_result,
)
from trialsite.labs.services.ranges import correct_range
from trialsite.review.models import Query, QueryStatus
from trialsite.review.services import close_query

BILI = {"BILI": "12.5", "BILI.unit": "mg/dL", "BILI.sig": "NCS_DISEASE"}


def standing(record, analyte):
    return LabResult.objects.get(panel_id=record.pk, analyte=analyte, voided_at=None)


def questions(record):
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


def test_a_result_is_kept_as_printed_beside_its_exact_conversion(cast, draw, save):
    saved = save(draw, BILI)
    with as_person(cast.nurse):
        row = standing(draw, "BILI")
        assert (row.text, row.unit, row.flag) == ("12.5", "mg/dL", "high")
        assert row.canonical == Decimal("12.5") * Decimal("17.104")
        assert row.canonical_unit == "umol/L"
        assert (row.range_low, row.range_high, row.range_unit) == (3, 23, "umol/L")
    assert saved.record.status == RecordStatus.IN_PROGRESS
    assert saved.record.version == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1.35", "mg/dL"), ("23.0904", "umol/L")),
        (("23", "umol/L"), ("1.344714686", "mg/dL")),
        (("0.1", "mg/dL"), ("1.7104", "umol/L")),
        (("<0.2", "mg/dL"), ("<3.4208", "umol/L")),
        ((">30", "mg/dL"), (">513.12", "umol/L")),
    ],
)
def test_the_unit_of_entry_never_changes_a_flag(cast, subject, save, one, other):
    flags = []
    for number, (text, unit) in enumerate((one, other)):
        record = make_record(subject, form_oid="F.LB", repeat_key=number + 1)
        save(record, {"BILI": text, "BILI.unit": unit})
        with as_person(cast.nurse):
            flags.append(standing(record, "BILI").flag)
    assert flags[0] == flags[1]


def test_a_fact_tells_the_range_in_the_unit_reported_and_all_facts_cost_one_query(
    cast, subject, draw, save, django_assert_num_queries
):
    save(draw, BILI | {"INR": "<1.5", "INR.unit": "{INR}", "PTA.missing": "NAV"})
    with as_person(cast.nurse), django_assert_num_queries(1):
        facts = {fact.analyte: fact for fact in lab_facts(subject)}
    bili, inr = facts["BILI"], facts["INR"]
    assert bili.high is not None
    assert bili.high.quantize(Decimal("0.001")) == Decimal("1.345")
    assert (bili.value, bili.unit, bili.canonical) == (
        Decimal("12.5"),
        "mg/dL",
        Decimal("213.8"),
    )
    assert (bili.laboratory, bili.draw, bili.record_id) == ("CENTRAL", draw.pk, draw.pk)
    assert bili.collected_at.isoformat() == "2026-03-04T23:30:00+00:00"
    assert (inr.comparator, inr.value, inr.censored) == ("<", Decimal("1.5"), True)
    assert (facts["PTA"].missing, facts["PTA"].value) == ("NAV", None)


def test_an_impossible_or_unreadable_result_is_refused_beside_its_field(draw, save):
    wrong = {
        "BILI": "12,5",
        "BILI.unit": "mg/dL",
        "CREAT": "80",
        "CREAT.unit": "mmol/L",
        "PLAT": "-5",
        "PLAT.unit": "10*9/L",
        "K": "4.1",
        "INR": "2.1",
        "INR.unit": "{INR}",
        "INR.missing": "ND",
        "NOSUCH": "1",
    }
    with pytest.raises(ImpossibleError) as refused:
        save(draw, wrong)
    assert set(refused.value.errors) == {"BILI", "CREAT", "PLAT", "K", "INR", "NOSUCH"}


def test_a_specimen_is_not_received_before_it_was_drawn(draw, save):
    with pytest.raises(ImpossibleError) as refused:
        save(draw, {}, header=DRAW | {"received_at": "2026-03-05T07:29"})
    assert set(refused.value.errors) == {"received_at"}


def test_completion_asks_for_what_is_missing_implausible_or_not_judged(draw, save):
    texts = {
        "panel.lactate_ammonia": "true",
        "panel.il6": "true",
        "LACTICAC": "45",
        "LACTICAC.unit": "mmol/L",
        "BILI": "40",
        "BILI.unit": "umol/L",
    }
    with pytest.raises(IncompleteError) as refused:
        save(draw, texts, header=DRAW | {"specimen": ""}, complete=True)
    assert set(refused.value.problems) == {"specimen", "AMMONIA", "INTLK6", "LACTICAC", "BILI"}
    saved = save(
        draw,
        texts
        | {
            "AMMONIA.missing": "ND",
            "INTLK6.missing": "NAV",
            "LACTICAC.confirm": "seen twice, in shock",
            "BILI.sig": "NCS_DISEASE",
        },
        complete=True,
    )
    assert saved.record.status == RecordStatus.COMPLETE


def test_a_slip_of_the_unit_is_asked_about_and_a_comment_settles_it(draw, save):
    slip = {"CREAT": "1.2", "CREAT.unit": "umol/L", "CREAT.sig": "NCS"}
    with pytest.raises(IncompleteError) as refused:
        save(draw, slip, complete=True)
    assert "mg/dL" in refused.value.problems["CREAT"]
    save(draw, slip | {"CREAT.confirm": "printed so"}, complete=True)


def test_a_confirmation_goes_with_the_value_it_was_written_for(cast, draw, save):
    texts = {"LACTICAC": "45", "LACTICAC.unit": "mmol/L", "LACTICAC.confirm": "seen twice"}
    save(draw, texts)
    save(draw, texts | {"LACTICAC": "46"})
    with as_person(cast.nurse):
        assert standing(draw, "LACTICAC").confirmed == ""


def test_completed_results_change_only_with_a_reason_and_unchanged_ones_need_none(cast, draw, save):
    save(draw, BILI, complete=True)
    save(draw, BILI)
    with as_person(cast.nurse):
        before = CrfRecord.objects.get(pk=draw.pk)
    assert before.version == 1
    with pytest.raises(ReasonRequiredError):
        save(draw, BILI | {"BILI": "12.6"})
    save(draw, BILI | {"BILI": "12.6"}, reason="Transcription error")
    with as_person(cast.nurse):
        after = CrfRecord.objects.get(pk=draw.pk)
        event = Event.objects.filter(record_id=draw.pk, table_name="labs_labresult").latest("eid")
    assert after.content_hash != before.content_hash
    assert event.reason == "Transcription error"
    assert event.changes()["text"] == ("12.5", "12.6")


def test_an_emptied_result_is_voided_and_stays_in_the_trail(cast, draw, save):
    save(draw, BILI | {"K": "4.1", "K.unit": "mmol/L"})
    save(draw, {"K": "4.1", "K.unit": "mmol/L"})
    with as_person(cast.nurse):
        gone = LabResult.objects.get(panel_id=draw.pk, analyte="BILI")
        assert gone.voided_at is not None
        save_again = save(draw, BILI | {"K": "4.1", "K.unit": "mmol/L"})
        assert LabResult.objects.filter(panel_id=draw.pk, analyte="BILI").count() == 2
    assert save_again.results["BILI"].pk != gone.pk


def test_two_people_on_one_panel_do_not_overwrite_each_other(cast, draw, save):
    save(draw, BILI)
    with pytest.raises(StaleError) as refused:
        save(draw, {"BILI": "9", "BILI.unit": "mg/dL"}, by=cast.second_nurse, base_version=0)
    assert refused.value.version == 1
    assert refused.value.current["BILI"] == "12.5"
    assert refused.value.current["collected_at"] == "2026-03-05T07:30"


def test_the_hash_covers_the_draw_and_each_of_its_results(draw, save):
    hashes = {save(draw, BILI).record.content_hash}
    hashes.add(save(draw, BILI | {"BILI.sig": "CS"}).record.content_hash)
    hashes.add(save(draw, BILI | {"haemolysed": "true"}).record.content_hash)
    hashes.add(save(draw, BILI | {"timepoint": "POST"}).record.content_hash)
    again = save(draw, BILI).record.content_hash
    assert len(hashes) == 4
    assert again in hashes


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        (
            {"BILI": "20", "BILI.unit": "umol/L", "BILDIR": "1.5", "BILDIR.unit": "mg/dL"},
            "LB.DIRECT_ABOVE_TOTAL",
        ),
        (
            {
                "WBC": "10",
                "WBC.unit": "10*9/L",
                "NEUT": "8",
                "NEUT.unit": "10*9/L",
                "LYM": "2.21",
                "LYM.unit": "10*9/L",
            },
            "LB.DIFFERENTIAL",
        ),
        ({"AST": "80", "AST.unit": "U/L"}, "LB.AST_WITHOUT_ALT"),
        (
            {"INR": "0.9", "INR.unit": "{INR}", "PTA": "55", "PTA.unit": "%"},
            "LB.INR_AGAINST_PTA",
        ),
        ({"INR": "2", "INR.unit": "{INR}", "PTA": "50", "PTA.unit": "%"}, "LB.PTA_EXPECTED"),
        ({"BILI": "900", "BILI.unit": "umol/L"}, "LB.BILI.RANGE"),
        ({"BILI": "20 ↑", "BILI.unit": "umol/L"}, "LB.BILI.MARK"),
    ],
)
def test_what_contradicts_itself_is_kept_and_asked_about(cast, draw, save, texts, asked):
    save(draw, {"significance": "NCS_DISEASE", **texts}, complete=True)
    with as_person(cast.nurse):
        assert questions(draw) == {asked}


@pytest.mark.parametrize(
    "texts",
    [
        {
            "WBC": "10",
            "WBC.unit": "10*9/L",
            "NEUT": "8",
            "NEUT.unit": "10*9/L",
            "LYM": "2.2",
            "LYM.unit": "10*9/L",
        },
        {"AST": "80", "AST.unit": "U/L", "ALT": "90", "ALT.unit": "U/L"},
        {"INR": "2", "INR.unit": "{INR}", "PTA": "43", "PTA.unit": "%"},
        {"BILI": "20", "BILI.unit": "umol/L", "BILDIR": "20", "BILDIR.unit": "umol/L"},
        {"BILI": "30 ↑", "BILI.unit": "umol/L"},
    ],
)
def test_what_agrees_is_not_asked_about(cast, draw, save, texts):
    save(draw, {"significance": "NCS_DISEASE", **texts}, complete=True)
    with as_person(cast.nurse):
        assert questions(draw) == set()


WRONG = {"BILI": "20", "BILI.unit": "umol/L", "BILDIR": "25", "BILDIR.unit": "umol/L"}


def test_a_question_closes_itself_once_the_values_agree(cast, draw, save):
    save(draw, WRONG, complete=True)
    save(draw, WRONG | {"BILDIR": "15"}, reason="Transcription error")
    with as_person(cast.data_manager):
        assert questions(draw) == set()


def test_a_settled_question_is_not_asked_again_because_of_another_row(cast, draw, save):
    save(draw, WRONG, complete=True)
    with as_person(cast.data_manager):
        query = Query.objects.get(record=draw, status=QueryStatus.OPEN)
        close_query(query=query, text="the laboratory prints it so", by=cast.data_manager)
    save(draw, WRONG | {"K": "4", "K.unit": "mmol/L"}, reason="Information became available later")
    with as_person(cast.data_manager):
        assert questions(draw) == set()
    save(draw, WRONG | {"BILDIR": "26"}, reason="Source was corrected")
    with as_person(cast.data_manager):
        assert questions(draw) == {"LB.DIRECT_ABOVE_TOTAL"}


@pytest.mark.parametrize(
    ("later", "halved"), [("2026-03-06T07:30", True), ("2026-03-06T07:31", False)]
)
def test_platelets_that_halve_within_a_day_are_asked_about(cast, subject, save, later, halved):
    first, second = (make_record(subject, form_oid="F.LB", repeat_key=n) for n in (1, 2))
    judged = {"PLAT.unit": "10*9/L", "significance": "NCS_DISEASE"}
    save(first, {"PLAT": "120"} | judged, complete=True)
    header = {**DRAW, "collected_at": later, "received_at": ""}
    save(second, {"PLAT": "60"} | judged, header=header, complete=True)
    with as_person(cast.nurse):
        assert ("LB.PLATELETS_HALVED" in questions(second)) is halved


def test_another_laboratorys_prothrombin_is_asked_about(cast, subject, save):
    other = make_laboratory(cast.site, "ICU")
    make_range(other, "INR", "0.8", "1.2", "{INR}")
    first, second = (make_record(subject, form_oid="F.LB", repeat_key=n) for n in (1, 2))
    inr = {"INR": "2.1", "INR.unit": "{INR}", "INR.sig": "NCS_DISEASE"}
    save(first, inr, complete=True)
    header = {**DRAW, "laboratory": "ICU", "collected_at": "2026-03-07T08:00", "received_at": ""}
    save(second, inr, header=header, complete=True)
    with as_person(cast.nurse):
        assert questions(second) == {"LB.INR.LABORATORY"}


def test_one_judgement_covers_the_panel_and_only_a_shift_asks_again(cast, subject, save):
    first, second = (make_record(subject, form_oid="F.LB", repeat_key=n) for n in (1, 2))
    units = {"BILI.unit": "umol/L", "CREAT.unit": "umol/L"}
    save(first, {"BILI": "200", "CREAT": "80"} | units)
    with as_person(cast.nurse):
        set_panel_significance(
            record=first, significance="NCS_DISEASE", by=cast.nurse, base_version=1
        )
    texts = {"BILI": "200", "CREAT": "80", "significance": "NCS_DISEASE"} | units
    save(first, texts, complete=True)
    header = {**DRAW, "collected_at": "2026-03-07T08:00", "received_at": ""}
    with pytest.raises(IncompleteError) as refused:
        save(second, texts | {"CREAT": "150"}, header=header, complete=True)
    assert set(refused.value.problems) == {"CREAT"}
    save(second, texts | {"CREAT": "150", "CREAT.sig": "CS"}, header=header, complete=True)


def test_nothing_drawn_is_said_in_one_step_and_corrected_with_a_reason(cast, draw, save):
    with as_person(cast.nurse):
        record = mark_panel_not_done(record=draw, reason="Subject on transfer", by=cast.nurse)
    assert record.status == RecordStatus.NOT_DONE
    with pytest.raises(ReasonRequiredError):
        save(draw, BILI)
    assert save(draw, BILI, reason="Drawn after all").record.status == RecordStatus.IN_PROGRESS


def test_the_rest_of_a_panel_has_one_reason(cast, draw, save):
    texts = {"panel.blood_gas": "true", "PH": "7.4", "PH.unit": "[pH]", "rest.missing": "ND"}
    rows = ("PCO2", "PO2", "BICARB", "BASEEXCS", "CAION")
    save(draw, texts | dict.fromkeys(rows, ""), complete=True)
    with as_person(cast.nurse):
        assert {standing(draw, key).missing for key in rows} == {"ND"}


def test_the_one_reason_says_nothing_of_analytes_that_nobody_asked_for(cast, draw, save):
    texts = {"panel.blood_gas": "true", "PH": "7.4", "PH.unit": "[pH]", "rest.missing": "ND"}
    further = {"HGF": "", "INTLK10": "", "INTLK10.missing": ""}
    rows = ("PCO2", "PO2", "BICARB", "BASEEXCS", "CAION")
    save(draw, texts | dict.fromkeys(rows, "") | further, complete=True)
    with as_person(cast.nurse):
        kept = LabResult.objects.filter(panel_id=draw.pk, voided_at=None)
        assert set(kept.values_list("analyte", flat=True)) == {"PH", *rows}


def test_a_result_is_voided_with_a_reason_and_a_complete_panel_stays_complete(cast, draw, save):
    texts = {
        "panel.il6": "true",
        "INTLK6": "80",
        "INTLK6.unit": "pg/mL",
        "K": "4",
        "K.unit": "meq/L",
    }
    save(draw, texts, complete=True)
    with as_person(cast.nurse):
        void_result(result=standing(draw, "K"), reason="other subject's", by=cast.nurse)
        assert not LabResult.objects.filter(panel_id=draw.pk, analyte="K", voided_at=None).exists()
        with pytest.raises(IncompleteError):
            void_result(result=standing(draw, "INTLK6"), reason="wrong", by=cast.nurse)


def test_a_visits_panels_are_covered_by_its_draws_together(cast, subject, save):
    visit = make_visit(subject, "SE.D7", visit_number=7)
    with as_person(cast.nurse):
        first, second = (
            open_panel(subject=subject, by=cast.nurse, visit_id=visit.pk) for _ in range(2)
        )
        assert (first.repeat_key, second.repeat_key) == (1, 2)
    with pytest.raises(IncompleteError) as refused:
        save(first, {"K": "4", "K.unit": "mmol/L"}, complete=True)
    assert "Chemistry" in refused.value.problems["panels"]


def test_a_corrected_range_changes_nothing_until_somebody_says_so(cast, laboratory, draw, save):
    save(draw, BILI | {"BILI": "1.3", "BILI.sig": ""}, complete=True)
    with as_person(cast.data_manager):
        wrong = laboratory.ranges.get(analyte="BILI")
        correct_range(
            found=wrong, low=Decimal(3), high=Decimal("20.5"), unit="umol/L",
            reason="typed wrongly", by=cast.data_manager,
        )  # fmt: skip
    with as_person(cast.nurse):
        assert standing(draw, "BILI").flag == "normal"
    save(draw, BILI | {"BILI": "1.3", "BILI.sig": ""})
    with as_person(cast.nurse):
        assert standing(draw, "BILI").flag == "normal"
        with pytest.raises(IncompleteError):
            retake_ranges(record=draw, by=cast.nurse, base_version=1, reason="range corrected")
    save(draw, BILI | {"BILI": "1.3", "BILI.sig": "NCS"}, reason="range corrected")
    with as_person(cast.nurse):
        retake_ranges(record=draw, by=cast.nurse, base_version=2, reason="range corrected")
        assert standing(draw, "BILI").flag == "high"
        assert standing(draw, "BILI").range_high == Decimal("20.5")


def test_only_who_enters_data_saves_and_a_locked_panel_stays(cast, draw, save):
    for who in (cast.monitor, cast.data_manager, cast.auditor):
        with pytest.raises(NotPermittedError):
            save(draw, BILI, by=who)
    save(draw, BILI)
    given(lambda: CrfRecord.objects.filter(pk=draw.pk).update(lock_state="locked"))()
    with pytest.raises(TransitionError):
        save(draw, BILI | {"BILI": "1"})
    with (
        as_person(cast.nurse),
        pytest.raises(DatabaseError, match="locked"),
        transaction.atomic(),
    ):
        LabResult.objects.filter(panel_id=draw.pk).update(text="1")


def test_a_foreign_laboratory_is_none(cast, draw, save):
    make_laboratory(cast.other_site, "ELSEWHERE")
    with pytest.raises(ImpossibleError) as refused:
        save(draw, BILI, header=DRAW | {"laboratory": "ELSEWHERE"})
    assert set(refused.value.errors) == {"laboratory"}


def test_a_voided_record_gives_no_facts(cast, subject, draw, save):
    from trialsite.casebook.services import void_record

    save(draw, BILI)
    with as_person(cast.nurse):
        assert len(lab_facts(subject, ["BILI"])) == 1
        assert lab_facts(subject, ["K"]) == []
        void_record(record=draw, reason="another subject's", by=cast.nurse)
        assert lab_facts(subject) == []
        assert LabPanel.objects.filter(pk=draw.pk).exists()
    assert make_subject(cast.site).pk != subject.pk


def test_a_judgement_made_by_one_laboratorys_range_is_none_by_anothers(
    cast, laboratory, draw, save
):
    other = make_laboratory(laboratory.site, "ICU")
    make_range(other, "CREAT", "100", "200", "umol/L")
    make_range(other, "BILI", "3", "23", "umol/L")
    texts = {"CREAT": "99", "CREAT.unit": "umol/L", "CREAT.sig": "NCS", **BILI}
    save(draw, texts)
    save(draw, texts, header=DRAW | {"laboratory": "ICU"})
    with as_person(cast.nurse):
        moved, kept = standing(draw, "CREAT"), standing(draw, "BILI")
    assert (moved.flag, moved.significance) == ("low", "")
    assert (kept.flag, kept.significance) == ("high", "NCS_DISEASE")
