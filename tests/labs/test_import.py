"""Importing a laboratory's file: looked at first, taken whole or not at all, by the site."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from tests.factories import (
    as_person,
    given,
    make_record,
    make_subject,
    make_visit,
    sign_in,
)
from tests.labs.conftest import DRAW
from tests.labs.hospital import MAPPING, Export, export
from tests.labs.importing import AT, HEAD, LONG, Desk, make_person, rows
from trialsite.access.context import system_context
from trialsite.audit.models import Event
from trialsite.casebook import vault
from trialsite.casebook.attachments import sweep
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus, Subject
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.services import ReasonRequiredError
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.labs.importing.keeping import file_of
from trialsite.labs.importing.models import ImportState, LabImport
from trialsite.labs.models import LabPanel, LabResult
from trialsite.labs.services.imports import (
    AlreadyImportedError,
    choose,
    compare_again,
    discard_import,
    prepare_import,
)
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.services.taking import (
    StaleImportError,
    accept_import,
    take_one,
    waiting_imports,
)


@pytest.fixture(autouse=True)
def _looking(cast):
    """What the test itself reads, it reads as the system."""
    with acting(system_context("tests", Channel.COMMAND)):
        yield


@pytest.fixture
def mapped(cast, laboratory):
    """The laboratory, its files read by the short mapping."""
    state(cast, laboratory, LONG)
    return laboratory


def state(cast, laboratory, text):
    with as_person(cast.data_manager):
        return keep_mapping(laboratory=laboratory, text=text, by=cast.data_manager)


def prepare(cast, laboratory, text, by=None) -> LabImport:
    person = by or cast.nurse
    content = text if isinstance(text, bytes) else (HEAD + text).encode()
    with as_person(person):
        return prepare_import(laboratory=laboratory, content=content, filename="a.csv", by=person)


def take(cast, found, reason="", by=None):
    person = by or cast.nurse
    with as_person(person):
        return accept_import(found=found, digest=found.digest, reason=reason, by=person)


def outcomes(found) -> dict[str, int]:
    return dict(found.report["counts"])


def said(found, outcome) -> list[dict[str, Any]]:
    return [each for each in found.report["items"] if each["outcome"] == outcome]


@pytest.fixture
def hospital(cast, laboratory) -> tuple[list[Subject], Export]:
    """A hospital's file: 500 results, 20 blanks, a stranger, a man for a woman, three units."""
    state(cast, laboratory, MAPPING)
    people = [make_subject(cast.site) for _n in range(10)]
    for person in people:
        make_person(person, sex="F" if person is people[9] else "M")
    file = export([person.screening_number for person in people])
    for at, row in enumerate(file.rows):
        if row[3] == "甲胎蛋白":
            row[4] = "" if at % 2 else "未回报"
        if row[3] == "降钙素原" and at < 100:
            row[4] = "<0.2"
        if row[3] == "γ-谷氨酰转肽酶" and at < 100:
            row[5] = "furlong"
    for row in file.rows[450:475]:
        row[0] = "HOSPITAL-77"
    file.rows[11][4:6] = ["1.1", "umol/L"]
    return people, file


