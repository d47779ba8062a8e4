"""What a printed result says, and what it is refused for."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.labs.results import (
    Flag,
    Qualitative,
    Refusal,
    ResultError,
    canonical_of,
    flag_of,
    parse_result,
    printed_mark,
    suspect_unit,
)
from trialsite.labs.scores import meld
from trialsite.protocol import Interval, Protocol, load, study_path

D = Decimal
ANALYTES = load(study_path("nct06904755")).labs


@pytest.mark.parametrize(
    ("text", "comparator", "value", "flag"),
    [
        ("12.3", "", "12.3", ""),
        ("0.50", "", "0.50", ""),
        (".5", "", "0.5", ""),
        ("<0.2", "<", "0.2", ""),
        ("＜0.2", "<", "0.2", ""),
        ("小于0.2", "<", "0.2", ""),
        (">150", ">", "150", ""),
        ("≤ 5", "<=", "5", ""),
        ("<=5", "<=", "5", ""),
        ("≥5", ">=", "5", ""),
        ("１２．３", "", "12.3", ""),
        ("12。3", "", "12.3", ""),
        ("1,234,567", "", "1234567", ""),
        ("1,234.5", "", "1234.5", ""),
        ("1.2E+05", "", "120000", ""),
        ("1.2e5", "", "120000", ""),
        ("1.25E-2", "", "0.0125", ""),
        ("1.2×10^5", "", "120000", ""),
        ("1.2×10⁵", "", "120000", ""),
        ("<2.0E+01", "<", "20", ""),
        ("-3.1", "", "-3.1", ""),
        ("−3.1", "", "-3.1", ""),
        ("312.5 H", "", "312.5", "H"),
        ("312.5↑", "", "312.5", "H"),
        ("↑↑ 312.5", "", "312.5", "HH"),
        ("28 (L)", "", "28", "L"),
        ("28 ↓", "", "28", "L"),
        ("28 偏低", "", "28", "L"),
        ("*28", "", "28", "*"),
        (">150↑", ">", "150", "H"),
        ("高于150", ">", "150", ""),
    ],
)
def test_a_printed_number_is_read_as_printed(
    text: str, comparator: str, value: str, flag: str
) -> None:
    parsed = parse_result(text)
    assert (parsed.comparator, str(parsed.value), parsed.printed_flag) == (comparator, value, flag)
    assert parsed.qualitative is None


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("未检出", Qualitative.NOT_DETECTED),
        ("Not Detected", Qualitative.NOT_DETECTED),
        ("TND", Qualitative.NOT_DETECTED),
        ("<LLOQ", Qualitative.BELOW_LLOQ),
        ("阴性（-）", Qualitative.NEGATIVE),
        ("Positive", Qualitative.POSITIVE),
    ],
)
def test_a_finding_in_words_is_no_number(text: str, finding: Qualitative) -> None:
    parsed = parse_result(text)
    assert (parsed.qualitative, parsed.value, parsed.comparator) == (finding, None, "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Refusal.BLANK),
        (" \u3000", Refusal.BLANK),
        ("1,234", Refusal.AMBIGUOUS_COMMA),
        ("12,3", Refusal.AMBIGUOUS_COMMA),
        ("1,23,456", Refusal.AMBIGUOUS_COMMA),
        ("1，234", Refusal.AMBIGUOUS_COMMA),
        ("10²", Refusal.EXPONENT),
        ("10^5", Refusal.EXPONENT),
        ("1.2×105", Refusal.EXPONENT),
        ("溶血", Refusal.SPECIMEN),
        ("6.8 (haemolysed)", Refusal.SPECIMEN),
        ("标本不合格", Refusal.SPECIMEN),
        ("--", Refusal.NOT_DONE),
        ("未做", Refusal.NOT_DONE),
        ("12.3 g/L", Refusal.NOT_A_NUMBER),
        ("3-5", Refusal.NOT_A_NUMBER),
        ("1 234", Refusal.NOT_A_NUMBER),
        ("5.", Refusal.NOT_A_NUMBER),
        ("①2", Refusal.NOT_A_NUMBER),
        ("½", Refusal.NOT_A_NUMBER),
        ("nan", Refusal.NOT_A_NUMBER),
        ("Infinity", Refusal.NOT_A_NUMBER),
        ("1_000", Refusal.NOT_A_NUMBER),
        ("1e99", Refusal.NOT_A_NUMBER),
        ("↑ 12 L", Refusal.NOT_A_NUMBER),
        ("1" * 41, Refusal.TOO_LONG),
    ],
)
def test_what_can_be_read_two_ways_or_none_is_refused_with_a_code(text: str, code: Refusal) -> None:
    with pytest.raises(ResultError) as refused:
        parse_result(text)
    assert refused.value.code is code


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_no_text_does_anything_but_a_result_or_a_refusal(text: str) -> None:
    try:
        parsed = parse_result(text)
    except ResultError:
        return
    assert (parsed.value is None) == (parsed.qualitative is not None)
    assert parsed.value is None or parsed.value.is_finite()


@settings(deadline=None)
@given(value=st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False))
def test_a_plain_number_keeps_its_digits(value: Decimal) -> None:
    assert str(parse_result(format(value, "f")).value) == format(value, "f")


@pytest.mark.parametrize(
    ("comparator", "value", "low", "high", "flag"),
    [
        ("", "0.4", "0.5", "7", Flag.LOW),
        ("", "0.5", "0.5", "7", Flag.NORMAL),
        ("", "7", "0.5", "7", Flag.NORMAL),
        ("", "7.01", "0.5", "7", Flag.HIGH),
        ("<", "0.2", "0.5", "7", Flag.LOW),
        ("<", "0.5", "0.5", "7", Flag.LOW),
        ("<=", "0.5", "0.5", "7", Flag.UNKNOWN),
        ("<", "5", "3", "10", Flag.UNKNOWN),
        ("<", "20", "3", "10", Flag.UNKNOWN),
        (">", "150", "70", "130", Flag.HIGH),
        (">", "130", "70", "130", Flag.HIGH),
        (">=", "130", "70", "130", Flag.UNKNOWN),
        (">", "100", "70", "130", Flag.UNKNOWN),
        ("<", "7", None, "7", Flag.NORMAL),
        ("<", "8", None, "7", Flag.UNKNOWN),
        ("<", "0.2", "0", "6.8", Flag.NORMAL),
        (">", "60", "40", None, Flag.NORMAL),
        (">=", "40", "40", None, Flag.NORMAL),
        ("", "-4", "-3", "3", Flag.LOW),
        ("<", "-30", "-3", "3", Flag.LOW),
        ("", "5", None, None, Flag.UNKNOWN),
        ("", None, "3", "10", Flag.UNKNOWN),
    ],
)
def test_a_flag_is_known_only_when_every_possible_value_agrees(
    comparator: str, value: str | None, low: str | None, high: str | None, flag: Flag
) -> None:
    numbers = [None if number is None else D(number) for number in (value, low, high)]
    assert flag_of(comparator, *numbers) is flag


@pytest.mark.parametrize(
    ("cell", "mark"), [("↑", "H"), ("L", "L"), ("正常", ""), ("", ""), ("?", None)]
)
def test_a_mark_in_a_cell_of_its_own(cell: str, mark: str | None) -> None:
    assert printed_mark(cell) == mark


@pytest.mark.requirement("DI4")
@pytest.mark.parametrize(
    ("analyte", "unit", "reported", "canonical"),
    [
        ("BILI", "mg/dL", "10.0", "171.0400"),
        ("BILI", "umol/L", "171", "171"),
        ("CREAT", "mg/dL", "4.0", "353.60"),
        ("CREAT", "mg/dL", "0.3", "26.52"),
        ("AMMONIA", "ug/dL{NH3}", "120", "70.464"),
        ("AMMONIA", "ug/dL{N}", "120", "85.68"),
        ("LACTICAC", "mg/dL", "36", "3.996"),
        ("UREA", "mg/dL{urea}", "60", "9.99"),
        ("UREA", "mg/dL{BUN}", "20", "7.14"),
        ("ALB", "g/dL", "3.2", "32"),
        ("HGB", "g/dL", "12.1", "121"),
        ("CRP", "mg/dL", "2", "20"),
        ("FIBRINO", "mg/dL", "150", "1.5"),
        ("AFP", "[IU]/mL", "100", "121"),
        ("INTLK6", "pg/mL", "7.1", "7.1"),
        ("GLUC", "mg/dL", "100", "5.551"),
        ("CAION", "mg/dL", "4.8", "1.2"),
        ("WBC", "/uL", "8500", "8.5"),
    ],
)
def test_a_value_is_converted_exactly(
    study: Protocol, analyte: str, unit: str, reported: str, canonical: str
) -> None:
    assert canonical_of(study.labs.analyte(analyte), D(reported), unit) == D(canonical)


def test_a_unit_the_protocol_does_not_accept_is_refused(study: Protocol) -> None:
    with pytest.raises(LookupError):
        canonical_of(study.labs.analyte("ALT"), D(40), "[IU]/L")


@settings(deadline=None)
@given(value=st.decimals(min_value=0, max_value=10**17, places=9, allow_nan=False))
def test_no_digit_is_lost_in_a_conversion(value: Decimal) -> None:
    for analyte in ANALYTES.analytes:
        for unit in analyte.accepted_units:
            exact = Fraction(value) * Fraction(analyte.factor(unit))
            assert Fraction(canonical_of(analyte, value, unit)) == exact


@settings(deadline=None)
@given(tenths=st.integers(1, 999), low=st.integers(1, 50), span=st.integers(1, 50))
def test_the_unit_of_entry_changes_neither_flag_nor_score(tenths: int, low: int, span: int) -> None:
    bilirubin = ANALYTES.analyte("BILI")
    reported = D(tenths) / 10
    low_limit, high_limit = D(low), D(low + span)
    in_mg = canonical_of(bilirubin, reported, "mg/dL")
    in_umol = canonical_of(bilirubin, in_mg, "umol/L")
    limits = (canonical_of(bilirubin, limit, "mg/dL") for limit in (low_limit, high_limit))
    assert flag_of("", reported, low_limit, high_limit) is flag_of("", in_umol, *limits)
    others: dict[str, Any] = {"inr": D("2.1"), "creatinine": D(60), "dialysis": False}
    assert meld(bilirubin=in_mg, **others).raw == meld(bilirubin=in_umol, **others).raw


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "previous", "suggested", "canonical"),
    [
        ("CREAT", "1.2", "umol/L", None, "mg/dL", "106.08"),
        ("CREAT", "4.9", "umol/L", None, "mg/dL", "433.16"),
        ("HGB", "12", "g/L", None, "g/dL", "120"),
        ("ALB", "3.2", "g/L", None, "g/dL", "32"),
        ("BILI", "18", "umol/L", "300", "mg/dL", "307.872"),
        ("BILI", "300", "mg/dL", None, "umol/L", "300"),
        ("LACTICAC", "22", "mmol/L", None, "mg/dL", "2.442"),
        ("FIBRINO", "150", "g/L", None, "mg/dL", "1.5"),
        ("PCO2", "5.3", "mm[Hg]", None, "kPa", "39.753286"),
        ("WBC", "8500", "10*9/L", None, "/uL", "8.5"),
        ("PLAT", "45000", "10*9/L", None, "/uL", "45"),
    ],
)
def test_a_slip_of_the_unit_is_suspected(
    study: Protocol,
    analyte: str,
    value: str,
    unit: str,
    previous: str | None,
    suggested: str,
    canonical: str,
) -> None:
    slip = suspect_unit(
        study.labs.analyte(analyte), D(value), unit, None if previous is None else D(previous)
    )
    assert slip is not None
    assert (slip.suggested_unit, slip.suggested_canonical) == (suggested, D(canonical))


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "previous"),
    [
        ("BILI", "18", "umol/L", None),
        ("BILI", "18", "umol/L", "40"),
        ("BILI", "150", "umol/L", "300"),
        ("BILI", "900", "umol/L", "700"),
        ("CREAT", "106", "umol/L", "60"),
        ("UREA", "9", "mmol/L", "5"),
        ("LACTICAC", "7", "mmol/L", "2"),
        ("AFP", "0.45", "ug/L", None),
        ("FERRITIN", "25000", "ug/L", None),
        ("BASEEXCS", "-12", "mmol/L", None),
        ("CRP", "0", "mg/L", "60"),
        ("HBVDNA", "120000", "[IU]/mL", None),
        ("ALB", "32", "g/L", "0"),
    ],
)
def test_a_true_change_is_not_called_a_slip(
    study: Protocol, analyte: str, value: str, unit: str, previous: str | None
) -> None:
    before = None if previous is None else D(previous)
    assert suspect_unit(study.labs.analyte(analyte), D(value), unit, before) is None


def test_units_that_explain_a_slip_equally_are_all_named(study: Protocol) -> None:
    slip = suspect_unit(study.labs.analyte("UREA"), D(60), "mmol/L")
    assert slip is not None
    assert {slip.suggested_unit, *slip.others} == {"mg/dL{urea}", "mg/dL{BUN}"}


def test_slips_follow_the_protocol_not_the_code(study: Protocol) -> None:
    creatinine = study.labs.analyte("CREAT")
    wider = replace(creatinine, soft=Interval(low=D(1), high=D(600)))
    assert suspect_unit(wider, D("1.2"), "umol/L") is None
