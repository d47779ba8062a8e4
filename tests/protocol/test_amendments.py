import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.protocol import Change, Protocol, Source, diff, load, load_text

from .conftest import SECOND

Amended = Callable[[str, str], Protocol]


@pytest.fixture
def amendment() -> Amended:
    """The second protocol with one edit."""

    def amend(old: str, new: str) -> Protocol:
        text = SECOND.read_text("utf-8")
        assert old in text
        return load_text(text.replace(old, new, 1))

    return amend


def as_text(change: Change) -> tuple[str, str | None, str | None]:
    return (
        change.path,
        change.old.value if change.old else None,
        change.new.value if change.new else None,
    )


@pytest.mark.requirement("CC3")
def test_a_protocol_does_not_differ_from_itself(protocol: Protocol, protocol_file: Path) -> None:
    again = load(protocol_file)
    assert again.content_hash == protocol.content_hash
    assert diff(protocol, again) == ()
    assert re.fullmatch("[0-9a-f]{64}", again.content_hash)


@pytest.mark.requirement("CC3")
def test_a_version_loads_again_from_the_text_it_was_kept_as(
    protocol: Protocol, protocol_file: Path
) -> None:
    kept = load_text(protocol_file.read_text("utf-8"))
    assert kept.content_hash == protocol.content_hash
    assert kept.version == protocol.version


def test_two_studies_have_two_hashes(nct06904755: Protocol, second: Protocol) -> None:
    assert nct06904755.content_hash != second.content_hash
    assert diff(nct06904755, second)


@pytest.mark.requirement("CC3")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("study:\n", "# a remark\nstudy:\n", id="a comment"),
        pytest.param("value: 3.5,", "value: 3.50,", id="a trailing zero"),
        pytest.param(
            "conditions: [Hypertension]", "conditions:\n    - Hypertension", id="another layout"
        ),
        pytest.param("phase: Phase 3\n  sex: All", "sex: All\n  phase: Phase 3", id="order"),
        pytest.param("SE.V0:\n", "SE.V0:\n      source: registry\n", id="a source said again"),
    ],
)
def test_layout_is_no_amendment(amendment: Amended, second: Protocol, old: str, new: str) -> None:
    assert diff(second, amendment(old, new)) == ()
    assert amendment(old, new).content_hash == second.content_hash


@pytest.mark.requirement("CC3")
@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        pytest.param(
            "[76, 104]",
            "[80, 104]",
            [("schedule.events.SE.M3.window", "[76, 104]", "[80, 104]")],
            id="a window",
        ),
        pytest.param(
            "en: Month 3",
            "en: Third month",
            [("schedule.events.SE.M3.name.en", "Month 3", "Third month")],
            id="a name",
        ),
        pytest.param(
            "      samples: [URINE]\n",
            "",
            [("schedule.events.SE.M3.samples", "[URINE]", None)],
            id="a line removed",
        ),
        pytest.param(
            "    MORNING: {name: {en: Morning dose, zh: 晨间给药}}\n",
            "",
            [
                ("study.arms", "[MORNING, EVENING]", "[EVENING]"),
                ("study.arms.MORNING.name.en", "Morning dose", None),
                ("study.arms.MORNING.name.zh", "晨间给药", None),
            ],
            id="a member removed",
        ),
        pytest.param(
            'version: "2026-03"',
            'version: "2026-04"',
            [("version", "2026-03", "2026-04")],
            id="the version alone",
        ),
    ],
)
def test_an_amendment_lists_what_it_changes(
    amendment: Amended,
    second: Protocol,
    old: str,
    new: str,
    changes: list[tuple[str, str | None, str | None]],
) -> None:
    amended = amendment(old, new)
    assert [as_text(change) for change in diff(second, amended)] == changes
    assert amended.content_hash != second.content_hash


def test_a_change_of_source_is_an_amendment_too(amendment: Amended, second: Protocol) -> None:
    amended = amendment(
        "{value: [76, 104], source: assumption}", "{value: [76, 104], source: registry}"
    )
    (change,) = diff(second, amended)
    assert change.path == "schedule.events.SE.M3.window"
    assert change.old
    assert change.new
    assert (change.old.source, change.new.source) == (Source.ASSUMPTION, Source.REGISTRY)
    assert amended.content_hash != second.content_hash


@settings(deadline=None)
@given(target=st.integers(1, 10_000))
def test_the_hash_tells_exactly_whether_something_changed(second: Protocol, target: int) -> None:
    text = SECOND.read_text("utf-8").replace("target_enrolment: 240", f"target_enrolment: {target}")
    amended = load_text(text)
    assert (diff(second, amended) == ()) is (amended.content_hash == second.content_hash)
    assert (amended.content_hash == second.content_hash) is (target == 240)


def test_the_way_back_mirrors_the_way_there(nct06904755: Protocol, second: Protocol) -> None:
    there, back = diff(nct06904755, second), diff(second, nct06904755)
    assert [(c.path, c.old, c.new) for c in there] == [(c.path, c.new, c.old) for c in back]
