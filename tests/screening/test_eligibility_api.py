"""Eligibility through the API: the same verdicts, the same refusals, the same signature."""

from __future__ import annotations

import json

import pytest

from tests.api.conftest import ApiClient
from tests.factories import given
from tests.screening.deciding import confirm_all, decide, favourable, make_candidate
from tests.signing import factors_of
from trialsite.casebook.models import Subject


def content(response) -> bytes:
    return b"".join(response.streaming_content)


@pytest.fixture
def subject(cast) -> Subject:
    found = make_candidate(cast)
    confirm_all(cast)
    return found


def test_the_present_data_are_judged_with_value_and_version(cast, subject):
    said = ApiClient(cast.nurse).get(f"eligibility/{subject.pk}/").json()
    assert (said["outcome"], said["decision"]) == ("not_yet_known", None)
    (meld,) = (each for each in said["verdicts"] if each["rule"] == "score_above")
    assert (meld["state"], meld["favourable"]) == ("not_met", True)
    assert meld["parameters"]["version"] == "unos"
    assert meld["parameters"]["displayed"] == {"number": "25"}


def test_an_investigator_signs_and_the_decision_stands(cast, subject):
    client = ApiClient(cast.sub_investigator)
    body = {"subject": str(subject.pk), "answers": favourable(cast, subject)}
    body |= factors_of(cast.sub_investigator)
    made = client.post("eligibility-evaluations/", body)
    assert made.status_code == 201, made.content
    said = made.json()
    assert (said["decision"], said["number"], said["signature_stands"]) == ("eligible", 1, True)
    assert len(said["answers"]) == 14
    now = client.get(f"eligibility/{subject.pk}/").json()["decision"]
    assert (now["evaluation"], now["stands"]) == (said["id"], True)
    listed = client.get("eligibility-evaluations/", subject=subject.pk, decision="eligible")
    assert listed.json()["count"] == 1


def test_what_the_data_refuse_is_said_by_criterion(cast, subject):
    answers = favourable(cast, subject) | {"IN03": "not_met"}
    body = {"subject": str(subject.pk), "answers": answers, "password": "x", "code": "000000"}
    refused = ApiClient(cast.sub_investigator).post("eligibility-evaluations/", body)
    assert refused.status_code == 400
    assert "The data say: Met" in refused.json()["errors"]["IN03"][0]


def test_who_may_not(cast, subject):
    evaluation = decide(cast, subject)
    body = {"subject": str(subject.pk), "answers": {"EX06": "met"}, "password": "x", "code": "0"}
    for user in (cast.nurse, cast.monitor):
        assert ApiClient(user).post("eligibility-evaluations/", body).status_code == 403
        assert ApiClient(user).get(f"eligibility-evaluations/{evaluation.pk}/").status_code == 200
    stranger = ApiClient(cast.stranger)
    assert stranger.get(f"eligibility/{subject.pk}/").status_code == 404
    assert stranger.get(f"eligibility-evaluations/{evaluation.pk}/").status_code == 404
    assert stranger.get("eligibility-evaluations/").json()["count"] == 0
    assert given(Subject.objects.get)(pk=subject.pk).number is None


def test_the_dataset_has_a_row_per_criterion_under_its_sdtm_name(cast, subject):
    decide(cast, subject, {"EX06": "met"}, notes={"EX06": "Lives too far away"})
    manager = ApiClient(cast.data_manager)
    found = manager.get("datasets/ie/", format="ndjson")
    rows = [json.loads(line) for line in content(found).decode().splitlines()]
    codes = [row["IETESTCD"] for row in rows]
    assert codes == [f"INCL{n:02d}" for n in range(1, 9)] + [f"EXCL{n:02d}" for n in range(1, 7)]
    last = rows[-1]
    assert (last["IEORRES"], last["ANSWER"], last["NOTE"]) == ("Y", "met", "Lives too far away")
