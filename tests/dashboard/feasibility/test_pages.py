"""The page: a file, its mapping, the answer; a sandbox that leaves nothing behind."""

from __future__ import annotations

import csv
import html
import io
import logging
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.dashboard.feasibility.hospital import as_csv, as_xlsx, mapping, patients, table
from tests.exports.test_reading import BOMBS
from tests.factories import Cast, given, make_protocol, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import Site
from trialsite.audit.models import Event
from trialsite.core.clock import trial_today
from trialsite.dashboard.models import SavedFeasibility

PAGE, MAPPING, RESULT = "/feasibility/", "/feasibility/mapping/", "/feasibility/result/"
ROWS, SURVIVAL, SAVE = "/feasibility/result/rows/", "/feasibility/survival/", "/feasibility/save/"
FILE = as_csv(table(patients(), umol=True))
TIMES = b"time,status\n5,dead\n12,lt\n12,dead\n20,alive\n26,dead\n40,lt\n56,alive\n84,alive\n"
TIMES_MAPPING = """\
survival:
  time: time
  status: status
  codes: {alive: censored, lt: transplanted, dead: dead}
"""


@pytest.fixture
def study(cast: Cast) -> Cast:
    make_protocol(cast.site)
    return cast


@pytest.fixture
def client(study) -> Client:
    return sign_in(study.data_manager)


def upload(client: Client, content: bytes, text: str = "", **fields: Any) -> Any:
    body: dict[str, Any] = {"file": SimpleUploadedFile("list.csv", content)} | fields
    if text:
        body["mapping"] = SimpleUploadedFile("map.yaml", text.encode())
    return client.post(PAGE, body)


