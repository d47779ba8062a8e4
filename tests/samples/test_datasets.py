"""Samples as datasets."""

from __future__ import annotations

import csv
import io

import pytest

from tests.factories import sign_in
from tests.samples.bench import collected, stored


@pytest.mark.parametrize(("name", "rows"), [("be", 5), ("bs", 2), ("specimens", 2)])
def test_each_dataset_holds_what_there_is(cast, visit, technician, box, name, rows):
    stored(visit, technician, box)
    collected(visit, technician, "URINE")
    answer = sign_in(cast.data_manager).get(f"/api/v1/datasets/{name}/")
    text = b"".join(answer)
    lines = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert len(lines) == rows
    assert {line["SITEID"] for line in lines} == {"001"}
    if name == "bs":
        kept = next(line for line in lines if line["STATE"] == "stored")
        assert kept["PARENT"] == kept["BSREFID"][:12] + kept["PARENT"][-1]
        assert kept["LOC"] == "1"
        assert int(kept["FRZMIN"]) in {59, 60}
