"""The worker's errand of laboratories: take the large imports that a site has accepted."""

from __future__ import annotations

from celery import shared_task

from trialsite.access.context import system_context
from trialsite.core.context import Channel, acting
from trialsite.labs.services.imports import take_one, waiting_imports


@shared_task(time_limit=3600)  # type: ignore[untyped-decorator]  # Celery ships no types
def take_imports() -> int:
    """Take what was handed over, each import in a transaction of its own; how many were taken."""
    with acting(system_context("lab imports", Channel.TASK)):
        waiting = waiting_imports()
    taken = 0
    for key in waiting:
        with acting(system_context("lab imports", Channel.TASK)):
            taken += take_one(key)
    return taken
