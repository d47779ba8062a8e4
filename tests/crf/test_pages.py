"""The form's page: nothing typed is lost, nobody's save is written over unseen."""

from __future__ import annotations

import re

import pytest

from tests.crf.test_saving import GOOD
from tests.factories import as_person, make_record, make_subject, make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.crf.models import Draft
from trialsite.review.models import Query
from visits.models import VitalSigns


def found(pattern: str, html: str, group: int = 0) -> str:
    """What a pattern finds on a page; it must be there."""
    match = re.search(pattern, html, re.DOTALL)
    assert match is not None, pattern
    return match[group]


class Tab:
    """One browser tab on one form, as its hidden fields and inputs stand."""

    def __init__(self, client, record):
        self.client, self.address = client, f"/records/{record.pk}/"
        self.read(client.get(self.address))

    def read(self, answer):
        self.html = answer.content.decode()
        self.status = answer.status_code
        self.hidden = {
            name: found(rf'name="{name}" value="([^"]*)"', self.html, 1).replace("&quot;", '"')
            for name in ("version", "page", "base")
        }
        return self

    def save(self, **fields):
        action = fields.pop("action", "save")
        fields = {name.replace("__", "."): value for name, value in fields.items()}
        answer = self.client.post(self.address, {**self.hidden, "action": action, **fields})
        if answer.status_code == 302:
            self.status = 302
            return self
        return self.read(answer)

    def draft(self, **fields):
        hidden = {"version": self.hidden["version"], "page": self.hidden["page"], "part": ""}
        return self.client.post(f"{self.address}draft/", {**hidden, **fields})

    @property
    def conflicts(self):
        return re.findall(r'name="(\w+)\.keep" value="mine"', self.html)


@pytest.fixture
def record(cast):
    return make_record(make_subject(cast.site))


@pytest.fixture
def ours(cast, record):
    return Tab(sign_in(cast.nurse), record)


@pytest.fixture
def theirs(cast, record):
    return Tab(sign_in(cast.second_nurse), record)


def stored(cast, record) -> VitalSigns:
    with as_person(cast.nurse):
        return VitalSigns.objects.get(pk=record.pk)


@pytest.mark.fault(
    "two tabs on one form",
    promised="the older one is shown both values; every word typed in it is kept",
)
@pytest.mark.requirement("DI1")
def test_a_typing_error_does_not_hide_that_somebody_saved_meanwhile(cast, record, ours, theirs):
    theirs.save(heart_rate="111")
    assert ours.save(heart_rate="60", systolic="12o").status == 422
    assert ours.save(heart_rate="60", systolic="118").status == 409
    assert ours.conflicts == ["heart_rate"]
    assert stored(cast, record).heart_rate == 111


@pytest.mark.requirement("DI1")
def test_a_unit_a_reason_or_a_comment_conflicts_as_a_value_does(cast, record, ours, theirs):
    theirs.save(
        temperature="100",
        temperature__unit="[degF]",
        weight__missing="UNK",
        heart_rate="250",
        heart_rate__confirm="seen on ECG",
    )
    ours.save(
        temperature="100",
        temperature__unit="Cel",
        weight__missing="ND",
        heart_rate="250",
        heart_rate__confirm="palpated",
    )
    assert ours.status == 409
    assert ours.conflicts == ["heart_rate", "temperature", "weight"]


def test_choosing_the_other_value_takes_it_with_its_unit_and_reason(cast, record, ours, theirs):
    theirs.save(temperature="100", temperature__unit="[degF]", heart_rate__missing="ND")
    ours.save(temperature="37", temperature__unit="Cel", heart_rate="80")
    ours.draft(temperature="37", heart_rate="81")
    ours.save(
        temperature="37",
        temperature__unit="Cel",
        heart_rate="81",
        temperature__keep="theirs",
        heart_rate__keep="theirs",
    )
    row = stored(cast, record)
    assert (str(row.temperature), row.temperature_unit) == ("37.78", "[degF]")
    assert row.missing == {"heart_rate": "ND"}
    assert not row.heart_rate


@pytest.mark.fault(
    "two tabs on one form",
    promised="the older one is shown both values; every word typed in it is kept",
)
def test_a_conflict_keeps_every_word_typed_autosaved_or_not(cast, record, ours, theirs):
    ours.draft(systolic="120")
    theirs.save(heart_rate="90")
    ours.save(systolic="120", comment="LAST WORDS")
    assert ours.status == 409
    assert "LAST WORDS" in ours.html
    assert 'value="90"' in ours.html


def test_what_arrives_after_the_save_is_no_draft_any_more(cast, record, ours, theirs):
    ours.draft(heart_rate="60")
    late = dict(ours.hidden)
    ours.save(heart_rate="60")
    ours.hidden = late
    assert ours.draft(heart_rate="60").status_code == 200
    Tab(theirs.client, record).save(heart_rate="90")
    again = Tab(ours.client, record)
    assert again.conflicts == []
    assert 'value="90"' in again.html