def words(answer: Any) -> str:
    """What a page says, without its markup."""
    page = re.sub(r"<(script|style|svg).*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def rows_of(client: Client) -> list[dict[str, str]]:
    content = client.get(ROWS).content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def token_of(client: Client) -> str:
    """By what the cache knows the sandbox of this session."""
    known: dict[str, str] = client.session.get("feasibility", {})
    return known.get("token", "")


def kept(token: str) -> list[bytes]:
    """What the cache holds of a sandbox, as it lies there, none for longer than an hour."""
    store = cache._cache.get_client(None)  # type: ignore[attr-defined]
    keys = list(store.scan_iter(f"*feasibility:{token}:*", count=10_000))
    assert all(0 < store.ttl(key) <= 3600 for key in keys)
    return [store.get(key) for key in keys]


@pytest.mark.parametrize("content", [FILE, as_xlsx(table(patients(), umol=True))])
def test_a_file_with_its_mapping_comes_to_its_answer(client, content):
    answer = upload(client, content, mapping("umol"), as_written="1")
    assert (answer.status_code, answer["Location"]) == (302, RESULT)
    page = client.get(RESULT)
    text = words(page)
    assert "Of 60 people 0 are eligible" in text
    assert "The file tells of nobody: IN02, IN07, IN08, EX01, EX02, EX03, EX05, EX06." in text
    assert "Every assumption of the protocol was taken as written." in text
    assert len(rows_of(client)) == 60


def test_every_count_opens_to_its_rows(client):
    upload(client, FILE, mapping("umol"), as_written="1")
    page = client.get(RESULT).content.decode()
    links = re.findall(r'href="(/feasibility/result/\?[^"#]+)#rows">(?:<b>)?(\d+)<', page)
    assert len(links) > 10
    for href, count in links:
        opened = client.get(html.unescape(href))
        assert opened.context["page"].paginator.count == int(count), href


def test_rows_are_shown_in_pages(client):
    upload(client, FILE, mapping("umol"))
    assert len(client.get(RESULT).context["lines"]) == 50
    assert len(client.get(RESULT + "?page=2").context["lines"]) == 10


def test_the_answer_takes_as_many_statements_for_three_as_for_sixty(client):
    counts = []
    for people in (3, 60):
        upload(client, as_csv(table(patients(people), umol=True)), mapping("umol"))
        client.get(RESULT)
        with CaptureQueriesContext(connection) as queries:
            client.get(RESULT)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_without_a_mapping_one_is_proposed_completed_and_kept_as_a_file(client):
    answer = upload(client, b"id,age,bili,sex\n1,40,12,f\n2,70,13,m\n")
    assert answer["Location"] == MAPPING
    page = client.get(MAPPING)
    text = page.context["text"]
    assert 'unit: "?"' in text
    refused = client.post(MAPPING, {"text": text})
    assert refused.status_code == 422
    assert "results.bili.unit" in words(refused)
    assert refused.context["text"] == text
    whole = text.replace('unit: "?"', "unit: mg/dL")
    assert client.post(MAPPING, {"text": whole, "as_written": "1"})["Location"] == RESULT
    assert [row["against"] for row in rows_of(client)] == ["", "IN01"]
    kept = client.get("/feasibility/mapping/file/")
    assert kept.content.decode() == whole
    assert "attachment" in kept["Content-Disposition"]
    unsaved = client.post(MAPPING, {"text": "columns: {age: b}", "download": "1"})
    assert unsaved.content == b"columns: {age: b}"


def test_what_is_wrong_with_a_file_is_told_and_nothing_typed_is_lost(client):
    rows = table(patients(4), umol=True)
    rows[2][2] = "old"
    refused = upload(client, as_csv(rows), mapping("umol"), set_aside="")
    assert refused.status_code == 422
    assert "3:3" in words(refused)
    assert "“old” is no number." in words(refused)
    assert refused.context["text"] == mapping("umol")
    assert client.get(RESULT)["Location"] == PAGE  # there is no answer
    taken = client.post(MAPPING, {"text": mapping("umol"), "set_aside": "1"})
    assert taken["Location"] == RESULT
    assert "1 row set aside" in words(client.get(RESULT))


@pytest.mark.parametrize("name", ["bomb", "slip", "macro", "entity", "truncated"])
@pytest.mark.parametrize("text", ["", "columns: {age: a}\n"])
def test_of_a_file_that_is_refused_nothing_can_be_shown(client, name, text):
    refused = upload(client, BOMBS[name](), text)
    assert refused.status_code == 422
    assert "workbook" in words(refused)
    assert client.get(RESULT)["Location"] == PAGE


@pytest.mark.parametrize("fields", [{}, {"file": ""}])
def test_no_file_is_told_beside_the_field(client, fields):
    refused = client.post(PAGE, fields)
    assert refused.status_code == 422
    assert "Choose a file." in words(refused)


def test_a_file_larger_than_the_page_takes_is_refused(client, monkeypatch):
    monkeypatch.setattr("trialsite.dashboard.feasibility_views.MOST_BYTES", 100)
    refused = upload(client, FILE, mapping("umol"))
    assert refused.status_code == 422
    assert token_of(client) == ""


def test_a_score_that_nobody_has_is_not_called_settled(client):
    upload(client, b"age\n40\n", "columns: {age: age}\n")
    text = words(client.get(RESULT))
    assert "Computed of nobody: the file lacks an input" in text
    assert "No version and no rounding changes a verdict" not in text


def test_the_names_in_a_file_are_text_on_the_page(client):
    upload(client, b"who,age\n<script>alert(1)</script>,40\n", "columns: {person: who, age: age}\n")
    page = client.get(RESULT).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_survival_is_drawn_with_the_table_of_its_numbers(client):
    assert upload(client, TIMES, TIMES_MAPPING)["Location"] == SURVIVAL
    page = client.get(SURVIVAL)
    text = words(page)
    assert "Overall survival" in text
    assert "Cumulative incidence of transplantation" in text
    assert page.content.decode().count('<svg class="oc-figure"') == 4
    # Free of both at day 28: 7/8 x 5/7 x 3/4, with the first censored at 20.
    content = page.content.decode()
    assert 'data-estimate="46.9 %"' in content
    # The table of states is that of the study's own page: three have died by day 28.
    assert 'data-day="28" data-state="dead" data-count="3"' in content
    assert 'data-day="28" data-state="all" data-count="8"' in content
    assert "there the observation of overall survival ends" in text


def test_a_longer_survival_table_than_can_be_drawn_is_refused(client, monkeypatch):
    monkeypatch.setattr("trialsite.dashboard.feasibility_views.MOST_TIMES", 7)
    refused = upload(client, TIMES, TIMES_MAPPING)
    assert refused.status_code == 422
    assert client.get(SURVIVAL)["Location"] == PAGE


# The sandbox.


def tables() -> dict[str, int]:
    models = [
        model
        for model in apps.get_models()
        if model._meta.managed and model is not Session and model is not Event
    ]
    return {model._meta.label: model._base_manager.count() for model in models}


def test_nothing_of_a_file_becomes_a_row_or_stands_in_a_log_or_the_trail(client, caplog):
    caplog.set_level(logging.DEBUG)
    before = given(tables)()
    upload(client, FILE, mapping("umol"))
    client.get(RESULT)
    client.get(ROWS)
    assert given(tables)() == before
    assert "H001" not in caplog.text
    trail = given(lambda: [str(each) for each in Event.objects.values_list("new", "reason")])()
    assert not any("H001" in each for each in trail)


def test_what_the_cache_holds_cannot_be_read_without_the_session(client):
    upload(client, FILE, mapping("umol"))
    parts = kept(token_of(client))
    assert len(parts) == 4
    for content in parts:
        assert b"gAAAA" in content  # Fernet: version and time, then ciphertext
        assert b"H001" not in content
    given(lambda: Session.objects.get(pk=client.session.session_key).delete())()
    assert client.get(RESULT).status_code == 302


def test_another_session_of_the_same_person_does_not_see_it(client, study):
    upload(client, FILE, mapping("umol"))
    other = sign_in(study.data_manager)
    for address in (RESULT, ROWS, SURVIVAL, MAPPING, "/feasibility/mapping/file/"):
        assert other.get(address)["Location"] == PAGE
    assert client.get(RESULT).status_code == 200


def test_it_is_gone_when_it_is_forgotten_and_when_another_file_comes(client):
    upload(client, FILE, mapping("umol"))
    first = token_of(client)
    upload(client, FILE, mapping("umol"))
    second = token_of(client)
    assert (len(kept(first)), len(kept(second))) == (0, 4)
    client.post("/feasibility/forget/")
    assert kept(second) == []
    assert client.get(RESULT)["Location"] == PAGE


def test_the_counts_can_be_saved_by_name_and_no_row_is_in_them(client, study):
    upload(client, FILE, mapping("umol"), as_written="1")
    site = str(study.site.pk)
    saved = client.post(SAVE, {"name": "Ward  7, 2026", "site": site})
    page = client.get(saved["Location"])
    assert "Ward 7, 2026" in words(page)
    row = given(lambda: SavedFeasibility.objects.get())()
    assert (row.rows, row.counts["judged"], row.site_id) == (60, 60, study.site.pk)
    assert "H001" not in str(row.counts)
    assert sum(row.counts["outcomes"].values()) == 60
    assert "Ward 7, 2026" in words(client.get(PAGE))
    again = client.post(SAVE, {"name": "Ward 7, 2026", "site": site})
    assert again.status_code == 422
    assert "has this name already" in words(again)
    assert given(SavedFeasibility.objects.count)() == 1


RARE = """\
# seen by Dr Chen
layout: {missing: [refused by Mr Wang]}
columns: {age: age, sex: sex, aetiology: cause}
sexes: {boy of bed 7: M, f: F}
aetiologies: {Wilson's after the fire: other, HBV: viral}
results: {INR of yesterday: {analyte: INR, hours_before: 24}}
items: {HE: {item: I.HE.HEGRADE, codes: {coma since Sunday: "IV"}}}
allergies: {heparin: {agent: heparin, codes: {collapsed at home: severe}}}
judgements: {bleeding: {criterion: EX01, codes: {varices on 3 May: met}}}
survival: {time: days, status: end, codes: {jumped: dead, alive: censored}}
"""
HEAD = "age,sex,cause,INR of yesterday,HE,heparin,bleeding,days,end\n"
ONE = "40,boy of bed 7,Wilson's after the fire,1.8,coma since Sunday,collapsed at home,"
ONE += "varices on 3 May,12,jumped\n"
QUOTED = (
    "Chen", "Wang", "bed 7", "fire", "Sunday", "collapsed", "varices", "jumped",
)  # fmt: skip


def test_of_the_mapping_no_text_of_a_cell_is_kept_and_the_page_shows_what_is(client, study):
    upload(client, (HEAD + ONE).encode(), RARE)
    page = client.get(RESULT)
    (shown,) = re.findall(r"<pre[^>]*>(.*?)</pre>", page.content.decode(), flags=re.DOTALL)
    saved = client.post(SAVE, {"name": "Ward 9", "site": str(study.site.pk)})
    row = given(SavedFeasibility.objects.get)()
    assert html.unescape(shown) == row.mapping
    assert row.mapping in html.unescape(client.get(saved["Location"]).content.decode())
    for said in (
        "missing: 1 text", "sexes: 2 texts", "aetiologies: 2 texts", '"HE": I.HE.HEGRADE, 1 text',
        '"INR of yesterday": INR, hours_before 24', '"heparin": heparin, 1 text',
        '"bleeding": EX01, 1 text', 'status: "end", 2 texts', 'age: "age"',
    ):  # fmt: skip
        assert said in row.mapping
    everything = given(lambda: str(SavedFeasibility.objects.values().get()))()
    assert not [each for each in QUOTED if each in everything]
    trail = given(lambda: str(list(Event.objects.values_list("new", "old", "reason"))))()
    assert not [each for each in QUOTED if each in trail]


def test_the_mapping_kept_is_the_one_that_the_answer_was_made_with(client, study):
    upload(client, FILE, mapping("umol"))
    assert client.post(MAPPING, {"text": "columns: {}"}).status_code == 422
    client.post(SAVE, {"name": "Ward 9", "site": str(study.site.pk)})
    assert "HE分级" in given(SavedFeasibility.objects.get)().mapping


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_row_without_a_date_is_judged_for_the_day_at_the_site(client, study, zone):
    """Between these two it is never the same day."""
    given(Site.objects.filter(pk=study.site.pk).update)(time_zone=zone)
    client.post("/site/", {"site": str(study.site.pk)})
    upload(client, b"age\n40\n", "columns: {age: age}\n")
    assert f"judged for {given(trial_today)(zone)}" in words(client.get(RESULT))


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "   "}, {"name": "x" * 121}])
def test_without_a_proper_name_nothing_is_saved(client, study, fields):
    upload(client, FILE, mapping("umol"))
    answer = client.post(SAVE, {"site": str(study.site.pk)} | fields)
    assert answer.status_code == 422
    assert given(SavedFeasibility.objects.count)() == 0