@pytest.mark.requirement("IM1")
def test_a_nurse_brings_a_hospitals_gb18030_file_and_takes_what_is_right(
    cast, laboratory, hospital
):
    people, file = hospital
    desk = Desk(cast.nurse).upload(laboratory, file.content(), "检验结果.csv")
    assert desk.status == 200
    assert "检验结果.csv" in desk.html
    assert "GB18030" in desk.html
    counts = desk.counts
    assert counts == {
        "New results": 427,
        "Without a result": 20,
        "Nobody of this site": 24,
        "Perhaps another person": 24,
        "Unit to look at": 1,
        "Unit not understood": 4,
    }
    assert not LabResult.objects.exists(), "looking writes nothing"
    assert "HOSPITAL-77" in desk.said
    assert "There is no subject “HOSPITAL-77” at this site." in desk.said
    # Nothing can be taken while lines wait for a word.
    assert "Take 427" not in desk.said
    assert desk.accept().status == 409
    assert not LabResult.objects.exists()

    found = desk.found
    desk.open(f"/labs/imports/{found.pk}/")
    for outcome in ("unknown_person", "other_person", "unit"):
        desk.choose(leave_all=outcome)
    (slip,) = [each for each in found.report["items"] if each["outcome"] == "slip"]
    assert slip["options"][0] == {"value": "as:mg/dL", "label": "1.1 mg/dL = 97.24 µmol/L"}
    desk.choose(**{f"choice.{slip['key']}": "as:mg/dL"})
    assert "Take 428 results" in desk.said
    desk.accept()
    assert desk.found.state == ImportState.ACCEPTED
    assert "428 results are in the casebook." in desk.said
    assert LabResult.objects.count() == 428
    creatinine = LabResult.objects.get(analyte="CREAT", text="1.1")
    assert (creatinine.unit, creatinine.canonical) == ("mg/dL", Decimal("97.24"))
    low = LabResult.objects.filter(analyte="PCT", text="<0.2")
    assert low.count() == 4
    assert {row.comparator for row in low} == {"<"}
    assert not LabResult.objects.filter(subject=people[9]).exists()
    assert {p.specimen for p in LabPanel.objects.all()} == {"SERUM"}

    again = Desk(cast.nurse).upload(laboratory, file.content(), "again.csv")
    assert "This file was already imported on" in again.said
    assert "Nora Nurse" in again.said
    assert LabResult.objects.count() == 428
    assert LabImport.objects.count() == 1


@pytest.mark.requirement("IM1")
def test_every_change_names_the_import_and_the_hash_of_its_file(cast, mapped, subject):
    found = take(cast, prepare(cast, mapped, rows(subject, "BILI,17.1,umol/L")))
    tables = {LabResult._meta.db_table, LabPanel._meta.db_table, CrfRecord._meta.db_table}
    with as_person(cast.nurse):
        events = [
            each
            for each in Event.objects.filter(table_name__in=tables)
            if each.actor_id == cast.nurse.pk
        ]
    assert {each.table_name for each in events} == tables
    for each in events:
        assert found.sha256 in each.reason
        assert str(found.pk) in each.reason
        assert each.channel == "import"


def test_a_second_file_tells_new_from_same_and_changed_and_a_change_needs_its_reason(
    cast, mapped, subject
):
    take(
        cast, prepare(cast, mapped, rows(subject, "BILI,17.1,umol/L", "INR,1.50,", "K,4.1,mmol/L"))
    )
    found = prepare(
        cast,
        mapped,
        rows(subject, "BILI,171,umol/L", "INR,1.5,", "K,-,mmol/L", "PT,20,s", "K,4.10,mmol/L"),
    )
    assert outcomes(found) == {"changed": 1, "same": 2, "blank": 1, "new": 1}
    (change,) = said(found, "changed")
    assert (change["text"], change["stands"]) == ("171", "17.1 umol/L")
    with pytest.raises(ReasonRequiredError):
        take(cast, found)
    assert LabResult.objects.get(analyte="BILI", voided_at=None).text == "17.1"
    take(cast, found, reason="Corrected by the laboratory")
    stands = {row.analyte: row.text for row in LabResult.objects.filter(voided_at=None)}
    assert stands == {"BILI": "171", "INR": "1.50", "K": "4.1", "PT": "20"}
    assert LabPanel.objects.count() == 1


def test_the_same_amount_in_another_unit_is_no_change(cast, mapped, subject):
    take(cast, prepare(cast, mapped, rows(subject, "BILI,171.04,umol/L")))
    assert outcomes(prepare(cast, mapped, rows(subject, "BILI,10,mg/dL"))) == {"same": 1}


def test_a_change_can_be_left_out_and_then_needs_no_reason(cast, mapped, subject):
    take(cast, prepare(cast, mapped, rows(subject, "K,4.1,mmol/L")))
    found = prepare(cast, mapped, rows(subject, "K,4.4,mmol/L", "PT,20,s"))
    (change,) = said(found, "changed")
    with as_person(cast.nurse):
        found = choose(found=found, choices={change["key"]: "leave"}, by=cast.nurse)
    take(cast, found)
    assert {row.text for row in LabResult.objects.filter(voided_at=None)} == {"4.1", "20"}


