"""What a schedule is refused for, and that the refusal names the line."""

import pytest

from .conftest import Amended, assert_on_the_line

SINGLE = [
    pytest.param(
        "window: {value: [76, 104], source: assumption}",
        "window: {value: [91, 104], source: assumption}",
        "schedule.events.SE.M3.window",
        "leaves out the target day 90",
        id="target outside its window",
    ),
    pytest.param("SE.V1:", "SE.V0:", "SE.V0", "repeats line", id="duplicate OID"),
    pytest.param(
        "visitnum: 15",
        "visitnum: 10",
        "schedule.events.SE.M6.visitnum",
        "belongs to SE.M3 already",
        id="duplicate VISITNUM",
    ),
    pytest.param(
        "{en: Month 3, zh: 第3个月}",
        "{en: Month 3}",
        "schedule.events.SE.M3.name.zh",
        "zh wording is missing",
        id="no Chinese",
    ),
    pytest.param(
        "{en: Month 3, zh: 第3个月}",
        "{zh: 第3个月}",
        "schedule.events.SE.M3.name.en",
        "en wording is missing",
        id="no English",
    ),
    pytest.param(
        "target_day: 90",
        "targetday: 90",
        "schedule.events.SE.M3.targetday",
        "did you mean 'target_day'?",
        id="misspelt key",
    ),
    pytest.param(
        "role: follow_up\n      visitnum: 10",
        "role: followup\n      visitnum: 10",
        "schedule.events.SE.M3.role",
        "'followup' is not one of",
        id="word outside its list",
    ),
    pytest.param(
        "window: [-35, -21]",
        "window: [-21, -35]",
        "schedule.events.SE.V0.window",
        "ends before it starts",
        id="window upside down",
    ),
    pytest.param(
        "window: [-35, -21]",
        "window: [-35]",
        "schedule.events.SE.V0.window",
        "two numbers, not 1",
        id="half a window",
    ),
    pytest.param(
        "samples: [URINE]",
        "samples: [URIN]",
        "schedule.events.SE.M3.samples",
        "Unknown specimen 'URIN'",
        id="unknown specimen",
    ),
    pytest.param(
        "forms: [F.BP, F.DIARY]",
        "forms: [F.BP, F.BP]",
        "schedule.events.SE.V0.forms",
        "listed twice",
        id="form listed twice",
    ),
    pytest.param(
        "      window: {value: [166, 194], source: assumption}\n",
        "",
        "schedule.events.SE.M6",
        "go together",
        id="target without window",
    ),
    pytest.param(
        "target_day: 180\n      window: {value: [166, 194], source: assumption}\n",
        "days_allowed: 3\n",
        "schedule.events.SE.M6",
        "needs target_day and window",
        id="scheduled without a date",
    ),
    pytest.param(
        "visitnum: 15\n",
        "\n",
        "schedule.events.SE.M6",
        "needs a visitnum",
        id="scheduled without VISITNUM",
    ),
    pytest.param(
        "kind: scheduled\n      role: follow_up\n      visitnum: 15",
        "kind: unscheduled\n      role: follow_up\n      visitnum: 15",
        "schedule.events.SE.M6.target_day",
        "Only a scheduled event has a target day",
        id="unscheduled with a date",
    ),
    pytest.param(
        "repeat_limit: 50",
        "repeat_limit: 0",
        "schedule.events.SE.AE.repeat_limit",
        "at least once",
        id="event that never occurs",
    ),
    pytest.param(
        "visitnum: 15\n",
        "visitnum: 15\n      repeat_limit: 2\n",
        "schedule.events.SE.M6.repeat_limit",
        "occurs once",
        id="dated event that repeats",
    ),
    pytest.param(
        "target_day: 0\n      window: [0, 0]",
        "target_day: 1\n      window: [1, 1]",
        "schedule.events.SE.V1.target_day",
        "has target day 0",
        id="day zero on another day",
    ),
    pytest.param(
        "kind: scheduled\n      role: day_zero\n      visitnum: 5\n"
        "      target_day: 0\n      window: [0, 0]",
        "kind: common\n      role: day_zero\n      visitnum: 5",
        "schedule.events.SE.V1.target_day",
        "has target day 0",
        id="day zero without a day",
    ),
]


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize(("old", "new", "path", "message"), SINGLE)
def test_one_mistake_in_the_schedule_is_one_problem_that_names_its_line(
    amended: Amended, old: str, new: str, path: str, message: str
) -> None:
    problems, line = amended(old, new)
    assert [problem.path for problem in problems] == [path]
    assert message in problems[0].message
    assert_on_the_line(problems[0], line, edited=old)


@pytest.mark.requirement("TM4")
def test_a_schedule_without_day_zero_is_refused(amended: Amended) -> None:
    problems, _ = amended("role: day_zero", "role: extra")
    assert [problem.message for problem in problems] == [
        "Exactly one event needs the role day_zero."
    ]


@pytest.mark.requirement("TM4")
@pytest.mark.parametrize(
    ("window", "refused"),
    [
        pytest.param("[104, 194]", True, id="one shared day"),
        pytest.param("[105, 194]", False, id="the next day"),
        pytest.param("[80, 194]", True, id="a shared stretch"),
    ],
)
def test_windows_after_the_anchor_may_not_share_a_day(
    amended: Amended, window: str, *, refused: bool
) -> None:
    problems, line = amended(
        "window: {value: [166, 194], source: assumption}",
        f"window: {{value: {window}, source: assumption}}",
    )
    assert [(problem.line, problem.path) for problem in problems] == [
        (line, "schedule.events.SE.M6.window")
    ] * refused
    assert all("overlaps [76, 104] of SE.M3" in problem.message for problem in problems)


def test_windows_before_the_anchor_may_overlap_it(amended: Amended) -> None:
    problems, _ = amended("window: [-35, -21]", "window: [-35, 0]")
    assert problems == ()


def test_a_form_is_unknown_only_to_a_caller_who_knows_the_forms(amended: Amended) -> None:
    assert amended("F.BP", "F.BP")[0] == ()
    problems, line = amended("F.DIARY", "F.DAIRY", known_forms={"F.BP", "F.DIARY"})
    assert [(problem.line, problem.path) for problem in problems] == [
        (line, "schedule.events.SE.V0.forms")
    ]
    assert "Unknown form 'F.DAIRY'; known are F.BP, F.DIARY." in problems[0].message
