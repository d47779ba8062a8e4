"""The signed decision: it follows from data and answers, and stands while they do."""

from __future__ import annotations

from screening.eligibility.again import frozen
from screening.selectors.eligibility import reproduce, signed_decision
from tests.factories import as_person
from tests.screening.deciding import confirm_all, decide, make_candidate


def test_a_person_whom_nothing_keeps_out_is_declared_eligible(cast):
    subject = make_candidate(cast)
    confirm_all(cast)
    evaluation = decide(cast, subject)
    assert evaluation.decision == "eligible"
    with as_person(cast.nurse):
        decision = signed_decision(subject)
        assert decision is not None
        assert (decision.eligible, decision.stands) == (True, True)
        assert frozen(reproduce(evaluation)) == evaluation.verdicts
