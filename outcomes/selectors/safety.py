"""What the protocol's safety rules look at, counted over every site."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from trialsite.conduct.toxicity import Toxicity
from trialsite.protocol.proposals import HoldProposal, MonitorProposal


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedSerious:
    """Related serious events among the first treated subjects."""

    treated: int
    events: int


def related_serious(rule: HoldProposal) -> RelatedSerious:
    """The count that a rule on related serious events compares; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.related_serious(%s, %s)",
            [rule.among_first, rule.grade_at_least or 1],
        )
        treated, events = cursor.fetchone()[0]
    return RelatedSerious(treated=treated, events=events)


def toxicity_of(monitor: MonitorProposal) -> Toxicity:
    """The study as a monitor sees it; one statement. Its events must be defined."""
    assert monitor.is_defined
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.toxicities(%s, %s, %s)",
            [monitor.grade_at_least, monitor.related, monitor.within_days],
        )
        treated, evaluable, with_event = cursor.fetchone()[0]
    return Toxicity(treated=treated, evaluable=evaluable, with_event=with_event)
