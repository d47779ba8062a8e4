"""What every act of consent does alike: refuse by field, hold the subject, head its record."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Collection
from typing import TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from screening import following
from screening.models.consent import ConsentPart, Scope
from screening.selectors.consent import PRESENT, investigators_of, standings_of
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import ClosingCause, CrfRecord, LockState, RecordStatus, Subject
from trialsite.casebook.moments import death_problem, future_problem
from trialsite.casebook.services import (
    close_schedule,
    open_record,
    reopen_schedule,
    set_consent_state,
    void_record,
)
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol import EventRole

P = TypeVar("P", bound=ConsentPart)


class FieldsError(DomainError):
    """What was said cannot stand; `errors` says why, by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors

    @classmethod
    def unless(cls, **problems: str) -> None:
        """Raise where any field has a problem; an empty text is none."""
        found = {field: [text] for field, text in problems.items() if text}
        if found:
            raise cls(found)


def hold_subject(subject: Subject, *, by: User) -> Subject:
    """The subject under a row lock, if this person may enter data into an open casebook."""
    waiting = Subject.objects.select_for_update(no_key=True, of=("self",))
    held = waiting.select_related("site", "protocol_version").get(pk=subject.pk)
    by.require(Capability.ENTER_DATA, site=held.site_id)
    if held.lock_state != LockState.OPEN:
        raise TransitionError(_("The casebook is locked. Ask the data manager to unlock it."))
    return held


def moment_problem(subject: Subject, wall: dt.datetime) -> str:
    """Why nobody signed, was assessed or stated anything at a time on the clock at the site."""
    return future_problem(wall, subject.site.time_zone) or death_problem(subject, wall.date())


def role_on(site: Site, user: User, on: dt.date) -> str:
    """The investigator's role that was delegated to a person at a site on a day, or none."""
    return next((role for who, role in investigators_of(site, on=on) if who == user), "")


def headed(part: P, *, form_oid: str, by: User, complete: bool) -> P:
    """Store a new act under a companion record of its own."""
    part.record = open_record(subject=part.subject, form_oid=form_oid, by=by)
    part.recorded_by, part.recorded_at = by, trial_now()
    part.save(force_insert=True)
    advance(part, by=by, complete=complete)
    return part


def advance(part: ConsentPart, *, by: User, complete: bool) -> None:
    """Move the header on with its act."""
    now = trial_now()
    record = part.record
    record.status = RecordStatus.COMPLETE if complete else RecordStatus.IN_PROGRESS
    record.version += 1
    record.content_hash = digest(part)
    fields = ["status", "version", "content_hash"]
    if record.first_entered_at is None:
        record.first_entered_at = now
        fields.append("first_entered_at")
    if complete:
        record.completed_at, record.completed_by = now, by
        fields += ["completed_at", "completed_by"]
    record.save(update_fields=fields)


def digest(part: ConsentPart) -> str:
    """SHA-256 over what an act says; what a signature is bound to."""
    left_out = {"id", "site", "subject", "record", "recorded_by", "recorded_at"}
    said = {
        field.name: str(getattr(part, field.attname))
        for field in part._meta.concrete_fields
        if field.name not in left_out and getattr(part, field.attname) is not None
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@transaction.atomic
def void_part(*, part: ConsentPart, reason: str, by: User) -> CrfRecord:
    """Take an act out that was entered in error; what stands is read anew."""
    subject = hold_subject(part.subject, by=by)
    record = void_record(record=part.record, reason=reason.strip()[:500], by=by)
    sync_subjects([subject])
    with because(reason.strip()[:500]):
        follow_withdrawals(subject, by=by)
    return record


#: Which visits go on without a scope: without treatment all but sessions, without contact none.
_GOES_ON = {
    Scope.TREATMENT: frozenset(EventRole) - {EventRole.TREATMENT},
    Scope.CONTACT: frozenset[EventRole](),
}


def follow_withdrawals(subject: Subject, *, by: User) -> None:
    """Let the schedule end where participation has, and go on where it has been taken up again.

    Samples concern no visit: the app above follows them. All data includes the others
    (decisions C5).
    """
    since = standings_of([subject])[subject.pk].withdrawn_since
    for scope, kept in _GOES_ON.items():
        if scope in since:
            close_schedule(
                subject=subject,
                after=since[scope],
                cause=ClosingCause.WITHDRAWAL,
                scope=scope,
                keep=kept,
                by=by,
            )
        else:
            reopen_schedule(subject=subject, cause=ClosingCause.WITHDRAWAL, scope=scope, by=by)
    following.tell(subject, by)


def sync_subjects(subjects: Collection[Subject]) -> int:
    """Bring what the casebook shows in step with the acts; how many had been behind."""
    standings = standings_of(subjects)
    behind = [each for each in subjects if each.consent_state != standings[each.pk].state]
    for subject in behind:
        set_consent_state(subject=subject, state=standings[subject.pk].state, by=None)
    return len(behind)


@transaction.atomic
def sync_site(site: Site) -> int:
    """The same for every present participant of a site.

    Each is held before the acts are read: a withdrawal that is being recorded at this moment
    is waited for, never overwritten by what stood before it.
    """
    waiting = Subject.objects.at([site.pk]).select_for_update(no_key=True, of=("self",))
    present = waiting.filter(status__in=PRESENT).select_related("site").order_by("pk")
    return sync_subjects(list(present))
