"""Safety snapshots: frozen figures for a committee, and its signed decision about them."""

from __future__ import annotations

import datetime as dt
import html
import io
import re

import pypdf
import pytest
from django.db import ProgrammingError, connection, transaction

from tests.factories import as_person, make_protocol, make_subject, make_user, sign_in
from tests.signing import factors_of, proof_of
from trialsite.access.capabilities import Role
from trialsite.conduct.models import Decision, GateReview, SafetySnapshot, Scope
from trialsite.conduct.selectors import enrolment_refusals
from trialsite.conduct.services.committee import record_review
from trialsite.conduct.services.holds import place_hold
from trialsite.conduct.services.snapshots import is_intact, take_snapshot
from trialsite.core.exceptions import DomainError, NotPermittedError


@pytest.fixture
def version(cast):
    return make_protocol(cast.site, cast.other_site)


def taken(cast, version, by=None) -> SafetySnapshot:
    by = by or cast.investigator
    with as_person(by):
        return take_snapshot(version=version, purpose="Board of 3 May", by=by)


def counts(snapshot: SafetySnapshot, language: str = "en") -> dict[str, str]:
    return dict(snapshot.content[language]["counts"])


def test_a_snapshot_keeps_what_was_when_the_study_goes_on(cast, version):
    make_subject(cast.site, number="001-001", status="enrolled")
    with as_person(cast.investigator):
        place_hold(site=cast.site, scope=Scope.BOTH, reason="alarm", by=cast.investigator)
    snapshot = taken(cast, version)
    make_subject(cast.other_site, number="002-001", status="enrolled")
    assert counts(snapshot)["Enrolled"] == "1"
    assert counts(taken(cast, version))["Enrolled"] == "2"
    assert [hold["reason"] for hold in snapshot.content["en"]["holds"]] == ["alarm"]
    assert snapshot.content.keys() == {"en", "zh-hans"}
    rules = {rule["key"]: rule for rule in snapshot.content["en"]["rules"]}
    assert rules["related_sae"]["verdict"] == "Not active. It would not hold."
    assert rules["toxicity"]["inputs"]
    assert is_intact(snapshot)


def test_a_snapshot_never_changes(cast, version):
    snapshot = taken(cast, version)
    with as_person(cast.investigator), pytest.raises(ProgrammingError), transaction.atomic():
        SafetySnapshot.objects.filter(pk=snapshot.pk).update(purpose="another")
    snapshot.content["en"]["counts"] = []
    assert not is_intact(snapshot)
    assert connection.is_usable()


@pytest.mark.parametrize("who", ["nurse", "sub_investigator", "data_manager", "monitor", "auditor"])
def test_only_who_may_hold_the_whole_study_takes_one(cast, version, who):
    with pytest.raises(NotPermittedError):
        taken(cast, version, getattr(cast, who))


def test_the_safety_officer_takes_one_and_the_investigator_records_the_decision(cast, version):
    snapshot = taken(cast, version, make_user(Role.SAFETY_OFFICER))
    client = sign_in(cast.investigator)
    page = client.get(f"/holds/snapshots/{snapshot.pk}/review/").content.decode()
    assert snapshot.sha256 in page
    answer = client.post(
        f"/holds/snapshots/{snapshot.pk}/review/",
        {"decision": "pause", "meeting_on": "2026-03-01", "document": "minutes 4", "gate": "",
         "next_on": "2026-06-01", **factors_of(cast.investigator)},
    )  # fmt: skip
    assert answer.status_code == 302
    with as_person(cast.investigator):
        review = GateReview.objects.get()
        assert (review.gate, review.snapshot, review.next_on) == (
            "", snapshot, dt.date(2026, 6, 1))  # fmt: skip
        refusals = enrolment_refusals(
            site_id=cast.site.pk, version_id=version.pk, enrolled_before=0
        )
    assert refusals == []
    shown = client.get(f"/holds/snapshots/{snapshot.pk}/").content.decode()
    assert "minutes 4" in html.unescape(shown)
    assert re.search(r"next review on\s+2026-06-01|1 June 2026|2026-06-01", shown)


@pytest.mark.parametrize("changes", [{"snapshot": None}, {"next_on": dt.date(2026, 2, 1)},
                                     {"next_after": 9}])  # fmt: skip
def test_an_unsound_review_of_the_study_is_refused(cast, version, changes):
    facts = {"snapshot": taken(cast, version)} | changes
    by = cast.investigator
    with as_person(by), pytest.raises(DomainError):
        record_review(version=version, gate="", decision=Decision.CONTINUE,
                      meeting_on=dt.date(2026, 3, 1), document="minutes", by=by,
                      proof=proof_of(by), **facts)  # fmt: skip


def test_who_sees_one_site_finds_no_snapshot(cast, version, api):
    snapshot = taken(cast, version)
    assert sign_in(cast.stranger).get(f"/holds/snapshots/{snapshot.pk}/").status_code == 404
    assert "Board of 3 May" not in sign_in(cast.stranger).get("/holds/").content.decode()
    assert api("stranger").get("safety-snapshots/").json()["results"] == []
    assert api("stranger").get(f"safety-snapshots/{snapshot.pk}/").status_code == 404


def test_the_api_takes_and_shows_a_snapshot(cast, version, api):
    client = api("investigator")
    made = client.post("safety-snapshots/", {"purpose": "Board"})
    assert made.status_code == 201
    (row,) = client.get("safety-snapshots/").json()["results"]
    assert (row["purpose"], row["intact"]) == ("Board", True)
    assert row["content"]["en"]["counts"]


def printed(client, snapshot: SafetySnapshot, language: str) -> tuple[bytes, str]:
    answer = client.get(f"/holds/snapshots/{snapshot.pk}/pdf/{language}/")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(answer.content)).pages
    return answer.content, " ".join("\n".join(page.extract_text() for page in pages).split())


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Holds that stood"), ("zh-hans", "安全")], ids=["en", "zh"]
)
def test_a_committee_is_handed_the_snapshot_as_it_was_frozen(cast, version, language, words):
    make_subject(cast.site, number="001-001", status="enrolled")
    with as_person(cast.investigator):
        place_hold(site=None, scope=Scope.BOTH, reason="pump alarm", by=cast.investigator)
    snapshot = taken(cast, version)
    client = sign_in(cast.investigator)
    content, text = printed(client, snapshot, language)
    assert snapshot.sha256 in text.replace(" ", "")
    assert "pump alarm" in text
    assert "Board of 3 May" in text
    for name, value in snapshot.content[language]["counts"]:
        # Chinese print sets a thin space beside a figure.
        assert f"{name}{value}".replace(" ", "") in text.replace(" ", "")
    make_subject(cast.other_site, number="002-001", status="enrolled")
    assert printed(client, snapshot, language)[0] == content
    page = client.get(f"/holds/snapshots/{snapshot.pk}/").content.decode()
    assert f"/holds/snapshots/{snapshot.pk}/pdf/{language}/" in page


def test_the_paper_of_a_snapshot_is_for_whoever_sees_every_site(cast, version):
    snapshot = taken(cast, version)
    path = f"/holds/snapshots/{snapshot.pk}/pdf/"
    assert sign_in(cast.stranger).get(f"{path}en/").status_code == 404
    assert sign_in(cast.investigator).get(f"{path}fr/").status_code == 404
