"""The hourly look at the trail: every row is what its events add up to, or somebody is told.

It catches what no hash chain sees: a change made while triggers were off (trust 5).
"""

from __future__ import annotations

import logging

from celery import shared_task

from trialsite.access.context import system_context
from trialsite.audit.folding import audited_tables, unaccounted
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting

log = logging.getLogger(__name__)


@shared_task  # type: ignore[untyped-decorator]  # Celery ships no types
def verify_trail() -> int:
    """Note and log every row the trail does not account for; their number."""
    with acting(system_context("verify trail", Channel.TASK)):
        found = [str(each) for table in audited_tables() for each in unaccounted(table)]
        if found:
            note_act("trail_does_not_account", details={"rows": found[:100], "count": len(found)})
    for each in found:
        log.error("not accounted for by the trail: %s", each)
    return len(found)
