"""The same from the command line: a table for the terminal, a file if one is named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.dashboard.feasibility.hospital import MAPPINGS, as_csv, patients, table
from tests.factories import given, make_protocol
from trialsite.access.models import Site
from trialsite.core.clock import trial_today
from trialsite.core.spreadsheets import restore


@pytest.fixture(autouse=True)
def _study(cast):
    make_protocol(cast.site)


@pytest.fixture
def file(tmp_path) -> Path:
    path: Path = tmp_path / "patients.csv"
    path.write_bytes(as_csv(table(patients(), umol=True), "gb18030"))
    return path


def told(*args: object, **options: object) -> str:
    out = io.StringIO()
    call_command("feasibility", *map(str, args), stdout=out, **options)
    return out.getvalue()


def test_the_answer_is_a_table_and_a_file(file, tmp_path):
    rows = tmp_path / "rows.csv"
    said = told(file, mapping=str(MAPPINGS / "umol.yaml"), csv=str(rows), as_written=True)
    assert "GB18030, comma" in said
    assert "Of 60 people 0 are eligible" in said
    assert "EX04 MELD > 30" in said
    written = list(csv.DictReader(io.StringIO(rows.read_bytes().decode("utf-8-sig"))))
    assert [restore(row["person"]) for row in written] == [f"H{n:03d}" for n in range(1, 61)]
    assert list(tmp_path.glob(".feasibility-*")) == []


def test_a_survival_table_is_estimated(tmp_path):
    path, described = tmp_path / "times.csv", tmp_path / "map.yaml"
    path.write_text("t,s\n5,2\n20,0\n26,1\n")
    described.write_text(
        'survival: {time: t, status: s, codes: {"0": censored, "1": transplanted, "2": dead}}\n'
    )
    said = told(path, mapping=str(described))
    assert "Overall survival · 1/3" in said
    assert "66.7 %" in said


@pytest.mark.parametrize(
    ("content", "text", "says"),
    [
        ("age\nold\n", "columns: {age: age}\n", "2:1 age: “old” is no number."),
        ("age\n40\n", "columns: {aeg: age}\n", "1:11: columns.aeg"),
        ("b\n40\n", "columns: {age: age}\n", "no column"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_nothing_is_written(tmp_path, content, text, says):
    path, described, rows = tmp_path / "a.csv", tmp_path / "map.yaml", tmp_path / "rows.csv"
    path.write_text(content)
    described.write_text(text)
    with pytest.raises(CommandError) as caught:
        told(path, mapping=str(described), csv=str(rows))
    assert says in str(caught.value)
    assert not rows.exists()


def test_it_speaks_the_language_that_is_asked_for(file):
    said = told(file, mapping=str(MAPPINGS / "umol.yaml"), language="zh-hans")
    assert "总胆红素" in said


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_row_without_a_date_is_judged_for_the_day_at_the_site(cast, tmp_path, zone):
    """Between these two it is never the same day."""
    given(Site.objects.filter(pk=cast.other_site.pk).update)(time_zone=zone)
    path, described = tmp_path / "a.csv", tmp_path / "map.yaml"
    path.write_text("age\n40\n")
    described.write_text("columns: {age: age}\n")
    said = told(path, mapping=str(described), site=cast.other_site.code)
    assert f"judged for {given(trial_today)(zone)}" in said


def test_a_site_that_does_not_exist_is_told(file):
    with pytest.raises(CommandError, match="no site 999"):
        told(file, mapping=str(MAPPINGS / "umol.yaml"), site="999")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CommandError):
        told(tmp_path / "none.csv", mapping=str(MAPPINGS / "umol.yaml"))
