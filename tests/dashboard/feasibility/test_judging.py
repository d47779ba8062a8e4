"""Sixty made-up people through the engine by a mapping alone: whatever the file is written in,
the verdicts are the same, and those that somebody else worked out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import math
from decimal import Decimal

import pytest

from screening.eligibility.engine import evaluate, verdicts_of
from screening.eligibility.facts import Facts
from screening.eligibility.verdicts import Kind, Verdict
from tests.dashboard.feasibility.hospital import (
    TODAY,
    Patient,
    as_csv,
    as_xlsx,
    judged,
    mapping,
    patients,
    protocol,
    table,
)
from trialsite.dashboard.feasibility.cells import Cells
from trialsite.dashboard.feasibility.mapping import read_feasibility_mapping
from trialsite.dashboard.feasibility.people import PeopleReader, born_from_age
from trialsite.dashboard.feasibility.result import Judged, Result, ScoreOf, packed, unpacked
from trialsite.dashboard.feasibility.running import RowsError
from trialsite.dashboard.feasibility.saying import Words, write_csv
from trialsite.exports.reading.files import read_table
from trialsite.exports.reading.tables import places_of
from trialsite.protocol import Protocol
from trialsite.protocol.ages import completed_years
from trialsite.protocol.rules import LeapBirthday

PEOPLE = patients()
FILES = {
    "UTF-8 with BOM, umol/L": ("umol", lambda: as_csv(table(PEOPLE, umol=True))),
    "UTF-8, mg/dL": ("mgdl", lambda: as_csv(table(PEOPLE, umol=False), "utf-8")),
    "GB18030, umol/L": ("umol", lambda: as_csv(table(PEOPLE, umol=True), "gb18030")),
    "GB18030, mg/dL": ("mgdl", lambda: as_csv(table(PEOPLE, umol=False), "gb18030")),
    "UTF-16, mg/dL": ("mgdl", lambda: as_csv(table(PEOPLE, umol=False), "utf-16")),
    "workbook, umol/L": ("umol", lambda: as_xlsx(table(PEOPLE, umol=True))),
    "workbook, mg/dL": ("mgdl", lambda: as_xlsx(table(PEOPLE, umol=False))),
}


@pytest.fixture(scope="module")
def base() -> Result:
    return judged(as_csv(table(PEOPLE, umol=True)), mapping("umol"))


def said(each: Judged) -> tuple[object, ...]:
    """Everything about a person but where in the file, and digits behind the twelfth."""
    scores = [
        (one.version, one.raw and f"{Decimal(one.raw):.12f}", one.displayed) for one in each.scores
    ]
    return (each.name, each.outcome, each.against, each.unknown, each.possible, scores, each.flips)


@pytest.mark.parametrize("kind", FILES)
def test_the_same_people_get_the_same_verdicts_in_every_unit_and_format(kind, base):
    name, content = FILES[kind]
    found = judged(content(), mapping(name))
    assert [said(each) for each in found.people] == [said(each) for each in base.people]
    assert found.tallies == base.tallies
    assert found.scores == base.scores


@pytest.mark.parametrize("confirmed", [True, False])
def test_who_is_only_counted_has_the_verdicts_of_one_who_is_signed_for(confirmed):
    """Counting gathers no evidence; whatever is told of a person is the same."""
    study = protocol()
    if confirmed:
        study = study.with_confirmed([each.path for each in study.assumptions()])
    for facts in facts_of(study):
        signed, counted = evaluate(study, facts).verdicts, verdicts_of(study, facts, counted=True)
        assert [told(each) for each in counted] == [told(each) for each in signed]


def facts_of(study: Protocol) -> list[Facts]:
    wanted = read_feasibility_mapping(mapping("umol"), study)
    rows = read_table(as_csv(table(PEOPLE, umol=True)), wanted.layout, wanted=wanted.headers)
    cells = Cells(rows, places_of(rows, wanted.headers), wanted.layout)
    reader, found = PeopleReader(wanted, study, today=TODAY), []
    for row in rows.rows:
        cells.turn(row.line, row.cells)
        found.append(reader.person(row.line, "", cells).facts)
    assert len(found) == len(PEOPLE)
    return found


def told(verdict: Verdict) -> tuple[object, ...]:
    scores = [
        (each.text, {**each.parameters}) for each in verdict.evidence if each.kind is Kind.SCORE
    ]
    return (
        verdict.criterion, verdict.state, verdict.reason, verdict.as_written, verdict.written,
        verdict.missing, verdict.assumptions, scores,
    )  # fmt: skip


def expected_against(each: Patient) -> set[str]:
    """The numeric criteria worked out in another way: floats, and the formula as printed."""
    against = set()
    if not 18 <= int(each.age) <= 65:
        against.add("IN01")
    if each.inr is not None and each.pta is not None:
        in_range = Decimal("1.5") <= each.inr <= Decimal("2.6") or 20 <= each.pta <= 40
        against |= set() if in_range else {"IN04"}
    if each.grade is not None and each.grade > 2:
        against.add("IN05")
    meld = unos(each)
    if meld is not None and math.floor(meld + 0.5) > 30:
        against.add("EX04")
    return against


def unos(each: Patient) -> float | None:
    if each.inr is None or (not isinstance(each.creatinine, Decimal) and not each.dialysis):
        return None
    known = each.creatinine if isinstance(each.creatinine, Decimal) else Decimal(4)
    creatinine = 4.0 if each.dialysis else min(max(float(known), 1.0), 4.0)
    bilirubin, inr = max(float(each.bilirubin), 1.0), max(float(each.inr), 1.0)
    return 9.57 * math.log(creatinine) + 3.78 * math.log(bilirubin) + 11.2 * math.log(inr) + 6.43


def test_the_verdicts_are_those_worked_out_by_hand(base):
    for patient, found in zip(PEOPLE, base.people, strict=True):
        assert set(found.against) == expected_against(patient), patient
    kept_out = [expected_against(each) for each in PEOPLE]
    assert {len(each) for each in kept_out} >= {0, 1, 2}  # all of it happens in the file
    tally = {each.criterion: each for each in base.tallies}
    for key in ("IN01", "IN04", "IN05", "EX04"):
        assert tally[key].against == sum(key in each for each in kept_out) > 0
        assert tally[key].alone == sum(each == {key} for each in kept_out)


def test_the_bilirubin_that_is_no_level_asks_for_a_second_draw(base):
    for patient, found in zip(PEOPLE, base.people, strict=True):
        below = patient.bilirubin * Decimal("17.104") < 171
        assert ("IN03" in found.unknown) is below
        needs = {base.needs[place].need for place in found.settles}
        assert ("second_draw" in needs) is below


def test_what_no_column_tells_is_said_and_what_would_settle_it(base):
    assert set(base.untold) == {
        *("IN02", "IN07", "IN08"),
        *("EX01", "EX02", "EX03", "EX05", "EX06"),
    }
    possible = [each for each in base.people if each.possible]
    assert 0 < len(possible) == base.possible
    assert all(each.outcome == "not_yet_known" for each in possible)
    assert all(set(each.unknown) == set(base.untold) for each in possible)
    lines = {line.key: line for line in Words(base, protocol()).criteria()}
    assert "consent" in lines["IN08"].needs[0].says
    assert "investigator must answer" in lines["EX01"].needs[0].says


def test_without_a_column_of_encephalopathy_it_is_not_known_of_anybody():
    rows = [row[:11] + row[12:] for row in table(PEOPLE, umol=True)]
    text = mapping("umol").split("items:")[0] + "everyone: {aetiology: viral}\n"
    found = judged(as_csv(rows), text)
    tally = {each.criterion: each for each in found.tallies}["IN05"]
    assert (tally.fulfilled, tally.against, tally.unknown) == (0, 0, 60)
    assert [found.needs[place].need for place, _n in tally.needs] == ["item"]


#: Bilirubin, INR, creatinine in mg/dL; 9.57 ln creatinine + 3.78 ln bilirubin + 11.2 ln INR + 6.43
#: by hand, and as it is displayed.
VECTORS = [
    ("10", "2", "1", "22.8970", "23"),
    ("0.5", "0.8", "0.5", "6.4300", "6"),
    ("20", "3", "4", "43.3252", "40"),
    ("15", "2.5", "2", "33.5623", "34"),
]


@pytest.mark.parametrize(("bilirubin", "inr", "creatinine", "raw", "displayed"), VECTORS)
def test_the_score_is_the_one_computed_by_hand(bilirubin, inr, creatinine, raw, displayed):
    found = judged(
        f"bili,inr,crea\n{bilirubin},{inr},{creatinine}\n".encode(),
        """\
