"""What has not been said, for the readiness probe and whoever looks after the system."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Q

from trialsite.core.clock import trial_now
from trialsite.notify.models import HELD, WAITING, Notice, State

#: A lost broker or worker makes mails late by no more than this.
LATE = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Notices that nobody has got: late ones, and those that need a person to look."""

    overdue: int
    in_doubt: int
    failed: int
    nobody: int


def backlog(now: dt.datetime | None = None) -> Backlog:
    """How far delivery is behind; two index scans, whatever has been sent before. What a
    digest merges counts with the digest, and what waits for the morning is not late."""
    late = Notice.objects.filter(
        state__in=(*WAITING, *HELD), send_at__lt=(now or trial_now()) - LATE
    )
    unsaid = Notice.objects.filter(state__in=(State.FAILED, State.NOBODY), within=None)
    return Backlog(
        **late.aggregate(overdue=Count("pk"), in_doubt=_in(State.IN_DOUBT)),
        **unsaid.aggregate(failed=_in(State.FAILED), nobody=_in(State.NOBODY)),
    )


def _in(state: State) -> Count:
    return Count("pk", filter=Q(state=state))