def test_survival_is_saved_as_numbers_by_day(client, study):
    upload(client, TIMES, TIMES_MAPPING)
    saved = client.post(SAVE, {"name": "Times", "site": str(study.site.pk)})
    assert "Transplant-free survival" in words(client.get(saved["Location"]))
    counts = given(lambda: SavedFeasibility.objects.get().counts)()
    assert counts["survival"]["events"]["transplant"] == 2


def test_what_one_site_saved_another_sites_investigator_does_not_see(client, study):
    upload(client, FILE, mapping("umol"))
    address = client.post(SAVE, {"name": "Ours", "site": str(study.site.pk)})["Location"]
    ours = sign_in(make_user(Role.PRINCIPAL_INVESTIGATOR, study.site))
    theirs = sign_in(make_user(Role.PRINCIPAL_INVESTIGATOR, study.other_site))
    assert ours.get(address).status_code == 200
    foreign, unknown = theirs.get(address), theirs.get(address[:-5] + "0000/")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert "Ours" not in words(theirs.get(PAGE))
    upload(theirs, FILE, mapping("umol"))
    theirs.post(SAVE, {"name": "Mine", "site": str(study.site.pk)})
    row = given(lambda: SavedFeasibility.objects.get(name="Mine"))()
    assert row.site_id == study.other_site.pk  # whose only site is their own


@pytest.mark.parametrize(
    "who", ["nurse", "monitor", "auditor", "administrator", "sub_investigator"]
)
def test_who_may_not_try_files_is_refused_and_has_no_such_place(study, who):
    client = sign_in(getattr(study, who))
    for address in (PAGE, MAPPING, RESULT, ROWS, SURVIVAL):
        assert client.get(address).status_code == 403
    assert upload(client, FILE, mapping("umol")).status_code == 403
    assert f'href="{PAGE}"' not in client.get("/").content.decode()


def test_the_pages_speak_chinese(client, study):
    client.cookies["django_language"] = "zh-hans"
    upload(client, FILE, mapping("umol"))
    for address in (PAGE, RESULT, MAPPING):
        assert client.get(address).status_code == 200
    assert "年龄18至65岁" in client.get(RESULT).content.decode()
