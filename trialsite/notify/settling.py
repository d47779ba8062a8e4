"""What became of notices: each attempt is logged, and the notice takes the state that follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import models, transaction
from django.db.models import F, Q

from trialsite.core.clock import trial_now
from trialsite.notify.models import (
    DIGEST,
    GIVE_UP_AFTER,
    HELD,
    DeliveryAttempt,
    Notice,
    Outcome,
    State,
)


def release(notices: Iterable[Notice]) -> None:
    """Give back claims that were not begun."""
    for notice in notices:
        Notice.objects.filter(
            pk=notice.pk, state=State.CLAIMED, lease_until=notice.lease_until
        ).update(state=State.PLANNED, lease_until=None)


def settle(notice: Notice, outcome: Outcome, error: str = "") -> None:
    """Log what an attempt came to, and let the notice take the state that follows.

    A worker that outlived its lease only logs, unless it knows that the mail went out.
    """
    now = trial_now()
    with transaction.atomic():
        current = Notice.objects.select_for_update(of=("self",)).get(pk=notice.pk)
        DeliveryAttempt.objects.create(notice=current, outcome=outcome, error=error[:500], at=now)
        ours = current.lease_until == notice.lease_until
        if current.state == State.SENT or not (ours or outcome is Outcome.SENT):
            return
        current.follow(outcome, now)
        current.last_error = error[:500]
        current.save()
        if current.kind == DIGEST and current.state in _OF_MEMBERS:
            _OF_MEMBERS[State(current.state)](current, now)


def _all_sent(digest: Notice, now: dt.datetime) -> None:
    _waiting_in(digest).update(state=State.SENT, sent_at=now)


def _all_failed(digest: Notice, _now: dt.datetime) -> None:
    _waiting_in(digest).update(state=digest.state, last_error=digest.last_error)


def _all_cancelled(digest: Notice, _now: dt.datetime) -> None:
    members = _waiting_in(digest)
    members.filter(sent_at__isnull=False).update(state=State.SENT)
    members.filter(sent_at=None).update(state=State.CANCELLED)


#: What the end of a digest is to those that it merges.
_OF_MEMBERS = {
    State.SENT: _all_sent,
    State.FAILED: _all_failed,
    State.NOBODY: _all_failed,
    State.CANCELLED: _all_cancelled,
}


def _waiting_in(digest: Notice) -> models.QuerySet[Notice]:
    return Notice.objects.filter(within=digest, state=State.BUNDLED)


def dissolve(digest: Notice, now: dt.datetime) -> None:
    """Let go what a digest merged that did not leave on its day: the next day's takes it."""
    members = _waiting_in(digest)
    given_up = Q(send_at__lt=now - GIVE_UP_AFTER)
    tried = {"attempts": F("attempts") + digest.attempts, "last_error": digest.last_error}
    members.filter(given_up).update(state=State.FAILED, within=None, **tried)
    members.filter(~given_up).update(state=State.PLANNED, within=None, try_at=now, **tried)
    settle(digest, Outcome.CANCELLED, "not sent on its day: what it said waits for the next")


def end_leases(now: dt.datetime) -> None:
    """Take back what dead workers held: begun is in doubt, merely claimed is not."""
    lapsed = Notice.objects.select_for_update(skip_locked=True).filter(
        state__in=HELD, send_at__lte=now, lease_until__lt=now
    )
    for notice in lapsed:
        if notice.state == State.SENDING:
            settle(notice, Outcome.IN_DOUBT, "the worker was lost while sending")
        else:
            release([notice])
