"""The dispatcher: claim in one short transaction, send outside it, mark after.

Exactly once does not exist over SMTP. A worker that dies between the server's 250 and our
mark leaves a notice in doubt: it is sent again under the same Message-ID, and the log says
so. A worker that dies with claims it has not begun leaves no doubt about them.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import defaultdict
from collections.abc import Iterable

from django.core.mail import EmailMessage
from django.db import transaction

from trialsite.access.context import system_context
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, Context, acting
from trialsite.notify.mail import Post, ServerAwayError, compose
from trialsite.notify.models import (
    HELD,
    READY_MADE,
    WAITING,
    DeliveryAttempt,
    Notice,
    Outcome,
    State,
)
from trialsite.notify.planning import planner_of

log = logging.getLogger(__name__)

BATCH = 100
#: No mail is begun after this; the last one ends before the task's limit and the lease do.
BEGIN_WITHIN = 30.0
LEASE = dt.timedelta(seconds=120)


def deliver_due(now: dt.datetime | None = None, *, limit: int = BATCH) -> bool:
    """Send one batch of what is due; whether there may be more to do at once."""
    started = time.monotonic()
    context = system_context("notify", Channel.TASK)
    claimed = claim(context, now or trial_now(), limit)
    post = Post()
    try:
        for done, notice in enumerate(claimed):
            if time.monotonic() - started > BEGIN_WITHIN:
                release(claimed[done:])
                return True
            _deliver(context, post, notice)
    except ServerAwayError as error:
        settle(notice, Outcome.DEFERRED, str(error))
        release(claimed[done + 1 :])
        return False
    finally:
        post.close()
    return len(claimed) == limit


def claim(context: Context, now: dt.datetime, limit: int = BATCH) -> list[Notice]:
    """Take what is due for a while, after asking its planners whether it still is."""
    with acting(context):
        _end_leases(now)
        found = list(
            Notice.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("recipient")
            .filter(state__in=WAITING, due_at__lte=now, try_at__lte=now)
            .order_by("due_at", "id")[:limit]
        )
        ready = _ready(found)
        for notice in ready:
            notice.state, notice.lease_until = State.CLAIMED, now + LEASE
        Notice.objects.filter(pk__in=[notice.pk for notice in ready]).update(
            state=State.CLAIMED, lease_until=now + LEASE
        )
    return ready


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


def _end_leases(now: dt.datetime) -> None:
    """Take back what dead workers held: begun is in doubt, merely claimed is not."""
    lapsed = Notice.objects.select_for_update(skip_locked=True).filter(
        state__in=HELD, due_at__lte=now, lease_until__lt=now
    )
    for notice in lapsed:
        if notice.state == State.SENDING:
            settle(notice, Outcome.IN_DOUBT, "the worker was lost while sending")
        else:
            release([notice])


def _ready(notices: list[Notice]) -> list[Notice]:
    """Those to send now; the others are settled."""
    by_kind: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_kind[notice.kind].append(notice)
    due = [notice for kind, asked in by_kind.items() for notice in _still_due(kind, asked)]
    for notice in due:
        if not notice.has_reader:
            settle(notice, Outcome.NOBODY)
    return [notice for notice in due if notice.has_reader]


def _still_due(kind: str, notices: list[Notice]) -> list[Notice]:
    """What the planner of a kind says of its notices; a mail given ready-made stays due."""
    if kind == READY_MADE:
        return notices
    try:
        with transaction.atomic():
            due = planner_of(kind).still_due(notices)
    except Exception as error:  # one broken planner holds up its own kind only
        log.exception("whether %s is still due cannot be told", kind)
        for notice in notices:
            settle(notice, Outcome.DEFERRED, repr(error))
        return []
    for notice in notices:
        if notice.pk not in due:
            settle(notice, Outcome.CANCELLED)
    return [notice for notice in notices if notice.pk in due]


def _deliver(context: Context, post: Post, notice: Notice) -> None:
    message = _begin(context, notice)
    if message is not None:
        settle(notice, *post.send(message))


def _begin(context: Context, notice: Notice) -> EmailMessage | None:
    """Mark the notice as begun and write its text; nothing where the lease is lost."""
    try:
        with acting(context):
            begun = Notice.objects.filter(
                pk=notice.pk, state=State.CLAIMED, lease_until=notice.lease_until
            ).update(state=State.SENDING)
            return compose(notice) if begun else None
    except Exception as error:
        log.exception("the text of %s cannot be made", notice.pk)
        settle(notice, Outcome.DEFERRED, repr(error))
        return None