results:
  bili: {analyte: BILI, unit: mg/dL}
  inr: {analyte: INR}
  crea: {analyte: CREAT, unit: mg/dL}
everyone: {dialysis: no}
""",
    )
    (one,) = (each for each in found.people[0].scores if each.version == "unos")
    assert f"{Decimal(one.raw):.4f}" == raw
    assert one.displayed == displayed


def test_who_is_turned_by_version_or_rounding_is_counted():
    """INR chosen so that UNOS is 30.2: above 30 unrounded, 30 and not above when rounded; with
    sodium of 125 the sodium version is far above."""
    found = judged(
        b"who,bili,inr,crea,na\nturns,15,2.3,1.5585,140\nsodium,15,2.3,1.4,125\nclear,3,1.2,1,140\n",
        """\
columns: {person: who}
results:
  bili: {analyte: BILI, unit: mg/dL}
  inr: {analyte: INR}
  crea: {analyte: CREAT, unit: mg/dL}
  na: {analyte: SODIUM, unit: mmol/L}
everyone: {dialysis: no}
""",
    )
    assert [each.name for each in found.people if each.flips] == ["turns", "sodium"]
    (score,) = found.scores
    versions = {each.version: each for each in score.versions}
    assert (score.computed, score.flips) == (3, 2)
    assert (versions["unos"].above_raw, versions["unos"].above_displayed) == (1, 0)
    assert versions["unos"].rounding_flips == 1
    assert versions["meld_na_2016"].differs == 1
    assert (versions["meld_3_0"].computed, versions["aetiology"].computed) == (0, 0)


def test_a_limit_or_a_blank_computes_no_score_and_asks_for_the_result(base):
    by_name = {each.name: each for each in base.people}
    limit = by_name["H013"]
    assert PEOPLE[12].creatinine == "<0.2"
    assert not any(each.raw for each in limit.scores)
    assert "exact_result" in {base.needs[place].need for place in limit.settles}
    blank = by_name["H012"]
    assert {base.needs[place].name for place in blank.settles} >= {"CREAT"}


def test_an_earlier_draw_in_the_same_row_shows_the_rise():
    text = """\
