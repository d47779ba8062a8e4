"""Whoever decides about holds never waits in a ring with whoever switches rules or enters data."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction

from tests.factories import as_person, given, make_cast, make_protocol, make_subject
from tests.outcomes.conftest import treated
from tests.outcomes.test_safety_rules import SUSAR, happened
from tests.signing import proof_of
from tests.waiting import until
from trialsite.access.models import Site
from trialsite.conduct.models import Hold, ProposedHold, RuleKind, Scope
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.services.holds import switch_rule
from trialsite.conduct.services.proposals import dismiss_proposed, place_proposed, propose_hold
from trialsite.core.exceptions import TransitionError


def waiting(count: int) -> Callable[[], bool]:
    def enough() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT w.pid) FROM pg_locks w JOIN pg_locks o ON o.pid = w.pid "
                "JOIN pg_database d ON d.oid = o.database AND d.datname = current_database() "
                "WHERE NOT w.granted"
            )
            return bool(cursor.fetchone()[0] >= count)

    return enough


class Aside(threading.Thread):
    """Somebody else at work, on a connection of their own; what was raised is kept."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work = work
        self.raised: Exception | None = None

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.raised = error
        finally:
            connections.close_all()


@pytest.mark.parametrize("act", [place_proposed, dismiss_proposed])
def test_a_decision_while_the_rule_is_switched_on(committed, act):
    """Whoever switches on holds for what waits; whoever decides must not come the other way."""
    cast = given(make_cast)()
    version = make_protocol(cast.site)
    by = cast.investigator
    with as_person(by):
        proposal = propose_hold(site=cast.site, rule="susar", reason="An event", key="x")

    def switch() -> None:
        with as_person(by):
            switch_rule(
                version=version, kind=RuleKind.HOLD, rule="susar", active=True,
                reason="board of 3 May", by=by, proof=proof_of(by),
            )  # fmt: skip

    def decide() -> None:
        facts: dict[str, Any] = (
            {"scope": Scope.BOTH} if act is place_proposed else {"reason": "explained"}
        )
        with as_person(by):
            act(proposal=proposal, by=by, **facts)

    first, second = Aside(switch), Aside(decide)
    with as_person(by), transaction.atomic():
        decide_under_holds()
        first.start()
        until(waiting(1), what="the switching waits for an enrolment")
        second.start()
        until(waiting(2), what="the decision waits, too")
    first.join()
    second.join()
    assert first.raised is None
    assert isinstance(second.raised, TransitionError)
    with as_person(by):
        assert Hold.objects.count() == 1
        assert ProposedHold.objects.get().status == "placed"


def test_an_event_that_is_proposed_while_a_session_proposes_its_deviation(committed):
    """A session that starts has the order of holds, and then asks for its site."""
    cast = given(make_cast)()
    make_protocol(cast.site)
    subject = make_subject(cast.site, number="001-001", status="enrolled")
    treated(subject, cast.nurse)
    event = Aside(lambda: happened(subject, cast.nurse, **SUSAR))
    with as_person(cast.investigator), transaction.atomic():
        decide_under_holds(changing=True)
        event.start()
        until(waiting(1), what="the event waits for the session")
        Site.objects.select_for_update(no_key=True).get(pk=cast.site.pk)
    event.join()
    assert event.raised is None
    with as_person(cast.investigator):
        assert ProposedHold.objects.filter(trigger="susar").count() == 1
