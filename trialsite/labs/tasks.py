"""The worker's errand of laboratories: take the large imports that a site has accepted."""

from __future__ import annotations

import logging

from celery import shared_task

from trialsite.access.context import system_context
from trialsite.core.context import Channel, acting
from trialsite.labs.services.taking import begin, give_back, take_one, waiting_imports

logger = logging.getLogger(__name__)


@shared_task(time_limit=3600)  # type: ignore[untyped-decorator]  # Celery ships no types
def take_imports() -> int:
    """Take what was handed over, each import in a transaction of its own; how many were taken."""
    with acting(system_context("lab imports", Channel.TASK)):
        waiting = waiting_imports()
    taken = 0
    for key in waiting:
        try:
            with acting(system_context("lab imports", Channel.TASK)):
                begun = begin(key)
            with acting(system_context("lab imports", Channel.TASK)):
                taken += begun and take_one(key)
        except Exception:
            # One file that cannot be taken holds up no other site: it goes back to its own.
            logger.exception("Import %s was not taken", key)
            with acting(system_context("lab imports", Channel.TASK)):
                give_back(key)
    return taken