results:
  before: {analyte: BILI, unit: umol/L, hours_before: 24}
  now: {analyte: BILI, unit: umol/L}
"""
    found = judged(b"before,now\n100,117.1\n100,117.0\n", text)
    told = {each.criterion: each for each in found.tallies}["IN03"]
    assert (told.fulfilled, told.against, told.unknown) == (1, 1, 0)


ALL = """\
columns: {age: age, consented: consent, sex: sex}
results:
  bili: {analyte: BILI, unit: umol/L}
  inr: {analyte: INR}
  crea: {analyte: CREAT, unit: umol/L}
  crp: {analyte: CRP, unit: mg/L, upper_limit: 10}
items: {he: {item: I.HE.HEGRADE}}
allergies:
  plasma: {agent: plasma, codes: {n: none, s: severe}}
  heparin: {agent: heparin, codes: {n: none, s: severe}}
  protamine: {agent: protamine, codes: {n: none, s: severe}}
judgements:
  type: {criterion: IN02, codes: {y: met, n: not_met}}
  able: {criterion: IN07, codes: {y: met, n: not_met}}
  bleeding: {criterion: EX01, codes: {y: met, n: not_met}}
  shock: {criterion: EX03, codes: {y: met, n: not_met}}
  other: {criterion: EX05, codes: {y: met, n: not_met}}
  unfit: {criterion: EX06, codes: {y: met, n: not_met}}
