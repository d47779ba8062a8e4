"""A first mapping from the headers: what is certain is filled in, the rest is asked."""

from __future__ import annotations

import pytest

from tests.dashboard.feasibility.hospital import (
    as_csv,
    as_xlsx,
    judged,
    patients,
    protocol,
    table,
)
from trialsite.dashboard.feasibility.mapping import read_feasibility_mapping
from trialsite.dashboard.feasibility.proposing import propose
from trialsite.exports.reading.mappings import MappingError


@pytest.mark.parametrize("write", [as_csv, as_xlsx])
def test_the_proposal_for_a_hospitals_file_needs_nothing_but_the_limits(write):
    content = write(table(patients(), umol=True))
    text = propose(content, protocol())
    found = read_feasibility_mapping(text, protocol())
    assert set(found.layout.missing) == {"-", "未做"}
    assert {each.analyte for each in found.results} == {
        *("BILI", "CREAT", "INR", "PTA", "SODIUM", "ALB", "CRP")
    }
    assert found.columns.age == "年龄（岁）"
    assert {(code.text, code.means) for code in found.sexes} == {("女", "F"), ("男", "M")}
    (item,) = found.items
    assert {code.means for code in item.codes} == {"0", "I", "II", "III", "IV"}


def test_a_column_without_its_unit_is_asked_and_the_mapping_waits():
    text = propose(b"id,bili,sex,time,status\n1,2,q,10,1\n", protocol())
    assert 'bili: {analyte: BILI, unit: "?"}  # one of' in text
    with pytest.raises(MappingError) as caught:
        read_feasibility_mapping(text, protocol())
    paths = {each.path for each in caught.value.problems}
    assert {"results.bili.unit", "sexes.q", "survival.codes.1"} <= paths


def test_whatever_stands_in_headers_and_cells_the_proposal_is_a_mapping_file():
    header = '"a: b","{x}","- y","# z",yes,source,"""quoted""",sex,age'
    text = propose(f'{header}\n1,1,1,1,1,1,1,"{{:#",40\n'.encode(), protocol())
    with pytest.raises(MappingError) as caught:
        read_feasibility_mapping(text, protocol())
    assert {each.path for each in caught.value.problems} == {"sexes.{:#"}
    assert (
        judged(
            f"{header}\n1,1,1,1,1,1,1,m,40\n".encode(),
            text.replace('"?"', "M").replace('"{:#"', "m"),
        ).rows
        == 1
    )
