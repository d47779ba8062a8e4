"""What purified the blood, and when: entered for earlier treatments, written by sessions."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.moments import future_problem
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.crf.services import refusals
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.codes import PurificationKind, PurificationSource
from trialsite.labs.models import PurificationInterval


@transaction.atomic
def record_purification(
    *,
    subject: Subject,
    kind: str,
    started_at: dt.datetime,
    ended_at: dt.datetime | None,
    by: User,
    origin: uuid.UUID | None = None,
) -> PurificationInterval:
    """State that a subject's blood was purified; times are the clock at the site.

    With an `origin` (the session's own key) the session's interval is written or moved on;
    without one it is an earlier treatment that the site knows of.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_related("site").get(pk=subject.pk)
    if kind not in PurificationKind.values:
        raise ImpossibleError({"kind": [_("Choose what was done.")]})
    if ended_at is not None and ended_at < started_at:
        raise ImpossibleError({"ended_at": [_("The end cannot lie before the start.")]})
    for name, wall in (("started_at", started_at), ("ended_at", ended_at)):
        if wall is not None and (problem := future_problem(wall, subject.site.time_zone)):
            raise ImpossibleError({name: [problem]})
    found = None
    if origin is not None:
        found = (
            PurificationInterval.objects.select_for_update(no_key=True)
            .filter(origin=origin, voided_at=None, subject=subject)
            .first()
        )
    if found is None:
        found = PurificationInterval(
            site_id=subject.site_id,
            subject=subject,
            source=PurificationSource.SESSION if origin else PurificationSource.EARLIER,
            origin=origin,
            time_zone=subject.site.time_zone,
        )
    found.kind, found.started_at, found.ended_at = kind, started_at, ended_at
    with refusals(PurificationInterval):
        found.save()
    return found


@transaction.atomic
def void_purification(
    *, interval: PurificationInterval, reason: str, by: User
) -> PurificationInterval:
    """Take an interval out that did not happen so, with a reason."""
    by.require(Capability.ENTER_DATA, site=interval.site_id)
    interval = PurificationInterval.objects.select_for_update(no_key=True).get(pk=interval.pk)
    if interval.voided_at is not None:
        raise TransitionError(_("This entry has been voided."))
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Voiding needs a reason.")]})
    interval.voided_at, interval.void_reason = trial_now(), reason[:500]
    with because(reason), refusals(PurificationInterval):
        interval.save(update_fields=["voided_at", "void_reason"])
    return interval
