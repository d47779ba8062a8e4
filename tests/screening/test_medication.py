"""Concomitant medication: many records of a subject, what is impossible, what is computed."""

from __future__ import annotations

import pytest

from screening.models.forms import Medication
from tests.factories import as_person
from tests.screening.filling import completed
from trialsite.crf.registry import forms, items_by_oid
from trialsite.crf.violations import ImpossibleError

ONGOING = {"ongoing": "true", "ended_on": ""}


def test_it_is_one_form_with_many_records():
    assert forms()["F.CM"].repeating


def test_an_end_before_the_start_is_refused(cast):
    with pytest.raises(ImpossibleError) as refused:
        completed(cast, Medication, started_on="2026-03-05", ended_on="2026-03-04")
    assert refused.value.errors["ended_on"] == ["The end cannot lie before the start."]


def test_what_is_ongoing_has_no_end(cast):
    with pytest.raises(ImpossibleError) as refused:
        completed(cast, Medication, ongoing="true", ended_on="2026-03-05")
    assert set(refused.value.errors) == {"ongoing", "ended_on"}


def test_what_is_not_ongoing_is_asked_for_its_end(cast):
    assert "ended_on" in completed(cast, Medication, ongoing="false", ended_on="").asked
    assert "ended_on" not in completed(cast, Medication, **ONGOING).asked
    unknown = {"ended_on": "", "ended_on.missing": "UNK"}
    assert "ended_on" not in completed(cast, Medication, ongoing="false", **unknown).asked


def test_a_blood_product_is_asked_for_the_numbers_of_its_bags(cast):
    bags = {"category": "PLASMA", "unit_numbers": ""}
    assert "unit_numbers" in completed(cast, Medication, **bags, **ONGOING).asked
    pills = {"category": "ANTIVIRAL", "unit_numbers": ""}
    assert "unit_numbers" not in completed(cast, Medication, **pills, **ONGOING).asked


@pytest.mark.parametrize(
    ("category", "pressor", "interferes"),
    [
        ("VASOPRESSOR", True, False),
        ("GLUCOCORTICOID", False, True),
        ("PLASMA", False, True),
        ("LACTULOSE", False, False),
    ],
)
def test_pressor_and_interference_follow_from_the_category(cast, category, pressor, interferes):
    saved = completed(cast, Medication, category=category, **ONGOING)
    with as_person(cast.nurse):
        row = Medication.objects.get(pk=saved.row.pk)
        assert (row.pressor, row.interferes) == (pressor, interferes)


def test_what_the_protocols_prompt_names_is_a_computed_item():
    table, item = items_by_oid()["I.CM.PRESSOR"]
    assert table is Medication
    assert (item.name, item.derived, item.data_type) == ("pressor", True, "boolean")