def test_a_changed_value_loses_the_comment_and_judgement_of_the_old_one(cast, mapped, draw, save):
    save(draw, {"BILI": "400", "BILI.unit": "umol/L", "BILI.sig": "CS", "BILI.confirm": "right"})
    found = prepare(cast, mapped, rows(draw.subject, "BILI,300,umol/L", at="2026-03-05 07:30"))
    take(cast, found, reason="Corrected by the laboratory")
    row = LabResult.objects.get(analyte="BILI")
    assert (row.text, row.confirmed, row.significance) == ("300", "", "")


LINES = [
    ("{me},2026-03-05 07:30,BILI,abc,umol/L", "result"),
    ("{me},2026-03-05 07:30,BILI,-5,umol/L", "result"),
    ("{me},2026-03-05 07:30,BILI,12345678901234567890123,umol/L", "result"),
    ("{me},2026-03-05 07:30,BILI,17.1,", "unit"),
    ("{me},2026-03-05 07:30,BILI,17.1,furlong", "unit"),
    ("{me},2026-03-05 07:30,AMMONIA,70,ug/dL", "unit"),
    ("{me},2026-03-05 07:30,Nonsense,17.1,umol/L", "test"),
    ("{me},2026-03-05 07:30,尿肌酐,17.1,umol/L", "specimen"),
    ("{me},2026-03-05,BILI,17.1,umol/L", "time"),
    ("{me},2030-03-05 07:30,BILI,17.1,umol/L", "time"),
    ("{me},2019-03-05 07:30,BILI,17.1,umol/L", "time"),
    ("{me},soon,BILI,17.1,umol/L", "time"),
    ("{me},2026-03-05 07:30,BILI,17.1", "row"),
    ("{me},2026-03-05 07:30,BILI,17.1,umol/L,more", "row"),
    ("nobody,2026-03-05 07:30,BILI,17.1,umol/L", "unknown_person"),
    (",2026-03-05 07:30,BILI,17.1,umol/L", "unknown_person"),
    ("{other},2026-03-05 07:30,BILI,17.1,umol/L", "unknown_person"),
    ("{me},2026-03-05 07:30,BILI,溶血,umol/L", "result"),
    ("{me},2026-03-05 07:30,CREAT,1.1,umol/L", "slip"),
    ("{me},2026-03-05 07:30,BILI,未做,umol/L", "blank"),
    ("{me},2026-03-05 07:30,BILI,-,umol/L", "blank"),
    ("{me},2026-03-05 07:30,BILI,,umol/L", "blank"),
    ("{me},2026-03-05 07:30,IL-6,<1.5,pg/mL", "new"),
    ("{me},2026-03-05 07:30,IL-6,未检出,", "new"),
]


@pytest.mark.requirement("IM1")
def test_each_line_that_cannot_be_taken_says_so_with_its_address(cast, mapped, subject):
    other = make_subject(cast.other_site)
    labels = {"me": subject.screening_number, "other": other.screening_number}
    for written, outcome in LINES:
        found = prepare(cast, mapped, written.format(**labels) + "\n")
        assert outcomes(found) == {outcome: 1}, written
        if outcome not in {"new", "blank"}:
            (line,) = said(found, outcome)
            assert line["line"] == 2
            assert line["place"].startswith("2:")
            assert line["message"] or outcome == "slip"


def test_a_subject_of_another_site_answers_exactly_as_an_unknown_one(cast, mapped):
    label = make_subject(cast.other_site).screening_number
    messages = []
    for name in (label, "x" * len(label)):
        found = prepare(cast, mapped, f"{name},{AT},BILI,17.1,umol/L\n")
        messages.append(str(said(found, "unknown_person")).replace(name, "?"))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("sex", "born", "refused"),
    [("F", "", True), ("M", "1980", False), ("M", "1981", True), ("", "1980-05", False)],
)
def test_another_sex_or_birth_year_is_taken_for_another_person(
    cast, laboratory, sex, born, refused
):
    subject = make_subject(cast.site)
    make_person(subject, sex="M", born="1980-05-06")
    mapping = LONG.replace("  unit: unit", "  unit: unit\n  sex: sex\n  born: born")
    state(cast, laboratory, mapping)
    text = f"who,when,test,result,unit,sex,born\n{subject},{AT},K,4.1,mmol/L,{sex},{born}\n"
    assert outcomes(prepare(cast, laboratory, text.encode())) == {
        "other_person" if refused else "new": 1
    }


