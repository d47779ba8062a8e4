"""The table of `make faults` says what was counted, and hides no promise that was broken."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from tests.faulting import lines_of, table_of


def report(outcome: str = "passed", *, told: Any = (), marked: Any = ()) -> SimpleNamespace:
    properties = [
        *(("fault told", json.dumps(each)) for each in told),
        *(("fault marked", json.dumps(each)) for each in marked),
        ("proves", json.dumps(["RM1"])),
    ]
    return SimpleNamespace(outcome=outcome, user_properties=properties, nodeid="tests/a.py::test_b")


KILLED = ["worker killed", "none lost"]


def test_tests_of_one_fault_are_one_line_and_a_broken_promise_comes_first():
    lines = lines_of(
        [
            report(marked=[KILLED]),
            report(told=[["disk full", "all kept", "2 disks", "900 kept, 0 lost"]], marked=[[]]),
            report("failed", marked=[KILLED]),
            report(),
        ]
    )
    assert [line.cells() for line in lines] == [
        {
            "fault": "worker killed",
            "done": "2 tests",
            "promised": "none lost",
            "counted": "1 of 2 tests held",
            "kept": "NO",
            "requirement": "RM1",
        },
        {
            "fault": "disk full",
            "done": "2 disks",
            "promised": "all kept",
            "counted": "900 kept, 0 lost",
            "kept": "yes",
            "requirement": "RM1",
        },
    ]


def test_a_test_that_failed_before_it_could_tell_has_its_line():
    (line,) = lines_of([report("failed", marked=[[]])])
    assert (line.fault, line.cells()["kept"]) == ("test_b", "NO")


def test_no_line_of_the_table_is_wider_than_its_columns():
    told = ["x " * 60, "y " * 60, "z " * 60, "w " * 60]
    text = list(table_of(lines_of([report(told=[told])])))
    assert max(map(len, text)) <= 165
    assert sum(line.count("w") for line in text) == 60
