"""A block pasted from a spreadsheet or a laboratory system, as laboratories print it."""

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.labs.matching import Matcher, unit_form
from trialsite.labs.pasting import (
    MOST_LINES,
    Pasted,
    PastedRow,
    PasteError,
    PasteProblem,
    parse_block,
)
from trialsite.labs.results import Refusal
from trialsite.labs.vocabulary import TESTS, UNITS
from trialsite.protocol import Protocol, load, study_path

D = Decimal
STUDY = load(study_path("nct06904755"))

ENGLISH = """\
Test\tResult\tUnit\tReference range\tFlag
T-Bil\t312.5\tumol/L\t3-23\tH
D-BIL\t12.6\tmg/dL\t0-0.4\tH
ALT\t412\tU/L\t9-50\tH
AST\t388\tIU/L\t15-40\tH
Alk phos\t2.1\tukat/L\t0.75-2.1\t
Gamma-GT\t96\tu/l\t10-60\tH
Albumin\t3.1\tg/L\t40-55\tL
Prothrombin time\t25.1\tsec\t9.4-13.5\tH
PT%\t28\t%\t70-130\tL
PT-INR\t2.1\t\t0.8-1.2\tH
aPTT\t>180\ts\t25-37\tH
Fibrinogen\t120\tmg/dL\t200-400\tL
D-Dimer (FEU)\t2.3\tug/mL FEU\t<0.5\tH
CREA\t1.2\tumol/L\t57-97\t
BUN\t20\tmg/dL\t7-20\t
Na+\t137\tmEq/L\t137-147\t
K\t4.1\tmmol/L\t3.5-5.3\t
CRP\t1.8\tmg/dL\t<1\tH
PCT\t0.42\tng/mL\t<0.5\t
WBC\t12.3\t10^3/uL\t3.5-9.5\tH
Hb\t101\tg/L\t130-175\tL
PLT\t64\t10*9/L\t125-350\tL
NH3\t70.5\tumol/L\t9-30\tH
IL-6\t86\tpg/mL\t<7\tH
HBV-DNA\t1.2E+05\tIU/mL\t<20\tH
"""
CHINESE = """\
序号\t项目名称\t检验结果\t单位\t参考区间\t提示
1\t总胆红素(TBIL)\t312.5\tμmol/L\t3.0～23.0\t↑
2\t直接胆红素\t12.6\tmg/dl\t0-0.4\t↑
3\t丙氨酸氨基转移酶(ALT)\t412\tU/L\t9-50\t↑
4\t天门冬氨酸氨基转移酶\t388\tIU/L\t15-40\t↑
5\t碱性磷酸酶\t2.1\tμkat/L\t0.75-2.1
6\tγ-谷氨酰转移酶\t96\tu/l\t10-60\t↑
7\t★白蛋白(溴甲酚绿法)\t3.1\tg/L\t40-55\t↓
8\t凝血酶原时间(PT)\t25.1\t秒\t9.4-13.5\t↑
9\t凝血酶原活动度\t28\t％\t70-130\t↓
10\t国际标准化比值\t2.1\t\t0.8-1.2\t↑
11\t活化部分凝血活酶时间\t＞180\ts\t25-37\t↑
12\t纤维蛋白原\t120\tmg/dL\t200-400\t↓
13\tD-二聚体（FEU）\t2.3\tug/mL(FEU)\t＜0.5\t↑
14\t肌酐(酶法)\t1.2\tμmol/L\t57～97\t
15\t尿素氮\t20\tmg/dL\t7-20
16\t血清钠\t137\tmEq/L\t137-147
17\t钾\t4.1\tmmol/L\t3.5-5.3
18\tC-反应蛋白\t1.8\tmg/dL\t<1\t↑
19\t降钙素原检测\t0.42\tng/mL\t<0.5
20\t白细胞计数\t12.3\t×10³/μL\t3.5-9.5\t↑
21\t血红蛋白\t101\tg/L\t130-175\t↓
22\t血小板计数\t64\t×10⁹/L\t125-350\t↓
23\t血氨\t70.5\tµmol/L\t9-30\t↑
24\t白细胞介素-6\t86\tpg/ml\t<7\t↑
25\t乙肝病毒DNA定量\t1.2×10⁵\tIU/ml\t<20\t↑
"""
EXPECTED = {
    "BILI": ("", "312.5", "umol/L"),
    "BILDIR": ("", "12.6", "mg/dL"),
    "ALT": ("", "412", "U/L"),
    "AST": ("", "388", "U/L"),
    "ALP": ("", "2.1", "ukat/L"),
    "GGT": ("", "96", "U/L"),
    "ALB": ("", "3.1", "g/L"),
    "PT": ("", "25.1", "s"),
    "PTA": ("", "28", "%"),
    "INR": ("", "2.1", "{INR}"),
    "APTT": (">", "180", "s"),
    "FIBRINO": ("", "120", "mg/dL"),
    "DDIMER": ("", "2.3", "ug/mL{FEU}"),
    "CREAT": ("", "1.2", "umol/L"),
    "UREA": ("", "20", "mg/dL{BUN}"),
    "SODIUM": ("", "137", "meq/L"),
    "K": ("", "4.1", "mmol/L"),
    "CRP": ("", "1.8", "mg/dL"),
    "PCT": ("", "0.42", "ng/mL"),
    "WBC": ("", "12.3", "10*3/uL"),
    "HGB": ("", "101", "g/L"),
    "PLAT": ("", "64", "10*9/L"),
    "AMMONIA": ("", "70.5", "umol/L"),
    "INTLK6": ("", "86", "pg/mL"),
    "HBVDNA": ("", "120000", "[IU]/mL"),
}


