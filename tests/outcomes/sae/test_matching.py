"""SAE reconciliation: what one side lacks is told, field by field."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from outcomes.models import SaeReconciliation, SaeReconciliationLine
from outcomes.sae_matching import Line, ListError, compared, read_list
from tests.factories import given, make_record, make_subject, sign_in
from tests.outcomes.conftest import save_event

HEAD = "Case number,Subject,Term,Onset date,Serious,Outcome\n"


def test_events_are_paired_by_number_then_words_then_start_and_each_once() -> None:
    here = [
        Line(key="a", case="S1-SAE-1", subject="S1", term="Sepsis", onset="2026-03-01"),
        Line(key="b", case="S1-SAE-2", subject="S1", term="Bleeding", onset="2026-03-04"),
        Line(key="c", case="S2-SAE-1", subject="S2", term="Sepsis", onset="2026-03-02"),
    ]
    there = [
        Line(key="1", case="s1-sae-1", subject="S1", term="Septic shock", onset="2026/3/1"),
        Line(key="2", subject="S1", term="Haemorrhage", onset="2026-03-04"),
        Line(key="3", subject="S3", term="Sepsis", onset="2026-03-02"),
    ]
    found = {
        (pair.here.key if pair.here else "", pair.there.key if pair.there else ""): pair.differing
        for pair in compared(here, there)
    }
    assert found == {
        ("a", "1"): ("term",),
        ("b", "2"): ("term",),
        ("c", ""): (),
        ("", "3"): (),
    }


@pytest.mark.parametrize(
    "text",
    [
        "Subject\tEvent\tOnset\nS1\tSepsis, severe\t2026-03-01\n",
        "subject;term;onset\nS1;Sepsis, severe;2026-03-01",
        '受试者编号,不良事件名称,发生日期\r\nS1,"Sepsis, severe",2026年3月1日\r\n',
        '\ufeffSUBJECT_NO,EVENT TERM,START DATE,comment\nS1,"Sepsis, severe",2026/03/01,x\n\n',
    ],
)
def test_a_list_is_read_however_it_was_exported(text: str) -> None:
    [line] = read_list(text)
    assert (line.subject, line.term) == ("S1", "Sepsis, severe")
    ours = Line(subject="S1", term="sepsis, severe", onset="2026-03-01")
    assert compared([ours], [line])[0].differing == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("Term,Onset\nSepsis,2026", "column"),
        ("Subject,Onset\nS1,2026", "column"),
        ("Subject,Term,Event\nS1,a,b", "twice"),
        ("Subject,Term\n,Sepsis", "row"),
        ("Subject,Term\n" + "S1,Sepsis\n" * 5001, "long"),
    ],
)
def test_a_list_that_cannot_be_read_says_why(text: str, code: str) -> None:
    with pytest.raises(ListError) as refused:
        read_list(text)
    assert refused.value.code == code


@given
def lines() -> dict[str, SaeReconciliationLine]:
    return {
        (row.here.get("term") or row.there.get("term")): row
        for row in SaeReconciliationLine.objects.all()
    }


def test_the_page_lists_an_sae_without_its_ae_and_the_reverse_and_keeps_decisions(
    cast, subject, case, officer
):
    mild = make_record(subject, form_oid="F.AE", repeat_key=8)
    save_event(mild, cast.nurse, term="Fever", started_on="2026-03-04")
    client = sign_in(officer)
    text = HEAD + (
        "X-1,001-001,Septic shock,2026-03-05,yes,FATAL\n"
        "X-2,001-001,Cardiac arrest,2026-03-06,yes,\n"
        "X-3,001-001,Fever,2026-03-04,yes,\n"
        "X-4,009-001,Stroke,2026-03-06,yes,\n"
    )
    bleeding = make_record(make_subject(cast.site, number="001-002"), form_oid="F.AE", repeat_key=1)
    save_event(bleeding, cast.nurse, term="Bleeding", serious="true", hospitalisation="true")
    answer = client.post(
        "/safety/reconciliations/new/", {"source": "Argus, 9 March", "text": text}, follow=True
    )
    page, found = answer.content.decode(), lines()
    assert {term: row.found for term, row in found.items()} == {
        "Septic shock": "differs",
        "Cardiac arrest": "only_there",
        "Fever": "not_serious",
        "Stroke": "only_there",
        "Bleeding": "only_here",
    }
    assert found["Septic shock"].differing == ["onset", "outcome"]
    assert found["Stroke"].site_id is None
    assert "No adverse event here" in page
    line = found["Cardiac arrest"]
    client.post(f"/safety/reconciliations/lines/{line.pk}/", {"decision": "Site is asked"})
    kept = lines()["Cardiac arrest"]
    assert (kept.decision, kept.decided_by_id) == ("Site is asked", officer.pk)


def test_a_file_in_the_hospitals_encoding_is_read(cast, case, officer):
    content = "受试者,事件,是否严重\n001-001,感染性休克,是\n".encode("gb18030")
    answer = sign_in(officer).post(
        "/safety/reconciliations/new/",
        {"source": "药物警戒库", "file": SimpleUploadedFile("list.csv", content)},
        follow=True,
    )
    assert "感染性休克" in answer.content.decode()


def test_an_unreadable_list_is_refused_and_nothing_is_kept(cast, officer):
    client = sign_in(officer)
    for text in ("", "Term\nSepsis\n"):
        answer = client.post("/safety/reconciliations/new/", {"source": "A", "text": text})
        assert answer.status_code == 422
    assert given(SaeReconciliation.objects.count)() == 0


def test_reconciling_is_the_safety_officers(cast, officer):
    assert sign_in(cast.investigator).get("/safety/reconciliations/").status_code == 403
    assert sign_in(officer).get("/safety/reconciliations/").status_code == 200
