"""West Haven grade, its anchors, Glasgow coma scale."""

from __future__ import annotations

import pytest

from screening.models.forms import Examination
from tests.api.filling import texts_for
from tests.factories import as_person
from tests.screening.filling import completed
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf
from trialsite.crf.violations import ImpossibleError

CALM = {
    "grade": "0",
    "wrong_in_time": "0",
    "wrong_in_place": "0",
    "asterixis": "false",
    "gcs_eye": "4",
    "gcs_verbal": "5",
    "gcs_motor": "6",
    "sedatives": "false",
    "bleeding": "false",
}


def asked(cast, **texts) -> set[str]:
    return set(completed(cast, Examination, **CALM | texts).asked)


def test_a_clear_person_raises_no_question(cast):
    assert asked(cast) == set()


@pytest.mark.parametrize(
    ("wrong", "grade", "question"),
    [
        ("2", "I", False),
        ("3", "I", True),
        ("3", "II", False),
        ("5", "0", True),
        ("5", "II", False),
    ],
)
def test_three_wrong_answers_of_time_ask_for_grade_two_at_least(cast, wrong, grade, question):
    found = asked(cast, wrong_in_time=wrong, grade=grade)
    assert ("grade" in found) is question


@pytest.mark.parametrize(
    ("wrong", "grade", "question"),
    [("2", "II", False), ("3", "II", True), ("3", "III", False), ("4", "IV", False)],
)
def test_three_wrong_answers_of_place_ask_for_grade_three(cast, wrong, grade, question):
    texts = {"gcs_eye": "2", "gcs_verbal": "2", "gcs_motor": "4"} if grade != "II" else {}
    found = asked(
        cast, wrong_in_time="5", wrong_in_place=wrong, grade=grade, asterixis="true", **texts
    )
    assert ("grade" in found) is question


def test_grade_two_of_an_oriented_person_without_asterixis_is_asked_about(cast):
    assert "grade" in asked(cast, grade="II")
    assert "grade" not in asked(cast, grade="II", asterixis="true")
    assert "grade" not in asked(cast, grade="II", wrong_in_time="1")


def test_a_full_coma_scale_beside_a_stupor_is_asked_about(cast):
    stupor = {"grade": "III", "wrong_in_time": "5", "wrong_in_place": "5"}
    assert "grade" in asked(cast, **stupor)
    assert "grade" not in asked(cast, **stupor, gcs_verbal="3", gcs_eye="3")


def test_coma_above_eight_points_is_asked_about(cast):
    coma = {"grade": "IV", "wrong_in_time": "5", "wrong_in_place": "5", "gcs_verbal": "1"}
    assert "grade" in asked(cast, **coma, gcs_eye="2", gcs_motor="6")
    assert "grade" not in asked(cast, **coma, gcs_eye="1", gcs_motor="6")


def test_in_a_coma_nothing_is_asked_about_answers_nobody_could_give(cast):
    coma = {"wrong_in_time": "", "wrong_in_place": "", "asterixis": ""}
    reasons = {f"{name}.missing": "ND" for name in coma}
    low = {"gcs_eye": "1", "gcs_verbal": "1", "gcs_motor": "2"}
    assert asked(cast, grade="IV", **coma, **reasons, **low) <= {"gcs_total"}


@pytest.mark.parametrize(("verbal", "total"), [("5", 15), ("1", 11), ("T", None)])
def test_the_total_is_computed_and_with_a_tube_there_is_none(cast, verbal, total):
    saved = completed(cast, Examination, **CALM | {"gcs_verbal": verbal})
    with as_person(cast.nurse):
        assert Examination.objects.get(pk=saved.row.pk).gcs_total == total


def test_the_total_follows_a_correction(cast):
    saved = completed(cast, Examination, **CALM)
    texts = texts_for(Examination) | CALM | {"gcs_motor": "5"}
    with as_person(cast.nurse):
        again = save_crf(
            record=saved.record,
            entry=read_texts(Examination, texts),
            by=cast.nurse,
            base_version=1,
            reason="misread",
        )
        assert again.row.gcs_total == 14  # type: ignore[attr-defined]


def test_six_wrong_answers_of_five_are_refused_beside_the_item(cast):
    with pytest.raises(ImpossibleError) as refused:
        completed(cast, Examination, **CALM | {"wrong_in_time": "6"})
    assert refused.value.errors == {"wrong_in_time": ["There are five questions: 0 to 5."]}


def test_a_significant_finding_wants_words(cast):
    assert "findings" in asked(cast, pe_heart="ABNORMAL CS", findings="")
    assert "findings" not in asked(cast, pe_heart="ABNORMAL CS", findings="murmur")
    assert "findings" not in asked(cast, pe_heart="ABNORMAL NCS", findings="")