everyone: {dialysis: no}
"""
HEAD = (
    "age,consent,sex,bili,inr,crea,crp,he,plasma,heparin,protamine,"
    "type,able,bleeding,shock,other,unfit"
)


@pytest.mark.parametrize(
    ("row", "outcome", "against"),
    [
        ("40,2026-11-20,M,200,2,80,12,I,n,n,n,y,y,n,n,n,n", "eligible", ()),
        ("40,2026-11-20,M,200,2,80,12,I,n,s,,y,y,n,n,n,n", "ineligible", ("EX02",)),
        ("40,2026-11-20,M,200,2,80,12,III,n,n,n,y,y,y,n,n,n", "ineligible", ("IN05", "EX01")),
        ("40,,M,200,2,80,12,I,n,n,n,y,y,n,n,n,n", "not_yet_known", ()),
        ("40,2026-11-20,M,200,2,80,9,I,n,n,n,y,y,n,n,n,n", "not_yet_known", ()),
    ],
)
def test_a_file_that_tells_everything_is_decided_whole(row, outcome, against):
    (found,) = judged(f"{HEAD}\n{row}\n".encode(), ALL).people
    assert (found.outcome, found.against) == (outcome, against)


def test_an_assumption_that_nobody_confirmed_keeps_a_verdict_open():
    rows, text = b"age\n65.9\n40\n", "columns: {age: age}\n"
    (edge, clear) = judged(rows, text, as_written=False).people
    assert "IN01" in edge.unknown
    assert "IN01" not in clear.unknown
    (as_written, _clear) = judged(rows, text).people
    assert "IN01" not in as_written.unknown


@pytest.mark.parametrize("years", [0, 1, 17, 18, 65, 66, 129])
@pytest.mark.parametrize("day", ["2024-02-29", "2026-08-30", "2026-01-01", "2025-12-31"])
def test_a_birth_date_made_of_an_age_has_that_age_that_day(years, day):

    on = dt.date.fromisoformat(day)
    for leap in LeapBirthday:
        assert completed_years(born_from_age(years, on), on, leap) == years


def test_the_kept_form_of_an_answer_is_the_answer(base):
    assert unpacked(packed(base)) == base


def test_the_unit_that_is_named_may_stand_behind_a_number_and_no_other():
    text = """\
columns: {age: age}
results:
  pt: {analyte: PTA, unit: "%"}
  bili: {analyte: BILI, unit: umol/L}
"""
    plain = judged(b"age,pt,bili\n40,35,200\n", text)
    units = judged("age,pt,bili\n40岁,35％,200 µmol/L\n".encode(), text)
    assert units.tallies == plain.tallies
    with pytest.raises(RowsError) as caught:
        judged(b"age,pt,bili\n40,35,12 mg/dL\n", text)
    assert [each.place for each in caught.value.problems] == ["2:3"]


def test_a_number_below_zero_stays_a_number_in_the_file_that_goes_out():
    """The version by aetiology without floors may be below zero; it is no formula (EX4)."""
    written = io.StringIO()
    found = judged(b"age\n40\n", "columns: {age: age}\n")
    (one,) = found.people
    low = ScoreOf(version="unos", raw="-1.25", displayed="-1")
    found = dataclasses.replace(found, people=(dataclasses.replace(one, scores=(low,)),))
    write_csv(written, Words(found, protocol()))
    assert ",-1.25,-1," in written.getvalue()