def test_a_result_that_stands_twice_differently_asks_which(cast, mapped, subject):
    found = prepare(
        cast, mapped, rows(subject, "K,4.1,mmol/L", "K,5.1,mmol/L", "PT,20,s", "PT,20,s")
    )
    assert outcomes(found) == {"twice": 2, "new": 1, "same": 1}
    keys = [each["key"] for each in said(found, "twice")]
    with as_person(cast.nurse):
        both = choose(found=found, choices=dict.fromkeys(keys, "take"), by=cast.nurse)
    with pytest.raises(DomainError, match="another line"):
        take(cast, both)
    with as_person(cast.nurse):
        one = choose(found=found, choices={keys[0]: "leave"}, by=cast.nurse)
    take(cast, one)
    assert LabResult.objects.get(analyte="K").text == "5.1"


def test_a_jump_that_another_unit_explains_is_asked_about_also_within_the_file(
    cast, mapped, subject
):
    text = rows(subject, "CRP,54,mg/L") + rows(subject, "CRP,5.4,mg/L", at="2026-03-06 07:30")
    found = prepare(cast, mapped, text)
    assert outcomes(found) == {"new": 1, "slip": 1}
    (slip,) = said(found, "slip")
    with as_person(cast.nurse):
        found = choose(found=found, choices={slip["key"]: "as:mg/L"}, by=cast.nurse)
    take(cast, found)
    assert LabResult.objects.filter(analyte="CRP").count() == 2


def test_a_draw_goes_to_the_visit_of_its_day_and_fills_its_expected_record(cast, mapped, subject):
    visit = make_visit(subject, window=(dt.date(2026, 3, 4), dt.date(2026, 3, 7)))
    record = make_record(subject, form_oid="F.LB", visit=visit)
    found = prepare(
        cast,
        mapped,
        rows(subject, "K,4.1,mmol/L") + rows(subject, "K,4.0,mmol/L", at="2026-03-20 07:30"),
    )
    assert [bool(each["visit"]) for each in found.report["draws"]] == [True, False]
    take(cast, found)
    record.refresh_from_db()
    assert record.status == RecordStatus.IN_PROGRESS
    assert record.lab_panel.results.count() == 1
    assert LabPanel.objects.exclude(pk=record.pk).get().record.visit is None


@pytest.mark.requirement("IM1")
def test_what_changed_since_the_look_is_looked_at_again(cast, mapped, draw, save):
    save(draw, {"K": "4.0", "K.unit": "mmol/L"})
    found = prepare(cast, mapped, rows(draw.subject, "K,4.4,mmol/L", "PT,20,s"))
    save(draw, {"K": "4.2", "K.unit": "mmol/L"})
    with pytest.raises(StaleImportError):
        take(cast, found, reason="Corrected")
    assert LabResult.objects.get(analyte="K", voided_at=None).text == "4.2"
    with as_person(cast.nurse):
        found = compare_again(found=found, by=cast.nurse)
    assert said(found, "changed")[0]["stands"] == "4.2 mmol/L"
    take(cast, found, reason="Corrected")


@pytest.mark.requirement("IM1")
def test_a_refusal_in_the_last_draw_leaves_nothing_of_the_first(cast, mapped, subject):
    """The death comes between looking and taking, unseen by the digest of the first line."""
    other = make_subject(cast.site)
    text = rows(subject, "K,4.1,mmol/L") + rows(other, "K,4.2,mmol/L", at="2026-03-06 07:30")
    found = prepare(cast, mapped, text)
    lock(other)
    with pytest.raises(DomainError):
        take(cast, found)
    assert not LabResult.objects.exists()
    assert not CrfRecord.objects.exists()
    assert LabImport.objects.get().state == ImportState.PREPARED


@given
def lock(subject: Subject) -> None:
    Subject.objects.filter(pk=subject.pk).update(lock_state=LockState.LOCKED)


def test_nothing_is_proposed_for_a_locked_casebook(cast, mapped, subject):
    lock(subject)
    assert outcomes(prepare(cast, mapped, rows(subject, "K,4.1,mmol/L"))) == {"closed": 1}