def paste(text: str, **previous: str) -> Pasted:
    before = {key: D(value) for key, value in previous.items()}
    return parse_block(text, analytes=STUDY.labs.analytes, previous=before)


def only(text: str) -> PastedRow:
    (row,) = paste(text).rows
    return row


SPACED = "\n".join(line.replace("\t", "    ") for line in ENGLISH.splitlines()[1:])
COMMAS = ENGLISH.replace("\t", ",")
SEMICOLONS = ENGLISH.replace("\t", ";")
WINDOWS = CHINESE.replace("\n", "\r\n")
TURNED = "\n".join("\t".join(reversed(line.split("\t"))) for line in ENGLISH.splitlines())
BARE = "\n".join(CHINESE.splitlines()[1:])


@pytest.mark.parametrize(
    "text",
    [ENGLISH, CHINESE, SPACED, COMMAS, SEMICOLONS, WINDOWS, TURNED, BARE],
    ids=["en", "zh", "spaces", "csv", "semicolons", "crlf", "columns turned", "no header"],
)
def test_twenty_five_rows_in_mixed_units_with_two_slips_end_right(text: str) -> None:
    rows = paste(text).rows
    assert [row.problem for row in rows] == [PasteProblem.NONE] * 25
    read = {
        row.analyte: (row.parsed.comparator, str(row.parsed.value), row.unit)
        for row in rows
        if row.parsed is not None
    }
    assert read == EXPECTED
    slips = {
        row.analyte: (row.slip.suggested_unit, row.slip.suggested_canonical)
        for row in rows
        if row.slip is not None
    }
    assert slips == {"ALB": ("g/dL", D(31)), "CREAT": ("mg/dL", D("106.08"))}
    limits = {row.analyte: row.printed_range for row in rows}
    assert limits["BILI"] is not None
    assert (limits["BILI"].low, limits["BILI"].high) == (D(3), D(23))
    assert limits["INTLK6"] is not None
    assert (limits["INTLK6"].low, limits["INTLK6"].high) == (None, D(7))
    assert {row.analyte for row in rows if row.printed_flag == "L"} == {
        *("ALB", "PTA", "FIBRINO", "HGB", "PLAT")
    }


def test_the_line_of_each_row_and_of_the_header_is_told() -> None:
    pasted = paste("\n" + ENGLISH)
    assert pasted.header_lines == (2,)
    assert [row.line for row in pasted.rows] == list(range(3, 28))


def test_a_slip_shows_against_the_value_before() -> None:
    (row,) = paste("TBIL\t18\tumol/L", BILI="300").rows
    assert row.slip is not None
    assert row.slip.suggested_canonical == D("307.872")
    assert only("TBIL\t18\tumol/L").slip is None