def test_a_new_page_after_the_save_has_its_drafts_again(cast, record, ours):
    ours.save(heart_rate="60")
    again = Tab(ours.client, record)
    again.draft(comment="more")
    assert "more" in Tab(ours.client, record).html


def test_a_voided_record_takes_no_draft(cast, record, ours):
    ours.client.post(f"{ours.address}void/", {"reason": "wrong subject"})
    assert ours.draft(heart_rate="60").status_code == 409


def test_a_comment_confirms_the_value_it_was_written_for(cast, record, ours):
    good = {name: text for name, text in GOOD.items() if name != "heart_rate"}
    ours.save(**good, heart_rate="250", heart_rate__confirm="seen on ECG", action="complete")
    tab = Tab(ours.client, record)
    tab.save(**good, heart_rate="5", heart_rate__confirm="seen on ECG", reason_text="typo")
    assert tab.status == 422
    assert stored(cast, record).heart_rate == 250


@pytest.mark.parametrize(
    ("systolic", "diastolic"),
    [
        pytest.param("80", "75", id="plausible values"),
        pytest.param("30", "15", id="implausible values, confirmed"),
    ],
)
def test_a_comment_silences_no_other_check_of_its_item(cast, record, ours, systolic, diastolic):
    values = GOOD | {"systolic": systolic, "diastolic": diastolic}
    ours.save(**values, systolic__confirm="seen", diastolic__confirm="seen", action="complete")
    assert ours.status == 302
    with as_person(cast.nurse):
        asked = set(Query.objects.values_list("check_oid", flat=True))
    assert "VS.PULSE_PRESSURE" in asked


def test_where_a_comment_is_asked_for_there_is_a_place_for_it(cast, record, ours):
    ours.save(**GOOD, action="complete")
    tab = Tab(ours.client, record)
    tab.save(**(GOOD | {"temperature": "77"}), temperature__unit="[degF]", reason_text="typo")
    row = found(r'id="item-temperature".*?id="item-', tab.html)
    assert tab.status == 422
    assert '<div class="item-confirm">' in row


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"temperature": "1e30"}, id="an exponent"),
        pytest.param({"temperature": "1" * 60}, id="sixty digits"),
        pytest.param({"weight": "9" * 41, "weight.unit": "[lb_av]"}, id="a long weight in pounds"),
        pytest.param({"comment": "a\x00b"}, id="a character that cannot be kept"),
        pytest.param({"heart_rate": "10²"}, id="a raised digit"),
        pytest.param({"heart_rate": "1_2_0"}, id="underscores"),
        pytest.param({"heart_rate": "12 0"}, id="a space inside"),
        pytest.param({"assessed_at": "2026-03-05T06:30:00Z"}, id="a time with an offset"),
        pytest.param({"assessed_at": "2026-03-05"}, id="a day without a time"),
        pytest.param({"assessed_at": "0001-01-01T00:00"}, id="a year nobody lived in"),
    ],
)
def test_what_cannot_be_read_is_answered_beside_its_item(record, ours, fields):
    answer = ours.client.post(ours.address, {**ours.hidden, **fields})
    assert answer.status_code == 422
    assert "item-error" in answer.content.decode()


@pytest.mark.parametrize(
    "posted",
    [{"version": "²"}, {"version": "9" * 30}, {"heart_rate.confirm": "a\x00"}, {"base": "[1"}],
)
def test_no_odd_hidden_field_breaks_the_page(ours, posted):
    answer = ours.client.post(ours.address, {**ours.hidden, "heart_rate": "80", **posted})
    assert answer.status_code in {302, 409, 422}


def test_a_draft_of_an_odd_part_is_refused(ours):
    answer = ours.client.post(f"{ours.address}draft/", {"part": "x" * 200, "comment": "a"})
    assert answer.status_code == 400


@pytest.mark.requirement("AT6")
def test_a_refused_save_leaves_its_event(cast, record):
    Tab(sign_in(cast.monitor), record).client.post(f"/records/{record.pk}/", {"heart_rate": "1"})
    visitor = make_user(Role.RESEARCH_NURSE, cast.other_site)
    with as_person(cast.nurse):
        Membership.objects.create(
            user=visitor, site=cast.site, role=Role.AUDITOR, valid_from="2026-01-01"
        )
    sign_in(visitor).post(f"/records/{record.pk}/void/", {"reason": "x"})
    with as_person(cast.auditor):
        refused = Event.objects.filter(act="refused").values_list("actor_id", flat=True)
        assert set(refused) == {cast.monitor.pk, visitor.pk}
    with as_person(cast.nurse):
        assert not Draft.objects.exists()
