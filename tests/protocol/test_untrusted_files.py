"""A protocol file is data: it cannot make objects, grow, or break the reader."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.protocol import ProtocolError, load_text
from trialsite.protocol.nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES

from .conftest import ProblemsOf

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param(LAUGHS, (1, 4), "Anchors and aliases are not used", id="anchor"),
        pytest.param("a: *a\n", (1, 4), "Anchors and aliases are not used", id="alias"),
        pytest.param("a: !!python/name:os.system\n", (1, 4), "Tags are not used", id="object tag"),
        pytest.param("a: !mine 1\n", (1, 4), "Tags are not used", id="own tag"),
        pytest.param("a: 1\n---\nb: 2\n", (2, 1), "second document", id="two documents"),
        pytest.param("a:\n\tb: 1\n", (2, 1), "indent with spaces", id="tab"),
        pytest.param("a: [1, 2\nb: 3\n", (2, 2), "cannot be read here", id="open bracket"),
        pytest.param("? [a, b]\n: c\n", (1, 3), "a single word", id="list as a key"),
        pytest.param("", (1, 1), "is a mapping of sections", id="nothing"),
        pytest.param("- a\n- b\n", (1, 1), "is a mapping of sections", id="a list"),
        pytest.param("a: \x00\n", (1, 1), "Not YAML text", id="control character"),
        pytest.param("a: " + "[" * 200_000, (1, 19), "Nested deeper", id="bottomless"),
        pytest.param(
            "a: [" + "1," * MAX_NODES + "1]", (1, None), "More than", id="too many values"
        ),
        pytest.param("#" * (MAX_BYTES + 1), (1, 1), "larger than", id="too large"),
    ],
)
def test_what_is_not_a_plain_document_is_refused_where_it_stops(
    text: str, place: tuple[int, int | None], message: str
) -> None:
    with pytest.raises(ProtocolError) as refusal:
        load_text(text)
    (problem,) = refusal.value.problems
    line, column = place
    assert message in problem.message
    assert problem.line == line
    assert column in {None, problem.column}


def test_the_depth_allowed_is_more_than_a_protocol_needs(protocol_file: Path) -> None:
    lines = protocol_file.read_text("utf-8").splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert max(indents) // 2 + 4 < MAX_DEPTH


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_that_is_no_protocol_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        load_text(text)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_a_file_with_lines_lost_is_loaded_or_refused_with_a_line(
    problems_of: ProblemsOf, protocol_file: Path, seed: int
) -> None:
    lines = protocol_file.read_text("utf-8").splitlines()
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        lines.pop(chance.randrange(len(lines)))
    for problem in problems_of("\n".join(lines)):
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.message


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), junk=st.sampled_from(["x", "-1", "[]", "{}", "null", '""']))
def test_a_file_with_one_value_replaced_is_loaded_or_refused_with_a_line(
    problems_of: ProblemsOf, protocol_file: Path, seed: int, junk: str
) -> None:
    lines = protocol_file.read_text("utf-8").splitlines()
    candidates = [n for n, line in enumerate(lines) if ": " in line]
    at = random.Random(seed).choice(candidates)
    lines[at] = lines[at].split(": ")[0] + ": " + junk
    for problem in problems_of("\n".join(lines)):
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.message
