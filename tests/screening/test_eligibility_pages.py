"""Eligibility through its pages: read by the nurse, answered and signed by an investigator."""

from __future__ import annotations

import html

import pytest

from screening.models import EligibilityEvaluation, ScreeningEntry
from screening.models.forms import Examination
from tests.factories import Cast, as_person, given, sign_in
from tests.screening.deciding import (
    RESULTS,
    complete,
    confirm_all,
    decide,
    draw,
    examination,
    favourable,
    make_candidate,
    record_of,
)
from tests.signing import factors_of
from trialsite.access.models import User
from trialsite.casebook.models import Subject, SubjectStatus

#: The same person as a laboratory prints it that reports in mg/dL: MELD 34.
IN_MG = {**RESULTS, "BILI": "25.3", "CREAT": "2.4"}
MG = {"BILI": "mg/dL", "CREAT": "mg/dL"}
NO_INR = {name: text for name, text in RESULTS.items() if name != "INR"}


def page(user: User, subject: Subject, *, language: str = "en") -> str:
    browser = sign_in(user)
    found = browser.get(address(subject), headers={"accept-language": language})
    assert found.status_code == 200
    return html.unescape(found.content.decode())


def address(subject: Subject, act: str = "") -> str:
    return f"/subjects/{subject.pk}/eligibility/{act}"


def typed(cast: Cast, subject: Subject, **changed: str) -> dict[str, str]:
    """The form as an investigator fills it in favour of the person."""
    answers = favourable(cast, subject) | changed
    return {f"answer-{name}": answer for name, answer in answers.items()}


def entry_of(subject: Subject) -> ScreeningEntry:
    return given(ScreeningEntry.objects.get)(subject=subject)


def status_of(subject: Subject) -> Subject:
    return given(Subject.objects.get)(pk=subject.pk)


