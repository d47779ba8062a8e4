"""Which notices may be said now: asked of their planners, and of how their readers want it."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db import transaction

from trialsite.notify.models import DIGEST, READY_MADE, Notice, Outcome
from trialsite.notify.planning import planner_of
from trialsite.notify.readers import Reader
from trialsite.notify.settling import settle

log = logging.getLogger(__name__)


def sift(
    notices: Sequence[Notice], readers: Mapping[int, Reader], now: dt.datetime
) -> list[Notice]:
    """Those to say now; the others are settled, or wait until their reader is awake."""
    by_kind: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_kind[notice.kind].append(notice)
    due = [notice for kind, asked in by_kind.items() for notice in _still_due(kind, asked)]
    return [notice for notice in due if _may_be_said(notice, readers, now)]


def _still_due(kind: str, notices: list[Notice]) -> list[Notice]:
    """What the planner of a kind says of its notices; what comes ready-made stays due."""
    if kind in {READY_MADE, DIGEST}:
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


def _may_be_said(notice: Notice, readers: Mapping[int, Reader], now: dt.datetime) -> bool:
    reader = readers.get(notice.recipient_id) if notice.recipient_id else None
    if reader is None:
        if notice.sealed:  # an address outside
            return True
        settle(notice, Outcome.NOBODY)
        return False
    if not reader.may_read(notice):
        settle(notice, Outcome.NOBODY, _why_not(reader))
        return False
    if not reader.wants(notice):
        settle(notice, Outcome.SHOWN)
        return False
    awake = reader.awake(notice, now)
    if awake > now:
        wait_until(notice, awake)
    return awake <= now


def _why_not(reader: Reader) -> str:
    if not reader.user.is_active:
        return "the account is deactivated"
    return "the person has no role at this site any more"


def wait_until(notice: Notice, moment: dt.datetime) -> None:
    """Put it off, by nobody's fault."""
    notice.postpone(moment)
    notice.save(update_fields=["send_at", "try_at"])