@pytest.mark.parametrize(
    ("line", "problem", "candidates"),
    [
        ("球蛋白\t30\tg/L", PasteProblem.UNKNOWN_TEST, ()),
        ("中性粒细胞百分比\t85\t%", PasteProblem.UNKNOWN_TEST, ("NEUT",)),
        ("中性粒细胞百分比\tNEUT\t85\t%", PasteProblem.UNKNOWN_TEST, ("NEUT",)),
        ("AFP异质体(AFP-L3)\t0.5\t%", PasteProblem.UNKNOWN_TEST, ("AFP",)),
        ("肌酐(尿)\t5000\tumol/L", PasteProblem.OTHER_SPECIMEN, ("CREAT",)),
        ("Creatinine, urine\t5000\tumol/L", PasteProblem.OTHER_SPECIMEN, ("CREAT",)),
        ("TBIL/DBIL\t300\tumol/L", PasteProblem.UNKNOWN_TEST, ("BILI", "BILDIR")),
        ("16\tALT\tU/L", PasteProblem.NO_RESULT, ()),
        ("2.1\tINR", PasteProblem.NO_RESULT, ()),
        ("TBIL\tDBIL\t300\tumol/L", PasteProblem.AMBIGUOUS_TEST, ("BILI", "BILDIR")),
        ("D-Dimer\t2.3\tmg/L", PasteProblem.AMBIGUOUS_TEST, ("DDIMER", "DDIMER_DDU")),
        ("张三 男 45岁", PasteProblem.UNKNOWN_TEST, ()),
        ("TBIL\t300", PasteProblem.NO_UNIT, ()),
        ("NEUT\t65\t%", PasteProblem.UNKNOWN_UNIT, ()),
        ("TBIL\t300\tmmol/L", PasteProblem.UNKNOWN_UNIT, ()),
        ("NH3\t120\tug/dL", PasteProblem.AMBIGUOUS_UNIT, ()),
        ("TBIL\t\tumol/L", PasteProblem.NO_RESULT, ()),
        ("TBIL\t1,234\tumol/L", PasteProblem.UNREADABLE_RESULT, ()),
        ("3\tTBIL\t溶血\tumol/L", PasteProblem.UNREADABLE_RESULT, ()),
        ("TBIL\t300\t280\tumol/L", PasteProblem.SEVERAL_RESULTS, ()),
        ("TBIL\t" + "3" * 201 + "\tumol/L", PasteProblem.CELL_TOO_LONG, ()),
        ("TBIL\t" + "\t" * 2100 + "3", PasteProblem.LINE_TOO_LONG, ()),
        ("TBIL" + "\t1" * 50, PasteProblem.UNEXPECTED_CELLS, ()),
    ],
)
def test_what_is_not_understood_comes_back_with_its_problem(
    line: str, problem: PasteProblem, candidates: tuple[str, ...]
) -> None:
    row = only(line)
    assert (row.problem, row.candidates) == (problem, candidates)
    assert row.slip is None
    assert row.line == 1


def test_choices_are_offered_for_a_unit_that_means_several() -> None:
    assert only("NH3\t120\tug/dL").units == ("ug/dL{NH3}", "ug/dL{N}")
    assert only("TBIL\t300").units == ("umol/L", "mg/dL")
    assert only("Urea\t60\tmg/dL").unit == "mg/dL{urea}"
    assert only("BUN\t20\tmg/dL").unit == "mg/dL{BUN}"


def test_a_running_number_is_never_taken_for_the_result() -> None:
    header = "序号\t项目\t结果\t单位\t范围\t提示\n"
    (row,) = paste(header + "16\tALT\t1,234\tU/L").rows
    assert (row.text, row.refusal) == ("1,234", Refusal.AMBIGUOUS_COMMA)
    (row,) = paste(header + "16\tALT\t\tU/L").rows
    assert (row.problem, row.parsed) == (PasteProblem.NO_RESULT, None)
    assert only("16\tALT\t溶血\tU/L").parsed is None
    assert only("16\tALT\tU/L").parsed is None


def test_a_short_line_is_read_by_the_columns_of_its_header() -> None:
    header = "test\tresult\tunit\tprevious\tflag\n"
    (row,) = paste(header + "ALT\t40\tU/L\t38").rows
    assert (row.text, row.problem) == ("40", PasteProblem.NONE)


