"""Coding: what waits, what was given, the same words again, lists of the coding program."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from outcomes.models import AdverseEvent
from tests.factories import as_person, make_record, make_subject, sign_in
from tests.outcomes.conftest import save_event
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.casebook.services import void_record
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.crf.coding.importing import CodingListError, import_codes, read_codes
from trialsite.crf.coding.services import Code, code_term
from trialsite.crf.coding.terms import coded_items, said_terms, terms_of, words_of
from trialsite.crf.items import items_of
from trialsite.crf.models import Coding

HYPOTENSION = Code(
    version="27.0",
    code="10021097",
    term="Hypotension",
    levels={"PT": {"code": "10021097", "term": "Hypotension"}, "SOC": {"term": "Vascular"}},
)
LIST = "/coding/?state=open"


def event(cast, subject, number=1, **texts) -> CrfRecord:
    record = make_record(subject, form_oid="F.AE", repeat_key=number)
    save_event(record, cast.nurse, **texts)
    return record


def waiting(by, state="open"):
    with as_person(by):
        return said_terms(terms_of(by, state=state), by)


def code(term, by, given_code=HYPOTENSION) -> Coding:
    with as_person(by):
        return code_term(term=term, code=given_code, by=by)


@pytest.fixture
def subject(cast):
    return make_subject(cast.site)


def address(term) -> str:
    return f"/coding/{term.item_oid}/{term.row_id}/"


def test_what_sites_write_in_words_is_coded():
    assert set(coded_items()) == {
        "I.AE.TERM", "I.DTH.PRCDTHSP", "I.CM.CMTRT", "I.MH.AETIOSP", "I.MH.SUSDRUG",
        "I.MHAETIO.SP",
    }  # fmt: skip


def test_a_term_waits_once_its_form_is_complete_until_it_is_coded(cast, subject):
    save_event(make_record(subject, form_oid="F.AE"), cast.nurse, complete="no")
    assert waiting(cast.data_manager) == []
    event(cast, subject, 2, term="Low blood pressure")
    [term] = waiting(cast.data_manager)
    assert (term.verbatim, term.state, term.item.dictionary) == (
        "Low blood pressure", "uncoded", "MedDRA",
    )  # fmt: skip
    given_code = code(term, cast.data_manager)
    assert (given_code.code, given_code.levels["PT"]["term"]) == ("10021097", "Hypotension")
    assert waiting(cast.data_manager) == []
    assert [each.standing for each in waiting(cast.data_manager, "coded")] == [given_code]


def test_changed_words_ask_for_a_code_again_and_no_code_is_lost(cast, subject):
    record = event(cast, subject, term="Low pressure")
    first = code(waiting(cast.data_manager)[0], cast.data_manager)
    save_event(record, cast.nurse, 1, term="Septic shock", reason="source")
    [term] = waiting(cast.data_manager, "changed")
    assert (term.standing, term.verbatim, term.suggestion) == (first, "Septic shock", None)
    second = code(term, cast.data_manager, Code(version="27.0", code="10040070", term="Shock"))
    assert waiting(cast.data_manager) == []
    with as_person(cast.data_manager):
        kept = list(Coding.objects.filter(record=record).order_by("coded_at"))
    assert [each.pk for each in kept] == [first.pk, second.pk]
    assert kept[0].superseded_at == kept[1].coded_at


def test_the_same_code_again_changes_nothing(cast, subject):
    event(cast, subject)
    [term] = waiting(cast.data_manager)
    assert code(term, cast.data_manager).pk == code(term, cast.data_manager).pk


def test_a_code_breaks_no_form(cast, subject):
    record = event(cast, subject)
    with as_person(cast.data_manager):
        before = CrfRecord.objects.values("version", "content_hash").get(pk=record.pk)
    code(waiting(cast.data_manager)[0], cast.data_manager)
    with as_person(cast.data_manager):
        assert CrfRecord.objects.values("version", "content_hash").get(pk=record.pk) == before


def test_a_code_is_refused_for_words_that_have_gone(cast, subject):
    record = event(cast, subject, term="Low pressure")
    [term] = waiting(cast.data_manager)
    save_event(record, cast.nurse, 1, term="Septic shock", reason="source")
    with pytest.raises(StaleError):
        code(term, cast.data_manager)


@pytest.mark.parametrize("closed", ["voided", "locked", "open again"])
def test_closed_records_are_not_coded(cast, subject, closed):
    record = event(cast, subject)
    [term] = waiting(cast.data_manager)
    if closed == "voided":
        with as_person(cast.nurse):
            void_record(record=record, reason="wrong subject", by=cast.nurse)
        assert waiting(cast.data_manager) == []
    else:
        state = {"locked": {"lock_state": LockState.LOCKED}}.get(
            closed, {"status": RecordStatus.IN_PROGRESS}
        )
        with as_person(cast.data_manager, reason="locked for the snapshot"):
            CrfRecord.objects.filter(pk=record.pk).update(**state)
    with pytest.raises(TransitionError):
        code(term, cast.data_manager)


@pytest.mark.parametrize("person", ["nurse", "monitor", "investigator"])
def test_only_the_coder_codes(cast, subject, person):
    event(cast, subject)
    [term] = waiting(cast.data_manager)
    with pytest.raises(NotPermittedError):
        code(term, getattr(cast, person))
    client = sign_in(getattr(cast, person))
    assert client.get(LIST).status_code == 403
    assert client.post(address(term), {}).status_code == 403


def test_nobody_changes_a_code_in_place(cast, subject):
    event(cast, subject)
    made = code(waiting(cast.data_manager)[0], cast.data_manager)
    for change in ({"code": "1"}, {"verbatim": "x"}, {"superseded_at": None, "term": "y"}):
        with (
            as_person(cast.data_manager),
            pytest.raises(DatabaseError, match="superseded"),
            transaction.atomic(),
        ):
            Coding.objects.filter(pk=made.pk).update(**change)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Low  Blood pressure", " low blood PRESSURE ", True),
        ("ＡＬＴ 升高", "ALT 升高", True),
        ("Low pressure", "Low pressures", False),
    ],
)
def test_the_same_words_are_known_whatever_their_case_and_width(one, other, same):
    assert (words_of(one) == words_of(other)) is same


def test_the_code_of_the_same_words_is_offered_and_taken_with_one_click(cast, subject):
    event(cast, subject, 1, term="Low pressure")
    made = code(waiting(cast.data_manager)[0], cast.data_manager)
    event(cast, subject, 2, term="LOW  pressure")
    [term] = waiting(cast.data_manager)
    assert term.suggestion == made
    client = sign_in(cast.data_manager)
    shown = client.get(LIST).content.decode()
    assert "Use “Hypotension” (27.0)" in shown
    other = client.post(f"{address(term)}same/", {"coding": term.row_id})
    assert other.status_code == 302
    assert len(waiting(cast.data_manager)) == 1
    client.post(f"{address(term)}same/", {"coding": made.pk})
    assert waiting(cast.data_manager) == []


def test_the_coders_page_gives_a_code_and_loses_nothing_that_is_refused(cast, subject):
    event(cast, subject, term="Low pressure")
    [term] = waiting(cast.data_manager)
    client = sign_in(cast.data_manager)
    fields = {"verbatim": "Low pressure", "version": "27.0", "code": "", "term": "Hypotension",
              "PT_term": "Hypotension"}  # fmt: skip
    refused = client.post(address(term), fields)
    assert refused.status_code == 422
    assert 'value="Hypotension"' in refused.content.decode()
    assert client.post(address(term), fields | {"code": "10021097"}).status_code == 302
    page = client.get(address(term)).content.decode()
    assert "10021097" in page
    assert "Stands" in page


def test_the_worklist_costs_the_same_for_any_number_of_terms(cast, subject):
    client, counts = sign_in(cast.data_manager), []
    for number in range(1, 5):
        event(cast, subject, number, term=f"Term {number}")
        with CaptureQueriesContext(connection) as seen:
            assert client.get(LIST).status_code == 200
        counts.append(len(seen))
    assert counts[1] == counts[3]


def test_a_coder_of_another_site_finds_no_terms(cast):
    event(cast, make_subject(cast.site))
    assert waiting(cast.stranger) == []


HEAD = "verbatim,version,code,term,pt,pt_code,soc\n"


def test_a_list_codes_every_term_with_its_words(cast, subject):
    event(cast, subject, 1, term="Low pressure")
    event(cast, subject, 2, term="low PRESSURE")
    event(cast, subject, 3, term="Fever")
    text = (
        HEAD + "Low pressure,27.0,10021097,Hypotension,Hypotension,10021097,Vascular\nNever,1,2,x"
    )
    with as_person(cast.data_manager):
        taken = import_codes(text=text, by=cast.data_manager)
    assert (taken.coded, taken.idle) == (2, 1)
    assert [term.verbatim for term in waiting(cast.data_manager)] == ["Fever"]
    [one, _other] = waiting(cast.data_manager, "coded")
    assert one.standing.above == [
        ("PT", "10021097", "Hypotension"), ("SOC", "", "Vascular"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", {1}),
        ("verbatim,code\nx,1", {1}),
        (HEAD + "Low pressure,27.0,,Hypotension", {2}),
        (HEAD + "Fever,27.0,1,Pyrexia\n\nfever,27.0,2,Fever", {4}),
        (HEAD + 'Fever,27.0,1,"Pyrexia', {0}),
        (HEAD + f"Fever,27.0,{'1' * 41},Pyrexia", {2}),
        ("dictionary,verbatim,version,code,term\nSNOMED,Fever,1,2,x", {2}),
        (HEAD + "Fever,27.0,1,Pyrexia\x00", {0}),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused_line_by_line(text, lines):
    with pytest.raises(CodingListError) as refused:
        read_codes(text)
    assert set(refused.value.problems) == lines


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_list_is_read_with_the_separators_programs_use(sign):
    text = "﻿" + sign.join(["Verbatim", "VERSION", "code", "term"]) + "\r\n"
    found = read_codes(text + sign.join(["发热", "27.0", "10037660", "Pyrexia"]))
    assert {key: each.code for key, each in found.items()} == {("MedDRA", "发热"): "10037660"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_of_the_coding_program_is_taken_on_the_page(cast, subject, encoding):
    event(cast, subject, term="低血压")
    text = HEAD + "低血压,27.0,10021097,低血压,,,"
    client = sign_in(cast.data_manager)
    wrong = client.post("/coding/list/", {"text": text.replace("10021097", "")})
    assert wrong.status_code == 422
    assert "Empty: code." in wrong.content.decode()
    assert "低血压" in wrong.content.decode()
    file = SimpleUploadedFile("codes.csv", text.encode(encoding))
    assert client.post("/coding/list/", {"file": file}).status_code == 302
    assert waiting(cast.data_manager) == []


def test_a_client_codes_and_reads_codes(cast, api, subject):
    record = event(cast, subject, term="Low pressure")
    manager = api("data_manager")
    [term] = manager.get("coding/terms/").json()["results"]
    assert (term["verbatim"], term["coding_state"], term["code"]) == (
        "Low pressure", "uncoded", None,
    )  # fmt: skip
    path = f"coding/terms/{term['item']}/{term['row']}/"
    body = {"verbatim": "Low pressure", "version": "27.0", "code": "1", "term": "Hypotension"}
    assert manager.post(path, body | {"verbatim": "Low"}).status_code == 400
    assert manager.post(path, body).status_code == 200
    assert manager.get("coding/terms/?state=coded").json()["count"] == 1
    assert manager.get("coding/terms/?state=no").status_code == 400
    text = HEAD + "Low pressure,27.1,2,Hypotension"
    assert manager.post("coding/list/", {"text": text}).json() == {"coded": 0, "idle": 1}
    assert manager.post("coding/list/", {"text": "x"}).status_code == 400
    [given_code] = api("nurse").get(f"codings/?record={record.pk}").json()["results"]
    assert (given_code["code"], given_code["superseded_at"]) == ("1", None)


def test_the_events_own_word_is_the_one_that_was_coded():
    assert items_of(AdverseEvent)["term"].dictionary == "MedDRA"
