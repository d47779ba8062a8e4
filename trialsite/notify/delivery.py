"""The dispatcher: claim in one short transaction, send outside it, mark after.

Exactly once does not exist over SMTP. A worker that dies between the server's 250 and our
mark leaves a notice in doubt: it is sent again under the same Message-ID, and the log says
so. A worker that dies with claims it has not begun leaves no doubt about them.
"""

from __future__ import annotations

import datetime as dt
import logging
import time

from trialsite.access.context import system_context
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel as Source
from trialsite.core.context import Context, acting
from trialsite.notify.channels import AwayError, Channel, Letter, Post, channels_on
from trialsite.notify.digests import gather, reviewed
from trialsite.notify.letters import compose
from trialsite.notify.models import DIGEST, WAITING, By, Lane, Notice, Outcome, State
from trialsite.notify.readers import readers_of
from trialsite.notify.settling import end_leases, release, settle
from trialsite.notify.sifting import sift

log = logging.getLogger(__name__)

BATCH = 100
#: No mail is begun after this; the last one ends before the task's limit and the lease do.
BEGIN_WITHIN = 30.0
LEASE = dt.timedelta(seconds=120)


def deliver_due(now: dt.datetime | None = None, *, limit: int = BATCH) -> bool:
    """Send one batch of what is due by each channel; whether there may be more to do at once."""
    context = system_context("notify", Source.TASK)
    moment = now or trial_now()
    drop_unsendable(context, limit)
    more = False
    for channel in channels_on().values():
        more |= gather(context, moment, channel.name)
        more |= _deliver_batch(context, channel, moment, limit)
    return more


def drop_unsendable(context: Context, limit: int) -> None:
    """Cancel what waits for a channel that the operator has switched off."""
    with acting(context):
        waiting = Notice.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state__in=WAITING
        )
        for notice in waiting.exclude(channel__in=channels_on())[:limit]:
            settle(notice, Outcome.CANCELLED, "the channel is switched off")


def _deliver_batch(context: Context, channel: Channel, now: dt.datetime, limit: int) -> bool:
    started = time.monotonic()
    claimed = claim(context, now, limit, channel.name)
    post = channel.open()
    try:
        for done, notice in enumerate(claimed):
            if time.monotonic() - started > BEGIN_WITHIN:
                release(claimed[done:])
                return True
            _deliver(context, post, notice)
    except AwayError as error:
        settle(notice, Outcome.DEFERRED, str(error))
        release(claimed[done + 1 :])
        return False
    finally:
        post.close()
    return len(claimed) == limit


def claim(
    context: Context, now: dt.datetime, limit: int = BATCH, channel: By = By.MAIL
) -> list[Notice]:
    """Take what is due for a while, after asking its planners whether it still is."""
    with acting(context):
        end_leases(now)
        found = _found(now, limit, channel)
        readers = readers_of([notice.recipient for notice in found], now)
        ready = sift(found, readers, now)
        digests = [notice for notice in ready if notice.kind == DIGEST]
        standing = set(reviewed(digests, readers, now))
        ready = [notice for notice in ready if notice.kind != DIGEST or notice in standing]
        for notice in ready:
            notice.state, notice.lease_until = State.CLAIMED, now + LEASE
        Notice.objects.filter(pk__in=[notice.pk for notice in ready]).update(
            state=State.CLAIMED, lease_until=now + LEASE
        )
    return ready


def _found(now: dt.datetime, limit: int, channel: By) -> list[Notice]:
    """What waits and is due: what is urgent first, whatever else has piled up."""
    due = (
        Notice.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("recipient")
        .filter(state__in=WAITING, channel=channel, send_at__lte=now, try_at__lte=now)
        .order_by("send_at", "id")
    )
    urgent = list(due.filter(lane=Lane.URGENT)[:limit])
    room = limit - len(urgent)
    return urgent + (list(due.filter(lane=Lane.ORDINARY)[:room]) if room else [])


def _deliver(context: Context, post: Post, notice: Notice) -> None:
    letter = _begin(context, notice)
    if letter is not None:
        settle(notice, *post.send(letter))


def _begin(context: Context, notice: Notice) -> Letter | None:
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
