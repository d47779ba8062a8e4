"""What a protocol file is refused for, and that the refusal names the line."""

from pathlib import Path

import pytest

from trialsite.protocol import ProtocolError, load, load_text, study_path

from .conftest import SECOND, Amended, ProblemsOf, assert_on_the_line

SINGLE = [
    pytest.param(
        "target_enrolment: 240",
        "target_enrolment: {value: 240, sources: listing}",
        "study.target_enrolment.sources",
        "Unknown key 'sources'",
        id="misspelt source",
    ),
    pytest.param(
        "target_enrolment: 240",
        "target_enrolment: {source: listing}",
        "study.target_enrolment",
        "Write a whole number",
        id="source without a value",
    ),
    pytest.param(
        "kind: investigator_judgement",
        "kind: investigator_judgment",
        "criteria.EX01.rule.kind",
        "did you mean 'investigator_judgement'?",
        id="unknown rule kind",
    ),
    pytest.param(
        "unit: mg/dL, inclusive",
        "unit: mg/L, inclusive",
        "criteria.EX01.rule.prompts.creatinine",
        "no factor for the unit 'mg/L'",
        id="unit without factor",
    ),
    pytest.param(
        "units: {mg/dL: 88.4}",
        "units: {mg/dL: }",
        "labs.analytes.CREAT.units.mg/dL.factor",
        "Write a decimal number",
        id="factor left out",
    ),
    pytest.param(
        "units: {mg/dL: 88.4}",
        "units: {mg/dL: 0}",
        "labs.analytes.CREAT.units.mg/dL",
        "greater than zero",
        id="factor zero",
    ),
    pytest.param(
        "lower: {value: 3.5, unit: mmol/L, inclusive: true}",
        "lower: {value: 3.5, unit: mmol/L, inclusive: maybe}",
        "criteria.IN02.rule.alternatives.K.lower.inclusive",
        "'maybe' is not true or false",
        id="inclusivity of no meaning",
    ),
    pytest.param(
        "lower: {value: 3.5, unit: mmol/L, inclusive: true}",
        "lower: {value: 5.5, unit: mmol/L, inclusive: true}",
        "criteria.IN02.rule.alternatives.K",
        "only if both are inclusive",
        id="range without a value",
    ),
    pytest.param(
        "lower: {value: 40,",
        "lower: {value: 81,",
        "criteria.IN01.rule.lower",
        "above the upper bound",
        id="range upside down",
    ),
    pytest.param(
        "target_enrolment: 240",
        'target_enrolment: "240"',
        "study.target_enrolment",
        "without quotes",
        id="number in quotes",
    ),
    pytest.param(
        "target_enrolment: 240",
        "target_enrolment: many",
        "study.target_enrolment",
        "'many' is not a whole number",
        id="word for a number",
    ),
    pytest.param(
        "target_enrolment: 240",
        "target_enrolment: 1e3",
        "study.target_enrolment",
        "not a whole number",
        id="exponent",
    ),
    pytest.param(
        "at: 09:30",
        "at: 24:30",
        "reminders.rules.due.at",
        "not a clock time",
        id="clock time of no day",
    ),
    pytest.param(
        "source: registry}\n  printed",
        "source: hearsay}\n  printed",
        "anchor.kind.source",
        "The source is one of",
        id="source of no kind",
    ),
    pytest.param(
        "kind: {value: enrolment, source: registry}",
        "kind: enrolment",
        "anchor.kind",
        "No source is given",
        id="no source",
    ),
    pytest.param(
        "kind: {value: enrolment, source: registry}",
        "kind: {value: enrolment, source: confirmed}",
        "anchor.kind.source",
        "The source is one of",
        id="confirmed by the file itself",
    ),
    pytest.param(
        "kind: {value: enrolment, source: registry}",
        "kind: {value: first_treatment, source: registry}",
        "anchor.kind",
        "no event has the role treatment",
        id="anchor that cannot happen",
    ),
    pytest.param(
        "analytes: [K, CREAT]",
        "analytes: [K, CREA]",
        "labs.panels.renal.analytes",
        "Unknown analyte 'CREA'",
        id="unknown analyte",
    ),
    pytest.param("  IN02:", "  IN03:", "criteria.IN03", "Expected IN02", id="gap in the numbers"),
    pytest.param("  IN02:", "  INCL2:", "criteria.INCL2", "is not IN or EX", id="id of no form"),
    pytest.param(
        "unit: mmol/L, inclusive: false}",
        "unit: meq/L, inclusive: false}",
        "criteria.IN02.rule.alternatives.K",
        "two units",
        id="bounds in two units",
    ),
    pytest.param(
        "units: {mg/dL: 88.4}",
        "units: {mg/dL: 88.4, umol/L: 1}",
        "labs.analytes.CREAT.units.umol/L",
        "canonical unit",
        id="canonical unit with a factor",
    ),
    pytest.param(
        "soft: {value: [2.5, 6.5], source: assumption}",
        "soft: {value: [2.5, 6.5], source: assumption}\n      hard: [3, 9]",
        "labs.analytes.K.soft",
        "beyond the hard range",
        id="soft beyond hard",
    ),
    pytest.param(
        "soft: {value: [2.5, 6.5], source: assumption}",
        "soft: {value: [6.5, 2.5], source: assumption}",
        "labs.analytes.K.soft",
        "swap the two",
        id="interval upside down",
    ),
    pytest.param(
        "  rules:\n    due:",
        "  quiet_from: 22:00\n  rules:\n    due:",
        "reminders",
        "both quiet_from and quiet_until",
        id="half the quiet hours",
    ),
    pytest.param(
        "roles: [research_nurse]",
        "roles: []",
        "reminders.rules.due.roles",
        "at least one role",
        id="nobody to remind",
    ),
    pytest.param(
        "roles: [research_nurse]",
        "roles: research_nurse",
        "reminders.rules.due.roles",
        "Write a list",
        id="one name for a list",
    ),
    pytest.param(
        "target_enrolment: 240",
        "target_enrolment: 240\n  starts_on: 2026-02-30",
        "study.starts_on",
        "is not a date",
        id="date that does not exist",
    ),
    pytest.param("phase: Phase 3", 'phase: " "', "study.phase", "text is empty", id="empty text"),
    pytest.param(
        "proposals: {}",
        "proposals: {gates: {g: {name: {en: G, zh: G}, kind: sentinel, active: true, "
        "subjects: {value: 1, source: registry}, day: {value: 7, source: registry}}}}",
        "proposals.gates.g.active",
        "signed configuration",
        id="proposal switched on by the file",
    ),
]


