"""A nurse at a hospital in China brings its file: every page speaks her language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.factories import make_subject
from tests.labs.hospital import MAPPING, export
from tests.labs.importing import Desk, make_person
from trialsite.access.context import system_context
from trialsite.core.context import Channel, acting
from trialsite.labs.importing.models import ImportState
from trialsite.labs.models import LabResult

ENGLISH = re.compile(
    r"\b(?:line|lines|result|results|person|people|unit|subject|take)\b", re.IGNORECASE
)


@pytest.fixture(autouse=True)
def _looking(cast) -> Iterator[None]:
    with acting(system_context("tests", Channel.COMMAND)):
        yield


def row(desk: Desk, place: str) -> str:
    """A line of the page, found by the address of its cell in the file."""
    for found in re.findall(r'<tr id="line-.*?</tr>', desk.html, re.DOTALL):
        text = " ".join(re.sub(r"<option.*?</option>|<[^>]+>", " ", found, flags=re.DOTALL).split())
        if text.startswith(f"{place} "):
            return text
    raise AssertionError(place)


@pytest.mark.requirement("IM1")
def test_a_hospitals_file_from_the_mapping_to_the_casebook_in_chinese(cast, laboratory):
    people = [make_subject(cast.site) for _n in range(10)]
    for person in people:
        make_person(person, sex="F" if person is people[9] else "M")
    file = export([person.screening_number for person in people])
    assert len(file.rows) == 500
    for at, cells in enumerate(file.rows):
        if cells[3] == "甲胎蛋白":
            cells[4] = "" if at % 2 else "未回报"
        if cells[3] == "降钙素原":
            cells[4] = "<0.2"
    file.rows[5][5] = "furlong"
    file.rows[11][4:6] = ["1.1", "umol/L"]
    file.rows[30][4] = "3..1"
    # Two wrong patients: one of no study, and a man's results under a woman's number.
    for cells in file.rows[425:450]:
        cells[0] = "住院-77"

    manager = Desk(cast.data_manager, "zh-hans").open(
        f"/labs/laboratories/{laboratory.pk}/mapping/"
    )
    assert "文件读取方式" in manager.said
    manager.post(manager.address, text=MAPPING)
    assert "今后按第 1 版读取文件" in manager.said

    desk = Desk(cast.nurse, "zh-hans").open("/labs/imports/")
    assert "准备文件" in desk.said
    desk.upload(laboratory, file.content(), "检验结果.csv")
    assert desk.status == 200
    assert desk.counts == {
        "新结果": 405,
        "无结果": 20,
        "非本中心受试者": 24,
        "可能是另一人": 48,
        "单位待核对": 1,
        "单位无法识别": 1,
        "结果无法识别": 1,
    }
    assert not LabResult.objects.exists()
    assert "GB18030" in desk.said
    # Row and column of each, what the file says there, and what is wrong with it.
    assert "furlong" in row(desk, "7:5")
    assert "3..1" in row(desk, "32:5")
    assert "本中心没有受试者“住院-77”。" in row(desk, "427:5")
    assert "性别不一致" in row(desk, "452:5")
    assert "还有" in desk.said
    words = re.sub(r"furlong|GB18030|SHA-256|umol/L", "", main(desk))
    assert not ENGLISH.search(words), ENGLISH.findall(words)

    for outcome in ("unknown_person", "other_person", "unit", "result"):
        desk.choose(leave_all=outcome)
    (slip,) = [each for each in desk.found.report["items"] if each["outcome"] == "slip"]
    assert "1.1" in row(desk, slip["place"])
    desk.choose(**{f"choice.{slip['key']}": "as:mg/dL"})
    desk.accept()
    assert desk.found.state == ImportState.ACCEPTED
    written = LabResult.objects.count()
    assert f"{written} 项结果已进入病例报告。" in desk.said
    assert not LabResult.objects.filter(subject__in=people[9:]).exists()
    assert {each.comparator for each in LabResult.objects.filter(analyte="PCT")} == {"<"}


def main(desk: Desk) -> str:
    """The text of the page's own part."""
    body = desk.html.partition("<main")[2].partition("</main>")[0]
    return re.sub(
        r"<[^>]+>", " ", re.sub(r"<(script|style|svg).*?</\1>", " ", body, flags=re.DOTALL)
    )
