from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.protocol import Interval, Protocol


@pytest.mark.requirement("DI4")
@pytest.mark.parametrize(
    ("analyte", "unit", "reported", "canonical"),
    [
        pytest.param("BILI", "mg/dL", "10.0", "171.0400", id="bilirubin of ten"),
        pytest.param("BILI", "umol/L", "171", "171", id="the canonical unit"),
        pytest.param("CREAT", "mg/dL", "4.0", "353.60", id="creatinine, KDIGO's own pair"),
        pytest.param("AMMONIA", "ug/dL{NH3}", "120", "70.4640", id="ammonia as NH3"),
        pytest.param("AMMONIA", "ug/dL{N}", "120", "85.680", id="ammonia as nitrogen"),
        pytest.param("LACTICAC", "mg/dL", "36", "3.996", id="lactate"),
        pytest.param("UREA", "mg/dL{BUN}", "20", "7.140", id="urea nitrogen"),
        pytest.param("ALB", "g/dL", "3.2", "32.0", id="albumin"),
        pytest.param("INTLK6", "pg/mL", "7.1", "7.1", id="interleukin"),
        pytest.param("FIBRINO", "mg/dL", "150", "1.50", id="fibrinogen"),
        pytest.param("DDIMER", "ng/mL{FEU}", "500", "0.500", id="d-dimer"),
    ],
)
def test_a_reported_value_converts_exactly(
    nct06904755: Protocol, analyte: str, unit: str, reported: str, canonical: str
) -> None:
    factor = nct06904755.labs.analyte(analyte).factor(unit)
    assert Decimal(reported) * factor == Decimal(canonical)


@pytest.mark.requirement("DI4")
@settings(deadline=None)
@given(tenths=st.integers(1, 10_000))
def test_a_conversion_and_back_is_the_value_reported(protocol: Protocol, tenths: int) -> None:
    reported = Decimal(tenths) / 10
    for analyte in protocol.labs.analytes:
        for unit in analyte.accepted_units:
            factor = analyte.factor(unit)
            assert reported * factor / factor == reported


def test_a_unit_that_is_not_accepted_has_no_factor(protocol: Protocol) -> None:
    for analyte in protocol.labs.analytes:
        with pytest.raises(LookupError, match=analyte.key):
            analyte.factor("furlong")


def test_units_that_look_alike_but_differ_are_kept_apart(nct06904755: Protocol) -> None:
    assert "mg/dL" not in nct06904755.labs.analyte("UREA").accepted_units
    assert "ug/dL" not in nct06904755.labs.analyte("AMMONIA").accepted_units
    assert "mg/L{DDU}" not in nct06904755.labs.analyte("DDIMER").accepted_units


def test_an_unknown_analyte_is_said_so(protocol: Protocol) -> None:
    with pytest.raises(LookupError, match="NOPE"):
        protocol.labs.analyte("NOPE")


def test_every_analyte_of_a_criterion_or_panel_exists(protocol: Protocol) -> None:
    keys = {analyte.key for analyte in protocol.labs.analytes}
    assert {key for panel in protocol.labs.panels for key in panel.analytes} <= keys
    uses = (use for criterion in protocol.criteria for use in criterion.rule.lab_uses())
    assert {use.analyte for use in uses} <= keys


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        pytest.param("0.99", False, id="below"),
        pytest.param("1", True, id="lower end"),
        pytest.param("2.50", True, id="upper end"),
        pytest.param("2.51", False, id="above"),
    ],
)
def test_both_ends_of_an_interval_are_inside(value: str, *, inside: bool) -> None:
    assert (Decimal(value) in Interval(low=Decimal(1), high=Decimal("2.5"))) is inside


def test_an_open_end_never_excludes() -> None:
    assert Decimal(10**9) in Interval(low=None, high=None)
    assert Interval(low=None, high=Decimal(5)).encloses(Interval(low=Decimal(1), high=Decimal(5)))
    assert not Interval(low=Decimal(0), high=None).encloses(Interval(low=None, high=Decimal(5)))


def test_every_sample_expected_is_a_specimen_of_the_kit(protocol: Protocol) -> None:
    assert protocol.samples
    for event in protocol.schedule.events:
        for key in (*event.samples, *event.optional_samples):
            assert protocol.samples.specimen(key).name.zh
    with pytest.raises(LookupError, match="NOPE"):
        protocol.samples.specimen("NOPE")
