"""How treatment and study ended: a person says it, and the schedule follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import Disposition, EndReason, Scope
from outcomes.models.dispositions import FORM_OID
from outcomes.services.drafts import propose_draft
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ClosingCause, CrfRecord, Subject, SubjectStatus
from trialsite.casebook.services import (
    close_schedule,
    open_record,
    reopen_schedule,
    set_participation,
)
from trialsite.core.exceptions import DomainError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.models import Draft, stored
from trialsite.protocol import EventRole

#: What goes on when each has ended (decisions C5): of the study safety and survival.
_GOES_ON = {
    Scope.TREATMENT: frozenset(EventRole) - {EventRole.TREATMENT},
    Scope.STUDY: frozenset(
        {EventRole.EARLY_TERMINATION, EventRole.SURVIVAL_CONTACT, EventRole.EXTRA}
    ),
}


@transaction.atomic
def open_disposition(
    *,
    subject: Subject,
    scope: str,
    by: User,
    reason: str = "",
    ended_on: PartialDate | None = None,
) -> CrfRecord:
    """The record of how treatment or study ended, opened where there is none that stands.

    What the system proposes (a reason, a day) is the person's draft; only they enter it.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    if scope not in Scope.values or (reason and reason not in EndReason.values):
        raise DomainError(_("Say what ended."))
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    found = _of_scope(subject, scope)
    if found is not None:
        return found
    record = open_record(subject=subject, form_oid=FORM_OID, by=by)
    texts = {"scope": scope, "reason": reason, "ended_on": str(ended_on or "")}
    propose_draft(record, {name: text for name, text in texts.items() if text}, by=by)
    return record


def _of_scope(subject: Subject, scope: str) -> CrfRecord | None:
    """The standing record of a scope: entered, or begun as somebody's draft."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=FORM_OID)
    entered = stored(Disposition).filter(subject=subject, scope=scope).values("pk")
    found = records.filter(pk__in=entered).order_by("repeat_key").first()
    if found is not None:
        return found
    begun = Draft.objects.filter(record__in=records, fields__scope=scope).values("record")
    return records.filter(version=0, pk__in=begun).order_by("repeat_key").first()


def follow_disposition(disposition: Disposition, by: User) -> None:
    """Let the schedule end as the standing records say, and go on where none says so.

    The end of the treatment plans no more sessions; the end of the study ends the schedule
    but for safety and survival. A correction moves the day, a voided record gives it back.
    """
    subject = Subject.objects.select_for_update(no_key=True).get(pk=disposition.subject_id)
    standing = [
        each
        for each in stored(Disposition).filter(subject=subject, record__voided_at=None)
        if each.ended_on is not None and each.reason
    ]
    for scope in Scope:
        _close(subject, scope, (each for each in standing if each.scope == scope), by=by)
    ended = [each.reason for each in standing if each.scope == Scope.STUDY]
    set_participation(subject=subject, to=_status(ended), by=by)


def _close(subject: Subject, scope: Scope, said: Iterable[Disposition], *, by: User) -> None:
    days: list[dt.date] = [each.ended_on.earliest for each in said if each.ended_on]
    cause, name = ClosingCause.EARLY_TERMINATION, scope.value.lower()
    if days:
        close_schedule(
            subject=subject,
            after=min(days),
            cause=cause,
            scope=name,
            keep=_GOES_ON[scope],
            by=by,
        )
    else:
        reopen_schedule(subject=subject, cause=cause, scope=name, by=by)


def _status(ended: list[str]) -> SubjectStatus:
    if not ended:
        return SubjectStatus.ENROLLED
    completed = all(each == EndReason.COMPLETED for each in ended)
    return SubjectStatus.COMPLETED if completed else SubjectStatus.WITHDRAWN
