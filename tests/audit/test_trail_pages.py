"""The trail on pages and as a file: old and new, who, when, why, in words (trust AT5)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import as_person, make_record, make_subject, make_visit, sign_in
from trialsite.access.capabilities import GRANTS, Capability, Role
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord
from trialsite.core.spreadsheets import restore
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf
from visits.models import VitalSigns

pytestmark = pytest.mark.requirement("AT5")

GOOD = {
    "assessed_at": "2026-03-05T14:30",
    "systolic": "118",
    "diastolic": "70",
    "heart_rate": "80",
    "respiratory_rate": "16",
    "temperature": "98.6",
    "temperature.unit": "[degF]",
    "oxygen_saturation": "98",
    "position": "SUPINE",
}
XSS = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
HOSTILE = (
    "'; DROP TABLE audit_event; --",
    "-1",
    "9" * 30,
    "\x00",
    "٣",
    "F.VS/missing' OR 1=1",
    XSS,
)


def save(record, by, texts, **options):
    entry = read_texts(VitalSigns, texts)
    assert not entry.errors
    with as_person(by):
        version = CrfRecord.objects.values_list("version", flat=True).get(pk=record.pk)
        save_crf(record=record, entry=entry, by=by, base_version=version, **options)


@pytest.fixture
def record(cast):
    found = make_record(make_subject(cast.site))
    save(found, cast.nurse, GOOD, complete=True)
    save(found, cast.second_nurse, GOOD | {"systolic": "121"}, reason="misread the monitor")
    return found


def get(reader, page, /, *args, htmx=False, **query):
    headers = {"HX-Request": "true"} if htmx else {}
    return sign_in(reader).get(reverse(f"crf:{page}", args=args), query, headers=headers)


def text(answer) -> str:
    assert answer.status_code == 200, answer.content[:500]
    return str(answer.content, "utf-8")


def test_the_history_of_a_field_says_old_new_who_when_why_and_how(cast, record):
    shown = text(get(cast.auditor, "item_trail", record.pk, "systolic"))
    with as_person(cast.nurse):
        event = Event.objects.filter(table_name="visits_vitalsigns", operation="U").get()
    assert ">118</del>" in shown
    assert ">121</ins>" in shown
    assert "Nico Nurse" in shown
    assert "Research nurse" in shown
    assert "misread the monitor" in shown
    assert f"{event.at:%Y-%m-%d %H:%M} UTC" in shown
    assert f"{event.at.astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H:%M}</time>" in shown
    assert "Asia/Shanghai" in shown
    assert ">Page<" in shown
    assert "heart_rate" not in shown


def test_the_drawer_gets_the_same_history_as_a_fragment(cast, record):
    fragment = text(get(cast.nurse, "item_trail", record.pk, "systolic", htmx=True))
    page = text(get(cast.nurse, "item_trail", record.pk, "systolic"))
    assert fragment.lstrip().startswith('<article class="drawer-page">')
    assert "<html" not in fragment
    assert "<html" in page
    assert "misread the monitor" in fragment


def test_codes_references_and_units_are_shown_as_labels(cast, record):
    shown = text(get(cast.nurse, "record_trail", record.pk))
    assert "Supine" in shown
    assert "Systolic blood pressure (mm[Hg])" in shown
    assert "Temperature as reported" in shown
    assert "Complete" in shown
    assert "Nora Nurse" in shown
    assert ">SUPINE<" not in shown
    assert "visits_vitalsigns" not in shown


def test_why_a_value_is_missing_is_told_with_its_item(cast, record):
    texts = {k: v for k, v in GOOD.items() if not k.startswith("temperature")}
    save(record, cast.nurse, texts | {"temperature.missing": "ND"}, reason="broken thermometer")
    shown = text(get(cast.nurse, "item_trail", record.pk, "temperature"))
    assert "Temperature: why there is no value" in shown
    assert "Not done" in shown
    assert "98.6" in shown
    other = text(get(cast.nurse, "item_trail", record.pk, "heart_rate"))
    assert "broken thermometer" not in other


def test_the_trail_of_a_subject_holds_its_visits_forms_and_queries(cast):
    subject = make_subject(cast.site)
    record = make_record(subject, visit=make_visit(subject))
    save(record, cast.nurse, GOOD | {"heart_rate": "130"}, complete=True)
    shown = text(get(cast.monitor, "subject_trail", subject.pk))
    for word in ("Subject", "Visit", "Vital signs", "Query"):
        assert word in shown


@pytest.mark.requirement("IA2")
def test_another_sites_nurse_finds_no_trail(cast, record):
    assert get(cast.stranger, "subject_trail", record.subject_id).status_code == 404
    assert get(cast.stranger, "record_trail", record.pk).status_code == 404
    assert get(cast.stranger, "item_trail", record.pk, "systolic").status_code == 404
    assert "misread" not in text(get(cast.stranger, "trail"))
    exported = b"".join(get(cast.stranger, "trail_export").streaming_content).decode()
    assert "misread" not in exported


@pytest.mark.requirement("IA4")
@pytest.mark.parametrize("name", ["trail", "trail_export"])
def test_who_may_not_read_the_trail_does_not(name, cast):
    assert Capability.VIEW_TRAIL not in GRANTS[Role.STUDY_ADMINISTRATOR]
    assert get(cast.administrator, name).status_code == 403


def test_an_unknown_field_or_row_is_not_found(cast, record):
    assert get(cast.nurse, "item_trail", record.pk, "no_such").status_code == 404
    assert get(cast.nurse, "item_trail", record.pk, "systolic", row="x").status_code == 404


def test_what_belongs_to_no_site_is_for_study_wide_readers(cast):
    assert not get(cast.nurse, "trail", what="access_user").context["lines"]
    assert get(cast.data_manager, "trail", what="access_user").context["lines"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"what": "F.VS"}, True),
        ({"what": "F.VS/systolic"}, True),
        ({"what": "F.VS/weight"}, False),
        ({"what": "casebook_visit"}, False),
        ({"act": "U"}, True),
        ({"act": "D"}, False),
        ({"act": "trail_exported"}, False),
        ({"channel": "ui"}, True),
        ({"channel": "import"}, False),
        ({"since": "2026-01-01"}, True),
        ({"since": "2999-01-01"}, False),
        ({"until": "2026-01-01"}, False),
        ({"until": "9999-12-31"}, True),
        ({"subject": "001-"}, True),
        ({"subject": "no such"}, False),
        ({"site": "site"}, True),
        ({"site": "other"}, False),
        ({"person": "second_nurse"}, True),
        ({"person": "nurse"}, False),
    ],
)
def test_filters_narrow(query, found, cast, record):
    query = dict(query)
    if "site" in query:
        query["site"] = str((cast.site if query["site"] == "site" else cast.other_site).pk)
    if "person" in query:
        query["person"] = str(getattr(cast, query["person"]).pk)
    assert ("misread the monitor" in text(get(cast.data_manager, "trail", **query))) == found


@pytest.mark.requirement("IH1")
@pytest.mark.parametrize(
    "name", ["site", "subject", "person", "what", "act", "channel", "since", "until", "before"]
)
def test_no_filter_breaks_the_page(name, cast):
    client = sign_in(cast.nurse)
    for value in HOSTILE:
        shown = text(client.get(reverse("crf:trail"), {name: value}))
        assert "<script>alert" not in shown


def test_pages_follow_by_key_and_lose_nothing(cast):
    subjects = [make_subject(cast.site) for _ in range(60)]
    with as_person(cast.nurse):
        expected = Event.objects.filter(table_name="casebook_subject").count()
    first = get(cast.nurse, "trail", what="casebook_subject")
    lines, older = list(first.context["lines"]), first.context["older"]
    assert len(lines) == 50
    second = get(cast.nurse, "trail", what="casebook_subject", before=older)
    lines += second.context["lines"]
    assert second.context["older"] is None
    assert len({line.event.eid for line in lines}) == expected == len(subjects)


def test_the_number_of_queries_does_not_grow_with_the_page(cast):
    def queries() -> int:
        client = sign_in(cast.data_manager)
        client.get(reverse("crf:trail"))
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("crf:trail"))
        return len(captured)

    save(make_record(make_subject(cast.site)), cast.nurse, GOOD, complete=True)
    few = queries()
    for site, nurse in ((cast.site, cast.nurse), (cast.other_site, cast.stranger)) * 5:
        subject = make_subject(site)
        save(make_record(subject, visit=make_visit(subject)), nurse, GOOD, complete=True)
    assert queries() <= few + 2


@pytest.mark.requirement("IH2")
def test_what_people_write_stays_text(cast, record):
    save(record, cast.nurse, GOOD | {"comment": XSS}, reason=XSS)
    for name, args in (
        ("trail", ()),
        ("subject_trail", (record.subject_id,)),
        ("record_trail", (record.pk,)),
        ("item_trail", (record.pk, "comment")),
    ):
        shown = text(get(cast.nurse, name, *args))
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;alert(1)" in shown


@pytest.mark.requirement("EX3", "EX4")
def test_the_export_is_whole_harmless_and_an_act_of_its_own(cast, record):
    save(record, cast.nurse, GOOD | {"comment": "=HYPERLINK(1)"}, reason="@SUM(A1)")
    answer = get(cast.data_manager, "trail_export", what="F.VS")
    content = b"".join(answer.streaming_content)
    assert answer["Content-Length"] == str(len(content))
    assert answer["X-Content-SHA256"] == hashlib.sha256(content).hexdigest()
    assert "attachment" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert not [cell for row in rows for cell in row.values() if cell[:1] in set("=+-@\t\r")]
    with as_person(cast.data_manager):
        events = {str(e.eid): e for e in Event.objects.filter(record_id=record.pk)
                  if e.table_name in {"visits_vitalsigns", "casebook_crfrecord"}}  # fmt: skip
        note = Event.objects.get(act="trail_exported")
    assert {row["eid"] for row in rows} == set(events)
    assert note.new == {
        "events": len(events),
        "sha256": hashlib.sha256(content).hexdigest(),
        "what": "F.VS",
    }
    for row in rows:
        event = events[row["eid"]]
        assert restore(row["reason"]) == event.reason
        if row["table"] == "visits_vitalsigns" and "." not in row["column"]:
            stored = (event.new or {})[row["column"]]
            assert json.loads(restore(row["new_stored"])) == json.loads(
                json.dumps(stored, default=str)
            )


def test_too_long_an_export_is_refused_and_not_cut(cast, record, monkeypatch):
    monkeypatch.setattr("trialsite.crf.trail_export.MOST", 1)
    answer = get(cast.data_manager, "trail_export")
    assert answer.status_code == 302
    with as_person(cast.data_manager):
        assert not Event.objects.filter(act="trail_exported").exists()
