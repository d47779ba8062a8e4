"""That a death is owed a report from when it was known, until an event says that it was fatal."""

from __future__ import annotations

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import SurvivalContact, UnreportedDeath
from outcomes.selectors.sae_deaths import deaths_of, first_awareness, open_deaths
from outcomes.selectors.told_deaths import TELLS
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.models import CrfData
from trialsite.notify.outbox import announce

#: The kind of the notices that remind of a death without its event.
DEATH_REMINDER = "sae-death"


def follow_teller(row: CrfData, _by: User) -> None:
    """Note when a record first told of a death, whichever record it is; the clocks of its
    report count from the first of them (ICH E2A II.B).

    What is entered again, or recorded properly afterwards, is the same death: it was known
    from the first, unless a later sign of life has disproved that.
    """
    says = TELLS.get(type(row))
    if says is None or not row.stands or not says(row):
        return
    if UnreportedDeath.objects.filter(record_id=row.pk).exists():
        return
    subject = Subject.objects.select_for_update(no_key=True).get(pk=row.subject_id)
    told_at = min(trial_now(), _said_on(row) or trial_now())
    UnreportedDeath.objects.create(
        record_id=row.pk,
        site_id=row.site_id,
        subject=subject,
        known_at=min(told_at, first_awareness(subject) or told_at),
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


def _said_on(row: CrfData) -> dt.datetime | None:
    """The end of the day on which the site was told, where the record says which day that was."""
    if not isinstance(row, SurvivalContact) or row.contact_on is None:
        return None
    day: dt.date = row.contact_on
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time())
    return end.replace(tzinfo=ZoneInfo(row.time_zone)).astimezone(dt.UTC)


@transaction.atomic
def settle_death(*, death: UnreportedDeath, reason: str, by: User) -> UnreportedDeath:
    """Say that of a death no serious adverse event is to be reported, and why: of the death,
    not of one of the records that tell of it."""
    by.require(Capability.MANAGE_SAFETY, site=death.site_id)
    Subject.objects.select_for_update(no_key=True).get(pk=death.subject_id)
    death = UnreportedDeath.objects.select_for_update(no_key=True).get(pk=death.pk)
    if death.settled_at is not None:
        raise TransitionError(_("This is settled already."))
    if not reason.strip():
        raise DomainError(_("Say why no report is owed."))
    others = deaths_of(death.subject).filter(settled_at=None).exclude(pk=death.pk)
    with because(reason):
        for each in (death, *others):
            each.settled_at, each.settled_by = trial_now(), by
            each.settled_reason = reason.strip()[:500]
            each.save(update_fields=["settled_at", "settled_by", "settled_reason"])
    return death
