"""Items the database computes: shown, exported, asked about; never typed."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.urls import reverse

from tests.api.conftest import fill
from tests.api.filling import texts_for
from tests.factories import as_person, make_record, make_subject
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import form
from trialsite.crf.services import save_crf
from visits.models import VitalSigns


def vital_signs(cast, **texts):
    record = make_record(make_subject(cast.site))
    entry = read_texts(VitalSigns, texts_for(VitalSigns) | texts)
    with as_person(cast.nurse):
        saved = save_crf(record=record, entry=entry, by=cast.nurse, base_version=0, complete=True)
        return saved, VitalSigns.objects.get(pk=record.pk)


@pytest.mark.parametrize(
    ("systolic", "diastolic", "mean"),
    [("118", "70", "86.0"), ("110", "70", "83.3"), ("0", "0", "0.0"), ("280", "180", "213.3")],
)
def test_mean_arterial_pressure_is_a_third_of_systolic_and_twice_diastolic(
    cast, systolic, diastolic, mean
):
    extremes = {"systolic.confirm": "read twice", "diastolic.confirm": "read twice"}
    _saved, row = vital_signs(cast, systolic=systolic, diastolic=diastolic, **extremes)
    assert row.mean_arterial == Decimal(mean)


def test_without_one_pressure_there_is_no_mean(cast):
    _saved, row = vital_signs(cast, **{"diastolic": "", "diastolic.missing": "ND"})
    assert row.mean_arterial is None


@pytest.mark.parametrize(("diastolic", "asked"), [("51", False), ("45", True)])
def test_a_low_mean_is_asked_about_by_the_protocols_range(cast, diastolic, asked):
    saved, row = vital_signs(cast, systolic="95", diastolic=diastolic)
    assert (row.mean_arterial < 65) is asked
    assert ("mean_arterial" in saved.asked) is asked


def test_the_page_shows_it_and_offers_no_field_for_it(cast, nurse_client):
    saved, _row = vital_signs(cast)
    page = nurse_client.get(reverse("crf:record", args=[saved.record.pk])).content.decode()
    assert '<output class="item-derived num" id="mean_arterial"' in page
    assert ">86<" in page.split('id="mean_arterial"')[1][:200]
    assert 'name="mean_arterial"' not in page


def test_a_client_reads_it_and_cannot_write_it(cast, api):
    record = fill(form("F.VS"), cast.site, cast.nurse)
    client = api("nurse")
    read = client.get(f"crf/vs/{record.pk}/").json()
    assert read["derived"] == {"mean_arterial": "86.0"}
    assert "mean_arterial" not in read["values"]
    values = read["values"] | {"mean_arterial": "120"}
    answer = client.put(f"crf/vs/{record.pk}/", {"values": values}, version=1)
    assert answer.status_code == 400
    assert "mean_arterial" in answer.json()["errors"]


def test_it_is_exported_beside_what_it_is_computed_from(cast, api):
    fill(form("F.VS"), cast.site, cast.nurse)
    answer = api("data_manager").get("datasets/vs/", format="csv")
    text = b"".join(answer.streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["mean_arterial"] == "86.0"
    assert "mean_arterial_missing" not in row