def test_the_nurse_reads_every_criterion_with_its_values_and_cannot_answer(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    text = page(cast.nurse, subject)
    assert "Patients with a MELD score > 30" in text
    assert "version UNOS" in text
    assert "1.9" in text
    assert "CENTRAL" in text
    assert 'name="password"' not in text
    assert 'type="radio"' not in text
    refused = sign_in(cast.nurse).post(address(subject, "sign/"), typed(cast, subject))
    assert refused.status_code == 403


def test_mg_per_decilitre_make_a_person_ineligible_and_the_page_says_why(cast):
    subject = make_candidate(cast, results=IN_MG, units=MG)
    confirm_all(cast)
    text = page(cast.nurse, subject)
    assert "Not eligible: EX04 Excluded, 34" in text
    assert "25.3 mg/dL" in text
    assert "432.73" in text  # µmol/L


def test_while_a_result_is_missing_the_page_says_which_and_where_to_enter_it(cast):
    subject = make_candidate(cast, results=NO_INR)
    confirm_all(cast)
    before = page(cast.nurse, subject)
    assert "Not yet known: INR: no result yet." in before
    record = record_of(subject, "F.LB")
    assert f'<a href="/records/{record.pk}/">INR: no result yet.</a>' in before
    draw(cast, subject, {"INR": "1.9"}, hours=-0.5)
    after = page(cast.nurse, subject)
    assert "INR: no result yet." not in after
    assert "Criteria the investigator has yet to judge: 6." in after


def test_an_investigator_signs_with_both_factors_and_the_nurse_enrols(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    browser = sign_in(cast.sub_investigator)
    answered = typed(cast, subject) | factors_of(cast.sub_investigator)
    signed = browser.post(address(subject, "sign/"), answered, follow=True)
    assert signed.status_code == 200
    text = html.unescape(signed.content.decode())
    assert "Signed: Eligible." in text
    assert "Enrol: give the subject number" in text
    enrolled = sign_in(cast.nurse).post(f"/screening/{entry_of(subject).pk}/enrol/")
    assert enrolled.status_code == 302
    after = status_of(subject)
    assert (after.status, after.number) == (SubjectStatus.ENROLLED, "001-001")


def test_without_the_right_factors_nothing_is_signed_and_nothing_typed_is_lost(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    answered = typed(cast, subject) | {
        "note-EX06": "Lives nearby",
        "password": "wrong",
        "code": "1",
    }
    refused = sign_in(cast.investigator).post(address(subject, "sign/"), answered)
    assert refused.status_code == 422
    text = html.unescape(refused.content.decode())
    assert "Incorrect password." in text
    assert 'value="Lives nearby"' in text
    assert text.count(" checked") == 14
    assert not given(EligibilityEvaluation.objects.exists)()


def test_an_answer_against_the_data_is_refused_beside_its_criterion_and_costs_no_code(cast):
    subject = make_candidate(cast, results=IN_MG, units=MG)
    confirm_all(cast)
    factors = factors_of(cast.sub_investigator)
    browser = sign_in(cast.sub_investigator)
    refused = browser.post(address(subject, "sign/"), typed(cast, subject) | factors)
    assert refused.status_code == 422
    text = html.unescape(refused.content.decode())
    assert "The data say: Excluded." in text
    # The same code still signs, since it was never spent.
    right = typed(cast, subject, EX04="met") | factors
    signed = browser.post(address(subject, "sign/"), right, follow=True)
    assert "Signed: Not eligible." in signed.content.decode()
    assert "Close the screening with these criteria" in signed.content.decode()
    entry = browser.get(f"/screening/{entry_of(subject).pk}/").content.decode()
    assert entry.count("checked") == 2  # the outcome, and the one criterion


def test_answers_are_kept_for_the_investigator_who_gave_them(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    browser = sign_in(cast.sub_investigator)
    kept = {"answer-EX06": "not_met", "note-EX06": "No reason against"}
    assert browser.post(address(subject, "answers/"), kept).status_code == 302
    assert 'value="No reason against"' in page(cast.sub_investigator, subject)
    assert "No reason against" not in page(cast.investigator, subject)


def test_after_a_change_the_decision_falls_and_enrolment_says_why(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    decide(cast, subject)
    record = record_of(subject, Examination.form_oid)
    text = examination(subject, grade="III", wrong_in_place="4")
    complete(cast, subject, Examination, text, record=record)
    refused = sign_in(cast.nurse).post(f"/screening/{entry_of(subject).pk}/enrol/")
    assert refused.status_code == 422
    said = html.unescape(refused.content.decode())
    assert "Data changed after the decision was signed" in said
    assert "IN05: now Not met" in said
    assert status_of(subject).number is None
    assert "It does not stand any more" in page(cast.nurse, subject)


def test_a_signed_evaluation_is_shown_as_it_was_signed(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    evaluation = decide(cast, subject, notes={"EX06": "No reason against"})
    draw(cast, subject, {"INR": "5"}, hours=-0.2)
    found = sign_in(cast.monitor).get(f"/eligibility/{evaluation.pk}/")
    assert found.status_code == 200
    text = html.unescape(found.content.decode())
    assert "Eligible: no criterion keeps the person out." in text
    assert "No reason against" in text
    assert "the result is the same" in text
    link = sign_in(cast.nurse).get(f"/records/{evaluation.pk}/")
    assert link.headers["location"] == f"/eligibility/{evaluation.pk}/"


def test_another_site_and_those_who_only_read(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    evaluation = decide(cast, subject)
    stranger = sign_in(cast.stranger)
    assert stranger.get(address(subject)).status_code == 404
    assert stranger.get(f"/eligibility/{evaluation.pk}/").status_code == 404
    monitor = sign_in(cast.monitor)
    assert monitor.get(address(subject)).status_code == 200
    for act in ("sign/", "answers/"):
        assert monitor.post(address(subject, act), {}).status_code == 403


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_speaks_the_protocols_words_in_both_languages(cast, language):
    subject = make_candidate(cast)
    confirm_all(cast)
    with as_person(cast.nurse):
        cast.nurse.language = language
        cast.nurse.save(update_fields=["language"])
    text = page(cast.nurse, subject, language=language)
    words = "MELD评分>30的患者" if language == "zh-hans" else "Patients with a MELD score > 30"
    assert words in text