def test_a_complete_draw_takes_what_leaves_it_complete_and_sends_the_rest_to_its_page(
    cast, mapped, draw, save
):
    header = {key: text for key, text in DRAW.items() if key != "received_at"}
    save(draw, {"K": "4.0", "K.unit": "mmol/L"}, header=header, complete=True)
    # A bilirubin above its range asks for its significance, which a file cannot say.
    found = prepare(cast, mapped, rows(draw.subject, "BILI,300,umol/L"))
    assert outcomes(found) == {"page": 1}
    assert "significance" in said(found, "page")[0]["message"]
    take(cast, prepare(cast, mapped, rows(draw.subject, "SODIUM,140,mmol/L")))
    draw.refresh_from_db()
    assert draw.status == RecordStatus.COMPLETE
    assert set(LabResult.objects.values_list("analyte", flat=True)) == {"K", "SODIUM"}


@pytest.mark.requirement("DI2")
def test_the_data_manager_prepares_and_the_site_takes(cast, mapped, subject):
    found = prepare(cast, mapped, rows(subject, "K,4.1,mmol/L"), by=cast.data_manager)
    for person in (cast.data_manager, cast.monitor, cast.auditor):
        with pytest.raises(NotPermittedError):
            take(cast, found, by=person)
        with pytest.raises(NotPermittedError), as_person(person):
            choose(found=found, choices={}, by=person)
    with pytest.raises(NotPermittedError), as_person(cast.monitor):
        prepare_import(laboratory=mapped, content=b"x", filename="x", by=cast.monitor)
    with pytest.raises(NotPermittedError), as_person(cast.nurse):
        keep_mapping(laboratory=mapped, text=LONG, by=cast.nurse)
    assert take(cast, found).accepted_by == cast.nurse
    stranger = sign_in(cast.stranger)
    for tail in ("", "lines.csv"):
        assert stranger.get(f"/labs/imports/{found.pk}/{tail}").status_code == 404
    assert stranger.post(f"/labs/imports/{found.pk}/accept/").status_code == 404


def test_a_file_is_known_again_while_it_waits_and_not_when_it_was_put_away(cast, mapped, subject):
    text = rows(subject, "K,4.1,mmol/L")
    found = prepare(cast, mapped, text)
    with pytest.raises(AlreadyImportedError) as known:
        prepare(cast, mapped, text)
    assert known.value.found == found
    with as_person(cast.nurse):
        with pytest.raises(ReasonRequiredError):
            discard_import(found=found, reason=" ", by=cast.nurse)
        discard_import(found=found, reason="Wrong month", by=cast.nurse)
    with pytest.raises(DomainError):
        take(cast, found)
    assert prepare(cast, mapped, text) != found


def test_an_import_that_nobody_took_expires_and_its_file_can_be_prepared_anew(
    cast, mapped, subject
):
    text = rows(subject, "K,4.1,mmol/L")
    found = prepare(cast, mapped, text)
    backdate(found)
    with pytest.raises(DomainError, match="expired"):
        take(cast, found)
    assert prepare(cast, mapped, text) != found
    found.refresh_from_db()
    assert found.state == ImportState.DISCARDED


@given
def backdate(found: LabImport) -> None:
    old = found.prepared_at - dt.timedelta(days=15)
    LabImport.objects.filter(pk=found.pk).update(prepared_at=old)


@pytest.mark.requirement("IM4")
def test_the_file_rests_encrypted_as_it_came_and_goes_when_it_was_put_away(cast, mapped, subject):
    content = (HEAD + rows(subject, "K,4.1,mmol/L")).encode()
    found = prepare(cast, mapped, content)
    stored = vault.fetch(found.stored_as)
    assert stored is not None
    assert content not in stored
    assert file_of(found) == content
    with as_person(cast.nurse):
        sweep(older_than_seconds=-10)
    assert vault.fetch(found.stored_as) is not None
    with as_person(cast.nurse):
        discard_import(found=found, reason="Wrong month", by=cast.nurse)
        sweep(older_than_seconds=-10)
    assert vault.fetch(found.stored_as) is None


