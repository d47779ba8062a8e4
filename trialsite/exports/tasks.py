"""The worker's errand of exports, on a queue of its own: nothing else waits behind a long one."""

from __future__ import annotations

from celery import shared_task

from trialsite.exports.packages import make_package, remove_old, waiting_packages


@shared_task(time_limit=3600)  # type: ignore[untyped-decorator]  # Celery ships no types
def make_packages() -> int:
    """Make what was asked for, each in a snapshot of its own; how many were made."""
    return sum(make_package(key, by) for key, by in waiting_packages())


@shared_task  # type: ignore[untyped-decorator]  # Celery ships no types
def remove_old_packages() -> int:
    """Remove files whose time is over."""
    return remove_old()