@pytest.mark.requirement("CC3")
@pytest.mark.parametrize(("old", "new", "path", "message"), SINGLE)
def test_one_mistake_is_one_problem_that_names_its_line(
    amended: Amended, old: str, new: str, path: str, message: str
) -> None:
    problems, line = amended(old, new)
    assert [problem.path for problem in problems] == [path]
    assert message in problems[0].message
    assert_on_the_line(problems[0], line, edited=old)


def test_a_role_is_unknown_only_to_a_caller_who_knows_the_roles(amended: Amended) -> None:
    problems, _ = amended("roles: [research_nurse]", "roles: [nurse]", known_roles={"monitor"})
    assert [problem.path for problem in problems] == ["reminders.rules.due.roles"]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = SECOND.read_text("utf-8")
    text = text.replace("target_enrolment: 240", "target_enrolment: many")
    text = text.replace("target_day: 90", "target_day: 900").replace("mg/dL: 88.4", "mg/dL: x")
    with pytest.raises(ProtocolError) as refusal:
        load_text(text, name="second.yaml")
    paths = [problem.path for problem in refusal.value.problems]
    assert paths == [
        "study.target_enrolment",
        "schedule.events.SE.M3.window",
        "labs.analytes.CREAT.units.mg/dL.factor",
    ]
    lines = str(refusal.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("second.yaml:16:21: study.target_enrolment: ")


@pytest.mark.parametrize(
    "section", ["study", "anchor", "schedule", "criteria", "labs", "reminders", "translation"]
)
def test_a_section_left_out_is_missed(protocol_file: Path, section: str) -> None:
    lines = protocol_file.read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{section}:"))
    rest = [n for n, line in enumerate(lines) if n > start and line and line[0].isalpha()]
    text = "\n".join(lines[:start] + lines[rest[0] :])
    with pytest.raises(ProtocolError, match=f"{section} is missing"):
        load_text(text)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "gbk.yaml"
    path.write_bytes("version: '1'\nname: 第0天\n".encode("gb18030"))
    with pytest.raises(ProtocolError, match=r"gbk\.yaml:2:1: This line is not UTF-8"):
        load(path)


def test_a_study_that_is_not_shipped_names_those_that_are() -> None:
    with pytest.raises(LookupError, match="shipped are nct06904755"):
        study_path("NCT00000000")


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        pytest.param("    every: 30", "    every: 0", "sessions.readings.every", id="no interval"),
        pytest.param(
            "interval_for_count: 60",
            "interval_for_count: 0",
            "sessions.readings.interval_for_count",
            id="no counting interval",
        ),
        pytest.param(
            "post_lab_panels: [chemistry,",
            "post_lab_panels: [chemistri,",
            "sessions.post_lab_panels",
            id="unknown panel after a session",
        ),
        pytest.param("PULSE: {", "PULS E: {", "item_limits.PULS E", id="item name with a space"),
        pytest.param(
            "highest: II\n", "highest: VI\n", "criteria.IN05.rule.highest", id="grade off the scale"
        ),
        pytest.param(
            "flagged_criteria: [IN03,",
            "flagged_criteria: [IN09,",
            "labs.rules.flagged_criteria",
            id="unknown criterion",
        ),
    ],
)
def test_sessions_limits_and_scales_are_checked_too(
    problems_of: ProblemsOf, old: str, new: str, path: str
) -> None:
    text = study_path("nct06904755").read_text("utf-8")
    assert old in text
    problems = problems_of(text.replace(old, new, 1))
    assert [problem.path for problem in problems] == [path]