@pytest.mark.requirement("IM4")
def test_only_so_many_files_wait_at_a_site(cast, mapped, subject, monkeypatch):
    monkeypatch.setattr("trialsite.labs.services.imports.MOST_WAITING", 1)
    prepare(cast, mapped, rows(subject, "K,4.1,mmol/L"))
    with pytest.raises(DomainError, match="wait already"):
        prepare(cast, mapped, rows(subject, "K,4.2,mmol/L"))


@pytest.mark.requirement("IM4")
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\结果.csv", "结果.csv"),
        ("a\r\nX: y.csv", "aX: y.csv"),
        ("", "file"),
    ],
)
def test_the_name_of_a_file_is_only_shown(cast, mapped, subject, name, kept):
    with as_person(cast.nurse):
        found = prepare_import(
            laboratory=mapped,
            content=(HEAD + rows(subject, "K,4.1,mmol/L")).encode(),
            filename=name,
            by=cast.nurse,
        )
    assert found.filename == kept


@pytest.mark.requirement("EX4")
def test_the_lines_can_be_had_as_csv_and_run_nothing(cast, mapped, subject):
    found = prepare(cast, mapped, rows(subject, "=1+1,4.1,mmol/L", "K,4.1,mmol/L"))
    answer = sign_in(cast.nurse).get(f"/labs/imports/{found.pk}/lines.csv")
    text = answer.content.decode("utf-8-sig")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "'=1+1" in text
    assert len(text.splitlines()) == 3


def test_a_large_import_is_taken_by_the_worker_as_the_person_who_accepted_it(
    cast, mapped, subject, monkeypatch
):
    monkeypatch.setattr("trialsite.labs.services.taking.AT_ONCE", 1)
    found = prepare_large(cast, mapped, rows(subject, "K,4.1,mmol/L", "PT,20,s"))
    with as_person(cast.nurse):
        handed = accept_import(found=found, digest=found.digest, at_once=False, by=cast.nurse)
        assert handed.state == ImportState.ACCEPTING
    assert not LabResult.objects.exists()
    work()
    found.refresh_from_db()
    assert (found.state, found.accepted_by) == (ImportState.ACCEPTED, cast.nurse)
    assert LabResult.objects.count() == 2
    assert work() == 0


def test_what_the_worker_cannot_take_goes_back_to_the_site_with_the_reason(
    cast, mapped, subject, monkeypatch
):
    monkeypatch.setattr("trialsite.labs.services.taking.AT_ONCE", 1)
    found = prepare_large(cast, mapped, rows(subject, "K,4.1,mmol/L", "PT,20,s"))
    with as_person(cast.nurse):
        accept_import(found=found, digest=found.digest, at_once=False, by=cast.nurse)
    lock(subject)
    assert work() == 0
    found.refresh_from_db()
    assert found.state == ImportState.PREPARED
    assert "changed" in found.problem
    assert not LabResult.objects.exists()
    assert found.problem in Desk(cast.nurse).open(f"/labs/imports/{found.pk}/").said


@given
def work() -> int:
    return sum(take_one(key) for key in waiting_imports())


def prepare_large(cast, laboratory, text):
    with as_person(cast.nurse):
        return prepare_import(
            laboratory=laboratory,
            content=(HEAD + text).encode(),
            filename="large.csv",
            most=None,
            by=cast.nurse,
        )


def test_more_than_is_taken_at_once_is_for_the_command(cast, mapped, subject):
    with as_person(cast.nurse), pytest.raises(UnreadableFileError, match="import_labs"):
        prepare_import(
            laboratory=mapped,
            content=(HEAD + rows(subject, "K,4.1,mmol/L", "PT,20,s")).encode(),
            filename="large.csv",
            most=1,
            by=cast.nurse,
        )


def test_a_finished_import_is_not_changed_by_any_road(cast, mapped, subject):
    found = take(cast, prepare(cast, mapped, rows(subject, "K,4.1,mmol/L")))
    with pytest.raises(DatabaseError, match="finished import"), as_person(cast.nurse):
        LabImport.objects.filter(pk=found.pk).update(problem="x")


WIDE = """\
layout: {decimal: comma, delimiter: semicolon, missing: [k.A.]}
columns: {subject: Pat, collected: Datum, collected_time: Zeit}
specimen: SERUM
zone: UTC
results:
  "Bili (umol/l)": {analyte: BILI, unit: umol/L}
  "PT %": {analyte: PTA, unit: "%"}
  "AFP [ng/ml]": {analyte: AFP, unit: ng/mL, zero_is_missing: true}
"""


