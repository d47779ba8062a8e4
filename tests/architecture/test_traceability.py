"""Requirements and tests know each other."""

from __future__ import annotations

from tests.traceability import MATRIX, marked_tests, matrix, requirements


def test_every_mark_names_a_requirement():
    assert set(marked_tests()) <= {each["id"] for each in requirements()}


def test_the_matrix_in_the_docs_is_current():
    assert MATRIX.read_text("utf-8") == matrix(), "run `make docs`"
