"""The worker's nightly errands of screening. What is true is read off the acts, whenever."""

from __future__ import annotations

from celery import shared_task

from screening.services.consent_records import sync_site
from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.core.context import Channel, acting


@shared_task  # type: ignore[untyped-decorator]  # Celery ships no types
def mark_consent_states() -> int:
    """Bring what the casebook shows of consent in step; how many subjects were behind."""
    with acting(system_context("consent", Channel.TASK)):
        return sum(sync_site(site) for site in Site.objects.all())