def test_a_file_with_one_draw_a_row_a_decimal_comma_and_another_clock(cast, laboratory, subject):
    state(cast, laboratory, WIDE)
    text = (
        "Pat;Datum;Zeit;Bili (µmol/l);PT %;AFP [ng/ml]\n".replace("µ", "u")
        + f"{subject};2026-03-04;23:30;17,1;k.A.;0\n"
        + f"{subject};2026-03-05;23:30;<5,0;45;3,2\n"
    )
    found = prepare(cast, laboratory, text.encode("utf-16"))
    assert outcomes(found) == {"new": 4, "blank": 2}
    take(cast, found)
    stands = {
        (row.panel.collected_at, row.analyte): row.text
        for row in LabResult.objects.select_related("panel")
    }
    first, second = (dt.datetime.fromisoformat(f"2026-03-0{n}T07:30") for n in (5, 6))
    assert stands == {
        (first, "BILI"): "17.1",
        (second, "BILI"): "<5.0",
        (second, "PTA"): "45",
        (second, "AFP"): "3.2",
    }


def test_the_mapping_names_one_of_two_analytes_that_laboratories_call_alike(
    cast, laboratory, subject
):
    state(cast, laboratory, LONG + "analytes: {D-D: DDIMER_DDU}\n")
    found = prepare(cast, laboratory, rows(subject, "D-D,0.4,mg/L"))
    assert outcomes(found) == {"new": 1}
    take(cast, found)
    assert LabResult.objects.get().analyte == "DDIMER_DDU"


def test_another_laboratorys_rows_are_refused(cast, laboratory, subject):
    state(cast, laboratory, LONG.replace("  unit: unit", "  unit: unit\n  laboratory: lab"))
    text = "who,when,test,result,unit,lab\n" + "".join(
        f"{subject},{AT},{test},{lab}\n"
        for test, lab in (("K,4.1,mmol/L", "central"), ("PT,20,s", "Elsewhere"))
    )
    assert outcomes(prepare(cast, laboratory, text.encode())) == {"new": 1, "laboratory": 1}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("who,when,test,result", "no column “unit”"),
        ("who,when,test,result,unit,unit", "stands twice"),
        ("who;when;test;result;unit;x", "no result"),
    ],
)
def test_a_file_whose_header_does_not_fit_is_refused_in_words(cast, mapped, header, said):
    with pytest.raises(UnreadableFileError, match=said):
        prepare(cast, mapped, (header + "\n").encode())


NASTY = [
    b"",
    b"\x00" * 100,
    b"<html><table></table></html>",
    b"PK\x03\x04broken",
    b"who,when,test,result,unit\n" + b'"' * 999,
    b"who,when,test,result,unit\n" + b"\xff\xfe\x00",
    "who,when,test,result,unit\n<script>,=1+1,\u202e,💉,𠀀\n".encode(),
    b"who,when,test,result,unit\n" + b"a" * 9_999 + b",,,,\n",
    b"who,when,test,result,unit\r\r\n\n1,2,3,4,5\r",
]


@pytest.mark.requirement("IM1")
@pytest.mark.requirement("IM4")
def test_no_nasty_file_breaks_the_page_or_writes_anything(cast, mapped):
    for content in NASTY:
        desk = Desk(cast.nurse).upload(mapped, content, "x.xls")
        assert desk.status in {200, 422}
        assert "<script>," not in desk.html
    assert not LabResult.objects.exists()
    assert Desk(cast.nurse).post("/labs/imports/").status == 422


def test_the_page_costs_no_more_queries_for_more_lines(cast, mapped):
    few = [make_subject(cast.site) for _n in range(2)]
    many = [make_subject(cast.site) for _n in range(12)]
    files = ["".join(rows(each, "K,4.1,mmol/L") for each in group) for group in (few, many)]
    addresses = [f"/labs/imports/{prepare(cast, mapped, file).pk}/" for file in files]
    client, counted = sign_in(cast.nurse), []
    for address in (addresses[0], *addresses):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        counted.append(len(queries))
    assert counted[1] == counted[2]
