"""The worker's errands of samples: what nobody has frozen in time is put before the site."""

from __future__ import annotations

from celery import shared_task

from samples.services.freezing import judge_site
from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.core.context import Channel, acting


@shared_task  # type: ignore[untyped-decorator]  # Celery ships no types
def judge_unfrozen_samples() -> int:
    """Propose what is past its time to the freezer as a deviation; how many specimens it is."""
    with acting(system_context("samples", Channel.TASK)):
        return sum(judge_site(site) for site in Site.objects.order_by("pk"))
