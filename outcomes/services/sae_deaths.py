"""That a recorded death is owed a report, until an event says that it was fatal."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import Death, UnreportedDeath
from outcomes.selectors.sae_deaths import open_deaths
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce

#: The kind of the notices that remind of a death without its event.
DEATH_REMINDER = "sae-death"


def owe_report(death: Death) -> None:
    """Note when the death of this record was first known here; what follows counts from it."""
    UnreportedDeath.objects.get_or_create(
        record_id=death.pk,
        defaults={
            "site_id": death.site_id,
            "subject_id": death.subject_id,
            "known_at": trial_now(),
        },
    )
    announce(DEATH_REMINDER)


def follow_deaths(subject: uuid.UUID) -> None:
    """Note whether the subject's deaths are answered by an event; one whose event was voided or
    is fatal no more is owed again, and is reminded of anew."""
    deaths = list(UnreportedDeath.objects.filter(subject=subject, settled_at=None))
    if not deaths:
        return
    still = set(open_deaths(each.pk for each in deaths).values_list("pk", flat=True))
    for death in deaths:
        if death.answered == (death.pk not in still):
            continue
        death.answered = death.pk not in still
        if not death.answered:
            death.clock_version += 1
        death.save(update_fields=["answered", "clock_version"])
        announce(DEATH_REMINDER)


@transaction.atomic
def settle_death(*, death: UnreportedDeath, reason: str, by: User) -> UnreportedDeath:
    """Say that of a recorded death no serious adverse event is to be reported, and why."""
    by.require(Capability.MANAGE_SAFETY, site=death.site_id)
    death = UnreportedDeath.objects.select_for_update(no_key=True).get(pk=death.pk)
    if death.settled_at is not None:
        raise TransitionError(_("This is settled already."))
    if not reason.strip():
        raise DomainError(_("Say why no report is owed."))
    with because(reason):
        death.settled_at, death.settled_by = trial_now(), by
        death.settled_reason = reason.strip()[:500]
        death.save(update_fields=["settled_at", "settled_by", "settled_reason"])
    return death
