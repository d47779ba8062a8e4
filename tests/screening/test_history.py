"""Medical history, allergies, demographics, pregnancy test: what is special to each."""

from __future__ import annotations

import pytest

from screening.models.forms import (
    Aetiology,
    Allergies,
    Condition,
    Demographics,
    MedicalHistory,
    PregnancyTest,
)
from screening.models.forms.allergies import AGENTS, severity_of
from screening.models.forms.codes import Severity
from tests.api.filling import texts_for
from tests.factories import PROTOCOL, as_person, make_record, make_subject
from tests.screening.filling import completed
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row
from trialsite.crf.violations import ImpossibleError
from trialsite.protocol import load
from trialsite.protocol.rules import SevereAllergy

HBV = {
    "cause": "HBV",
    "hbsag": "POSITIVE",
    "failure_type": "ALF",
    "chronic_liver_disease": "false",
    "cirrhosis": "false",
    "first_symptom_on": "2026-02-20",
    "jaundice_on": "2026-02-21",
}


def asked(cast, table, **texts) -> set[str]:
    return set(completed(cast, table, **texts).asked)


def history(cast, **texts) -> set[str]:
    return asked(cast, MedicalHistory, **HBV | texts)


def test_an_ordinary_history_raises_no_question(cast):
    assert history(cast) == set()


@pytest.mark.parametrize(
    ("texts", "item"),
    [
        ({"hbsag": "NEGATIVE"}, "hbsag"),
        ({"cause": "ALCOHOL", "alcohol_daily": "0"}, "alcohol_daily"),
        ({"cause": "HERBAL", "suspect_drug": ""}, "suspect_drug"),
        ({"cause": "OTHER", "cause_in_words": ""}, "cause_in_words"),
        ({"cause": "AIH", "autoimmune": "false"}, "autoimmune"),
        ({"cirrhosis": "true"}, "chronic_liver_disease"),
        ({"failure_type": "ACLF"}, "failure_type"),
        ({"jaundice_on": "2026-02-19"}, "jaundice_on"),
    ],
)
def test_what_contradicts_itself_is_asked_about(cast, texts, item):
    assert item in history(cast, **texts)


@pytest.mark.parametrize("jaundice", ["2026-02", "2026", "2026-02-20"])
def test_a_date_known_in_part_contradicts_nothing_it_may_agree_with(cast, jaundice):
    assert history(cast, jaundice_on=jaundice) == set()


def test_a_reason_for_a_missing_value_answers_the_question(cast):
    unknown = {"suspect_drug": "", "suspect_drug.missing": "UNK"}
    assert history(cast, cause="DRUG", **unknown) == set()


@pytest.mark.parametrize(("score", "stands"), [("-9", True), ("14", True), ("15", False)])
def test_rucam_keeps_to_its_scale(cast, score, stands):
    if stands:
        completed(cast, MedicalHistory, **HBV | {"rucam": score})
        return
    with pytest.raises(ImpossibleError) as refused:
        completed(cast, MedicalHistory, **HBV | {"rucam": score})
    assert set(refused.value.errors) == {"rucam"}


@pytest.mark.parametrize(
    ("start", "end", "stands"),
    [
        ("2026-03-05", "2026-03-04", False),
        ("2026-03-05", "2026-03-05", True),
        ("2026-03-05", "2026-03", True),
        ("2026-03-05", "2026-02", False),
        ("2026-03", "2026", True),
        ("2026", "2025-12-31", False),
    ],
)
def test_a_condition_never_ends_before_it_began_as_far_as_both_are_known(cast, start, end, stands):
    record = make_record(make_subject(cast.site), form_oid="F.MH")
    texts = texts_for(Condition) | {"started_on": start, "ended_on": end}

    def save():
        with as_person(cast.nurse):
            entry = read_texts(Condition, texts)
            save_row(record=record, group=Condition, entry=entry, by=cast.nurse)

    if stands:
        save()
        return
    with pytest.raises(ImpossibleError) as refused:
        save()
    assert set(refused.value.errors) == {"started_on", "ended_on"}


def test_further_causes_are_rows_of_the_history(cast):
    record = make_record(make_subject(cast.site), form_oid="F.MH")
    with as_person(cast.nurse):
        for cause in ("ALCOHOL", "DRUG"):
            entry = read_texts(Aetiology, {"cause": cause})
            save_row(record=record, group=Aetiology, entry=entry, by=cast.nurse)
        stored = Aetiology.objects.filter(record=record).order_by("number")
        assert [row.cause for row in stored] == ["ALCOHOL", "DRUG"]


CLEAR = dict.fromkeys(AGENTS, "NONE") | {"none_known": "true"}


def test_no_known_allergies_with_an_allergy_is_asked_about(cast):
    assert asked(cast, Allergies, **CLEAR) == set()
    found = asked(cast, Allergies, **CLEAR | {"heparin": "SEVERE", "heparin_reaction": "shock"})
    assert found == {"none_known"}


def test_an_allergy_without_its_reaction_is_asked_about(cast):
    texts = CLEAR | {"none_known": "false", "plasma": "MILD", "plasma_reaction": ""}
    assert asked(cast, Allergies, **texts) == {"plasma_reaction"}


def test_the_form_answers_for_every_agent_the_protocol_names():
    rules = [criterion.rule for criterion in load(PROTOCOL).criteria]
    named = {agent for rule in rules if isinstance(rule, SevereAllergy) for agent in rule.agents}
    assert named
    assert named <= set(AGENTS)


@pytest.mark.parametrize(
    ("texts", "severity"),
    [
        ({"heparin": "SEVERE"}, Severity.SEVERE),
        ({"heparin": "NONE"}, Severity.NONE),
        ({}, None),
        ({"none_known": "true"}, Severity.NONE),
        ({"none_known": "true", "heparin.missing": "UNK"}, None),
        ({"none_known": "true", "heparin": "SEVERE"}, Severity.SEVERE),
    ],
)
def test_the_statement_of_no_allergy_speaks_only_where_nothing_else_is_said(texts, severity):
    entry = read_texts(Allergies, texts)
    assert severity_of(Allergies(**entry.columns()), "heparin") == severity


def test_nobody_answers_for_an_agent_the_form_does_not_ask_about():
    with pytest.raises(LookupError):
        severity_of(Allergies(), "citrate")


@pytest.mark.parametrize(("born", "question"), [("1980-05-06", False), ("1980-05", True)])
def test_a_birth_date_in_part_is_asked_about(cast, born, question):
    assert ("birth_date" in asked(cast, Demographics, birth_date=born)) is question


def test_no_form_asks_for_initials_or_age():
    names = {name for name in vars(Demographics) if not name.startswith("_")}
    assert not names & {"initials", "age", "name"}


def test_a_positive_pregnancy_test_warns_and_is_kept(cast):
    able = {"childbearing": "true", "reason": ""}
    saved = completed(cast, PregnancyTest, **able, result="POSITIVE")
    assert saved.record.status == "complete"
    assert "names no criterion" in saved.asked["result"]


def test_no_test_of_somebody_able_to_bear_children_is_asked_about(cast):
    able = {"childbearing": "true", "reason": "", "result": "", "tested_on": ""}
    assert asked(cast, PregnancyTest, **able) == {"result"}
    not_able = {"childbearing": "false", "reason": "MALE", "result": "", "tested_on": ""}
    assert asked(cast, PregnancyTest, **not_able) == set()