def test_a_comma_that_splits_a_number_is_noticed() -> None:
    rows = paste("test,result,unit\nALT,1,234,U/L\nAST,40,U/L").rows
    assert [row.problem for row in rows] == [PasteProblem.SEVERAL_RESULTS, PasteProblem.NONE]
    rows = paste("test,result,unit,range\nALT,1,234,U/L\nAST,40,U/L,").rows
    assert [row.problem for row in rows] == [PasteProblem.UNKNOWN_UNIT, PasteProblem.NONE]


def test_a_test_that_stands_twice_is_a_question_in_both_rows() -> None:
    rows = paste("ALT\t40\tU/L\nTBIL\t300\tumol/L\nGPT\t41\tU/L").rows
    assert [row.problem for row in rows] == ["duplicate_test", "", "duplicate_test"]


def test_number_and_unit_may_share_a_cell() -> None:
    row = only("Sodium  137mmol/L")
    assert (row.analyte, row.text, row.unit) == ("SODIUM", "137", "mmol/L")
    row = only("Total bilirubin 18.5 umol/L 3-23 H")
    assert (row.analyte, row.text, row.unit, row.printed_flag) == ("BILI", "18.5", "umol/L", "H")


def test_a_finding_in_words_needs_no_unit() -> None:
    row = only("HBV-DNA\t未检出")
    assert (row.problem, row.unit) == (PasteProblem.NONE, None)
    assert row.parsed is not None
    assert row.parsed.qualitative == "not_detected"


def test_a_range_that_is_none_keeps_its_text() -> None:
    header = "test\tresult\tunit\trange\n"
    (row,) = paste(header + "CREA\t66\tumol/L\t男:57-97").rows
    assert row.printed_range is not None
    assert (row.printed_range.text, row.printed_range.low) == ("男:57-97", None)


@pytest.mark.parametrize("name", [a.key for a in STUDY.labs.analytes])
def test_each_test_is_found_by_key_code_and_both_names(name: str) -> None:
    analyte, matcher = STUDY.labs.analyte(name), Matcher(STUDY.labs.analytes)
    for text in (analyte.key, analyte.loinc, analyte.name.en, analyte.name.zh):
        assert not text or matcher.match(text).analytes[0] == name or name == "DDIMER_DDU"
        assert not text or name in matcher.match(text).analytes


def test_no_synonym_means_two_tests() -> None:
    matcher = Matcher(STUDY.labs.analytes)
    for code, synonyms in TESTS.items():
        for synonym in synonyms:
            found = {
                STUDY.labs.analyte(key).testcd or key for key in matcher.match(synonym).analytes
            }
            assert found == {code}, synonym


def test_no_spelling_means_two_units_of_one_test() -> None:
    for analyte in STUDY.labs.analytes:
        forms = [unit_form(unit) for unit in analyte.accepted_units]
        assert len(set(forms)) == len(forms)
        for unit in analyte.accepted_units:
            spellings = {unit_form(text) for text in UNITS.get(unit, ())}
            assert not spellings & (set(forms) - {unit_form(unit)})


def test_a_block_of_more_lines_than_a_page_holds_is_refused() -> None:
    line = "ALT\t40\tU/L\n"
    assert len(paste(line * MOST_LINES + "\n\n").rows) == MOST_LINES
    with pytest.raises(PasteError):
        paste(line * (MOST_LINES + 1))


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="ALTBIL总胆红素 \t\n,;\"'()12.3<>-~/%^×²", max_size=300))
def test_no_line_is_dropped_whatever_is_pasted(text: str) -> None:
    pasted = paste(text)
    lines = [n for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    assert sorted([*pasted.header_lines, *(row.line for row in pasted.rows)]) == lines


@pytest.mark.parametrize("filler", ["(", "[(", "1,", "<", "↑", " -", "h ", "((()))", "1 1", "*10^"])
def test_hostile_lines_take_no_longer_than_others(filler: str) -> None:
    line = (filler * 190)[:190]
    text = "\n".join(f"{line}\t{line}\t{line}\t{line}" for _ in range(100))
    started = time.process_time()
    assert len(paste(text).rows) == 100
    assert time.process_time() - started < 5


def test_another_study_brings_its_own_tests(study: Protocol) -> None:
    few = [analyte for analyte in study.labs.analytes if analyte.key in {"ALT", "AST"}]
    rows = parse_block("ALT\t40\tU/L\nTBIL\t300\tumol/L", analytes=few).rows
    assert [row.problem for row in rows] == [PasteProblem.NONE, PasteProblem.UNKNOWN_TEST]
