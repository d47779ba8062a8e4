"""Saying that one has looked for adverse events after a session, and taking it back."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.moments import death_problem
from trialsite.casebook.services.holding import held
from trialsite.core.clock import TrialNow, trial_now, trial_today
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError
from visits.models import EventLook, TreatmentSession
from visits.models.event_looks import Finding
from visits.reminders.standing import EARLY, all_steps_of_session


@transaction.atomic
def look_for_events(
    *, session: TreatmentSession, finding: str, by: User, comment: str = ""
) -> EventLook:
    """State that the participant was looked at for adverse events after a session.

    It ends the reminders that are due by then, or within `EARLY`; a look before that says
    nothing of the time that the protocol asks about, and is refused.
    """
    by.require(Capability.ENTER_DATA, site=session.site_id)
    # The session's times stay while its look is stated; its record before the subject.
    CrfRecord.objects.select_for_update(no_key=True).get(pk=session.pk)
    subject = held(session.subject)
    session = TreatmentSession.objects.select_related("record").get(pk=session.pk)
    session.subject = subject
    if session.voided_at is not None or session.ended_at is None:
        raise TransitionError(_("The session has not ended, or is voided."))
    if finding not in Finding.values:
        raise ImpossibleError({"finding": [_("Say what the look came to.")]})
    if problem := death_problem(subject, trial_today(session.time_zone)):
        raise TransitionError(problem)
    steps = all_steps_of_session(session)
    if steps and trial_now() < steps[0].at - EARLY:
        wall = steps[0].at.astimezone(ZoneInfo(session.time_zone))
        message = _("The protocol asks for the look at %(at)s. It can be stated up to %(hours)d "
                    "hours before.")  # fmt: skip
        hours = int(EARLY.total_seconds() // 3600)
        raise TransitionError(message % {"at": f"{wall:%Y-%m-%d %H:%M}", "hours": hours})
    with because(comment.strip() or _("Look for adverse events")):
        look = EventLook.objects.create(
            site_id=session.site_id,
            subject=subject,
            session=session,
            finding=finding,
            comment=comment.strip()[:500],
            looked_by=by,
            looked_at=TrialNow(),
        )
    look.refresh_from_db()
    return look


@transaction.atomic
def void_look(*, look: EventLook, reason: str, by: User) -> EventLook:
    """Take back a look that was stated wrongly; what it ended is asked for again."""
    by.require(Capability.ENTER_DATA, site=look.site_id)
    CrfRecord.objects.select_for_update(no_key=True).get(pk=look.session_id)
    held(look.subject)
    look = EventLook.objects.select_for_update(no_key=True).get(pk=look.pk)
    if look.voided_at is not None:
        raise TransitionError(_("This look has been voided."))
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason.strip()):
        look.voided_at, look.voided_by = TrialNow(), by
        look.void_reason = reason.strip()[:500]
        look.save(update_fields=["voided_at", "voided_by", "void_reason"])
    look.refresh_from_db()
    return look
