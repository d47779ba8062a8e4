"""Naming who stands in for an investigator with the reports of a site."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import Deputy
from outcomes.services.sae_cases import REMINDER
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.notify.outbox import announce


@transaction.atomic
def name_deputy(
    *,
    site: Site,
    person: User,
    deputy: User,
    first_day: dt.date,
    last_day: dt.date,
    by: User,
    reason: str = "",
) -> Deputy:
    """Have a person's reminders of reports go to somebody else too, from and to a day.

    An investigator of the site or its safety officer names them; the deputy holds a role
    there by which they may report themselves.
    """
    if not by.can(Capability.MANAGE_SAFETY, site=site):
        by.require(Capability.SIGN_FORM, site=site)
    if person.pk == deputy.pk:
        raise DomainError(_("Nobody is their own deputy."))
    if not person.can(Capability.SIGN_FORM, site=site):
        raise DomainError(_("Only an investigator of the site has a deputy for reports."))
    if not deputy.can(Capability.REPORT_SAE, site=site):
        raise DomainError(_("The deputy has no role at the site that may report."))
    if last_day < first_day:
        raise DomainError(_("The last day is before the first."))
    if last_day < trial_today(site.time_zone):
        raise DomainError(_("These days are over."))
    made = Deputy.objects.create(
        site=site,
        person=person,
        deputy=deputy,
        first_day=first_day,
        last_day=last_day,
        reason=reason.strip()[:500],
        named_by=by,
        named_at=trial_now(),
    )
    announce(REMINDER)
    return made


@transaction.atomic
def end_deputy(*, deputy: Deputy, by: User) -> Deputy:
    """End a deputy's time before its last day."""
    if not by.can(Capability.MANAGE_SAFETY, site=deputy.site_id):
        by.require(Capability.SIGN_FORM, site=deputy.site_id)
    deputy = Deputy.objects.select_for_update(no_key=True).get(pk=deputy.pk)
    if deputy.ended_at is not None:
        raise TransitionError(_("This has ended already."))
    deputy.ended_at = trial_now()
    deputy.save(update_fields=["ended_at"])
    return deputy
