"""The worker's errands. What they do stands in PostgreSQL; losing a task loses nothing."""

from __future__ import annotations

from celery import shared_task

from trialsite.core.clock import trial_now
from trialsite.notify.delivery import deliver_due
from trialsite.notify.outbox import ring
from trialsite.notify.planning import plan_notices


@shared_task(name="trialsite.notify.tasks.plan")  # type: ignore[untyped-decorator]
def plan() -> None:
    """Every minute: write what has come due."""
    if plan_notices(trial_now()):
        ring()


@shared_task(name="trialsite.notify.tasks.deliver", time_limit=110)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Every minute and at every ring: send one batch, and ring for the next."""
    if deliver_due():
        ring()


@shared_task(name="trialsite.notify.tasks.announce", time_limit=110)  # type: ignore[untyped-decorator]
def announce(kind: str) -> None:
    """At an alarm's ring: plan one kind and send, without waiting for the beat."""
    plan_notices(trial_now(), kind=kind)
    deliver()
