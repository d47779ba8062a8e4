"""What is read is what is signed, and what is sent carries a signature that stands."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from outcomes.models import AdverseEvent, SaeCase, SaeReceipt, SaeReport, Way
from outcomes.services.sae_cases import describe_case
from outcomes.services.sae_deadlines import event_of_case
from outcomes.services.sae_reports import reading_of, sign_report
from tests.factories import as_person, given, sign_in
from tests.outcomes.conftest import save_event, treated
from tests.outcomes.sae.conftest import FRIDAY, first_word, sent, signed
from tests.signing import factors_of, proof_of
from trialsite.core.exceptions import StaleError, TransitionError
from trialsite.review.signatures import sign as sign_thing
from trialsite.review.signatures import void_signature

HOUR = dt.timedelta(hours=1)


def read(case, by) -> str:
    with as_person(by):
        case = SaeCase.objects.get(pk=case.pk)
        return reading_of(case, event_of_case(case), "initial")[1]


def sign(case, by, seen):
    with as_person(by):
        return sign_report(case=case, kind="initial", by=by, proof=proof_of(by), seen=seen)


def narrate(case, by, **said):
    texts = {"reporter": "Dr Wei", "suspected": "circuit", "narrative": "Fever first"} | said
    with as_person(by):
        return describe_case(case=case, by=by, **texts)


def judge(case, by):
    with as_person(by):
        event: AdverseEvent = event_of_case(case)
    record = event.record
    save_event(
        record, by, record.version, serious="true", life_threatening="true",
        aware_at="2026-03-06T23:50", started_on="2026-03-06", started_time="22:30",
        ended_on="2026-03-06", reason="Graded",
    )  # fmt: skip


CHANGES = {
    "narrative": lambda case, cast: narrate(case, cast.nurse, reporter="Dr Wei, ICU"),
    "reporter": lambda case, cast: narrate(case, cast.nurse, reporter="Dr Li", narrative=""),
    "suspicion": lambda case, cast: narrate(
        case, cast.nurse, reporter="Dr Wei, ICU", narrative="", suspected="cells"
    ),
    "event": lambda case, cast: judge(case, cast.nurse),
    "session": lambda case, cast: treated(given(lambda: case.subject)(), cast.nurse),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_since_it_was_read_is_not_signed(cast, case, clock, what):
    clock(FRIDAY + HOUR)
    seen = read(case, cast.sub_investigator)
    CHANGES[what](case, cast)
    with pytest.raises(TransitionError, match="changed since you read it"):
        sign(case, cast.sub_investigator, seen)
    assert sign(case, cast.sub_investigator, read(case, cast.sub_investigator)).number == 0


def test_time_passing_changes_nothing_of_what_was_read(cast, case, clock):
    clock(FRIDAY + HOUR)
    seen = read(case, cast.sub_investigator)
    clock(FRIDAY + 3 * HOUR)
    assert sign(case, cast.sub_investigator, seen).content_hash


def test_the_page_shows_the_whole_report_and_refuses_what_changed_meanwhile(cast, case, clock):
    clock(FRIDAY + HOUR)
    narrate(case, cast.nurse)
    client = sign_in(cast.sub_investigator)
    address = f"/safety/cases/{case.pk}/sign/initial/"
    page = client.get(address)
    for text in ("Fever first", "Dr Wei", "Septic shock", page.context["seen"]):
        assert text in page.content.decode()
    narrate(case, cast.nurse, narrative="Chills first")
    body = {"seen": page.context["seen"], **factors_of(cast.sub_investigator)}
    refused = client.post(address, body)
    assert refused.status_code == 422
    assert "changed since you read it" in refused.content.decode()
    assert "Chills first" in refused.content.decode()
    assert given(SaeReport.objects.count)() == 0


def test_of_two_who_describe_a_case_the_second_is_told_and_nothing_is_lost(cast, case):
    nurse, doctor = sign_in(cast.nurse), sign_in(cast.sub_investigator)
    address = f"/safety/cases/{case.pk}/describe/"
    version = given(SaeCase.objects.get)(pk=case.pk).version
    said = {"version": version, "reporter": "Dr Wei", "suspected": "cells", "narrative": "One"}
    assert nurse.post(address, said).status_code == 302
    refused = doctor.post(address, said | {"narrative": "Other"})
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Other" in page
    assert "One" in page
    assert given(SaeCase.objects.get)(pk=case.pk).narrative == "One"
    moved = refused.context["forms"]["describe"]["version"].value()
    assert doctor.post(address, said | {"version": moved, "narrative": "Both"}).status_code == 302
    assert given(SaeCase.objects.get)(pk=case.pk).narrative == "Both"


def test_a_service_names_the_version_it_has_read(cast, case):
    with as_person(cast.nurse), pytest.raises(StaleError):
        describe_case(
            case=case, reporter="x", suspected="cells", narrative="", by=cast.nurse, seen_version=99
        )


def test_a_report_whose_signature_was_voided_is_not_sent(cast, case, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    assert report.signature is not None
    with as_person(cast.sub_investigator):
        void_signature(signature=report.signature, reason="Wrong case", by=cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    with pytest.raises(TransitionError, match="no longer stands"):
        sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse)
    again = signed(case, cast.sub_investigator, "follow_up")
    clock(FRIDAY + 3 * HOUR)
    assert sent(again, "sponsor", FRIDAY + 2.5 * HOUR, cast.nurse).due_at


def copy_of(report: SaeReport, **fields) -> SaeReport:
    names = [each.attname for each in SaeReport._meta.concrete_fields]
    return SaeReport(
        **{name: getattr(report, name) for name in names} | {"id": uuid.uuid4(), "number": 1,
           "kind": "follow_up"} | fields
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["sae_report", "crf_record"])
def test_the_database_takes_no_signature_of_something_else(cast, case, clock, kind):
    clock(FRIDAY + HOUR)
    report, by, key = signed(case, cast.sub_investigator), cast.sub_investigator, uuid.uuid4()
    with as_person(by):
        # Of the right kind under another report, or under this one and of another kind.
        target = uuid.uuid4() if kind == "sae_report" else key
        made = sign_thing(
            kind=kind, target=target, content="x", meaning="m", by=by, proof=proof_of(by),
            record=report.record,
        )  # fmt: skip
        with pytest.raises(Exception, match="not the signature of this report"):
            copy_of(report, id=key, signature_id=made.pk).save(force_insert=True)


def test_the_database_takes_no_report_signed_in_another_name(cast, case, clock):
    clock(FRIDAY + HOUR)
    report, by, key = signed(case, cast.sub_investigator), cast.sub_investigator, uuid.uuid4()
    with as_person(by):
        made = sign_thing(
            kind="sae_report", target=key, content="x", meaning="m", by=by, proof=proof_of(by),
            record=report.record,
        )  # fmt: skip
        with pytest.raises(Exception, match="not the signature of this report"):
            copy_of(report, id=key, signature_id=made.pk, signed_by_id=cast.nurse.pk).save(
                force_insert=True
            )


@pytest.mark.parametrize("fields", [{"kind": "final"}, {"content_hash": "a" * 64}, {"number": 7}])
def test_the_database_changes_nothing_of_a_report(cast, case, clock, fields):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    with as_person(cast.nurse), pytest.raises(Exception, match="never changed"):
        SaeReport.objects.filter(pk=report.pk).update(**fields)


def test_the_database_keeps_a_receipt_with_the_report_of_its_own_case(cast, subject, case, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    other = first_word(subject, cast.nurse, term="Fall", another=True)
    with as_person(cast.nurse), pytest.raises(Exception, match="of_its_case"):
        SaeReceipt.objects.create(
            case=other,
            site_id=other.site_id,
            subject_id=other.subject_id,
            record_id=other.record_id,
            report=report,
            recipient="sponsor",
            submitted_at=FRIDAY + 2 * HOUR,
            way=Way.FAX,
            submitted_by=cast.nurse,
            entered_at=FRIDAY + 2 * HOUR,
        )
