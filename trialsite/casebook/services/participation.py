"""Whether a subject still takes part: completed, withdrawn, or again as before."""

from __future__ import annotations

from django.db import transaction

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ClosingCause, ScheduleClosing, Subject, SubjectStatus
from trialsite.casebook.services.holding import held

#: Between these a subject moves after enrolment; a death is another act.
TAKING_PART = (SubjectStatus.ENROLLED, SubjectStatus.COMPLETED, SubjectStatus.WITHDRAWN)


@transaction.atomic
def set_participation(*, subject: Subject, to: SubjectStatus, by: User) -> Subject:
    """Say whether an enrolled subject still takes part; the app that keeps why says it.

    Who has died stays dead: the status is then what a revoked death goes back to. Of a
    subject never enrolled nothing is said.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    if to not in TAKING_PART:
        message = f"{to} says nothing of taking part"
        raise ValueError(message)
    subject = held(subject)
    if subject.number is None:
        return subject
    if subject.status == SubjectStatus.DIED:
        ScheduleClosing.objects.filter(
            subject=subject, cause=ClosingCause.DEATH, revoked_at=None
        ).update(status_before=to)
    elif subject.status != to:
        subject.status = to
        subject.save(update_fields=["status"])
    return subject
