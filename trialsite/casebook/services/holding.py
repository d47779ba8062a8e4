"""Rows under their locks: the subject first, then what hangs on it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from trialsite.casebook.models import LockState, Subject, Visit
from trialsite.core.exceptions import StaleError, TransitionError


def held(subject: Subject) -> Subject:
    """The subject under a row lock, its casebook still open."""
    waiting = Subject.objects.select_for_update(no_key=True, of=("self",)).select_related("site")
    held = waiting.get(pk=subject.pk)
    if held.lock_state != LockState.OPEN:
        raise TransitionError(_("This casebook is locked."))
    return held


def held_visit(visit: Visit, *, base_version: int | None = None) -> Visit:
    """The visit under a row lock after its subject's, both still open to entry.

    `base_version` is what the person acts from; None where they saw no version.
    """
    subject = held(visit.subject)
    visit = Visit.objects.select_for_update(no_key=True).get(pk=visit.pk)
    visit.subject = subject
    if visit.lock_state != LockState.OPEN:
        raise TransitionError(_("This visit is locked."))
    if base_version is not None and visit.version != base_version:
        raise StaleError(
            _("Somebody else changed this visit. Read it again."),
            current={"status": visit.status},
            version=visit.version,
        )
    return visit


def keep_visit(visit: Visit, *fields: str) -> None:
    """Store a change of a visit and count it; without names the whole row."""
    if not visit._state.adding:
        visit.version += 1
    visit.save(update_fields=[*fields, "version"] if fields else None)
