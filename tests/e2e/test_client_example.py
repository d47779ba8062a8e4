"""The client of the documentation, on the running product: what is promised there works."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.examples.trialsite_client import RefusedError, Trialsite
from tests.access.test_api_tokens import make_token
from tests.factories import make_record, make_subject

SCRIPT = Path(__file__).parents[2] / "docs/examples/trialsite_client.py"


@pytest.mark.requirement("EX1")
def test_the_example_saves_every_dataset_and_a_form(stack, cast, tmp_path):
    subject = make_subject(cast.site)
    record = make_record(subject)
    nurse = Trialsite(stack.url, make_token(cast.nurse, read_only=False))
    saved = nurse.save_form("vs", str(record.pk), assessed_at="2026-01-05 08:30", systolic="118")
    assert saved["values"]["systolic"] == 118
    done = subprocess.run(
        [sys.executable, str(SCRIPT), stack.url, str(tmp_path)],
        env=os.environ | {"TRIALSITE_TOKEN": make_token(cast.data_manager)},
        check=True,
        capture_output=True,
        text=True,
    )
    told = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert set(told) == {each.stem for each in tmp_path.iterdir()}
    with (tmp_path / "vs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert int(told["vs"]) == len(rows)
    (mine,) = [row for row in rows if row["RECORD"] == str(record.pk)]
    assert mine["systolic"] == "118"


def test_the_example_tells_a_refusal(stack, cast):
    with pytest.raises(RefusedError, match="403"):
        Trialsite(stack.url, make_token(cast.nurse)).get("datasets/")
    with pytest.raises(RefusedError, match="401"):
        Trialsite(stack.url, "trialsite_unknown").get("subjects/")
