"""What people do about notices: mark them seen, say how they want them, look after delivery."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.acts import note_act
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError
from trialsite.notify.models import (
    DIGEST,
    FINAL,
    HELD,
    READY_MADE,
    DeliveryAttempt,
    Hush,
    Notice,
    Outcome,
    Preferences,
    State,
)
from trialsite.notify.outbox import ring
from trialsite.notify.planning import planners
from trialsite.notify.readers import readers_of


@transaction.atomic
def mark_seen(*, keys: Collection[uuid.UUID] | None, by: User) -> int:
    """The person has seen these notices of theirs, or all of them; how many were new."""
    unseen = Notice.objects.addressed_to(by).filter(seen_at=None)
    if keys is not None:
        unseen = unseen.filter(pk__in=keys)
    return unseen.update(seen_at=TrialNow())


@transaction.atomic
def set_preferences(
    *,
    switched_off: Collection[str],
    digest_at: dt.time,
    quiet: Hush,
    quiet_from: dt.time | None,
    quiet_until: dt.time | None,
    by: User,
) -> Preferences:
    """How the person wants to be told from now on; what is urgent cannot be switched off."""
    optional = {planner.kind for planner in planners() if not planner.urgent}
    if set(switched_off) - optional:
        raise DomainError(_("This kind of notice cannot be switched off."))
    if quiet is not Hush.OWN:
        quiet_from = quiet_until = None
    elif quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        raise DomainError(_("Give your quiet hours a beginning and another end."))
    chosen, _new = Preferences.objects.update_or_create(
        user=by,
        defaults={
            "switched_off": sorted(switched_off),
            "digest_at": digest_at,
            "quiet": quiet,
            "quiet_from": quiet_from,
            "quiet_until": quiet_until,
        },
    )
    return chosen


@transaction.atomic
def send_again(*, notice: Notice, reason: str, by: User) -> Notice:
    """Have a notice that came to an end sent once more, as a message of its own.

    Its planner is asked again, quiet hours and the digest hold: what is no longer due, or
    not wanted by mail, does not leave however often it is asked for.
    """
    current = _looked_after(notice, by)
    if current.within and current.within.state == current.state:
        current = _locked(current.within)  # it ended as its digest did, and is said by it
    _refuse_unsendable(current)
    now = trial_now()
    current.state, current.within = State.PLANNED, None
    current.doubts, current.attempts = 0, 0
    current.repeats += 1
    current.send_at = current.try_at = now
    current.save()
    if current.kind == DIGEST:
        said = (State.SENT, State.FAILED, State.NOBODY)
        current.members.filter(state__in=said).update(state=State.BUNDLED)
    _note("notice_sent_again", current, reason)
    ring()
    return current


@transaction.atomic
def cancel_notice(*, notice: Notice, reason: str, by: User) -> Notice:
    """Take a notice back that has not left; Trialsite no longer shows it either."""
    current = _looked_after(notice, by)
    if current.state in FINAL:
        raise DomainError(_("It has come to its end already."))
    if current.state in HELD or (current.within and current.within.state in HELD):
        raise DomainError(_("It is being sent right now."))
    now = trial_now()
    if current.kind == DIGEST:
        members = list(current.members.select_for_update().filter(state=State.BUNDLED))
        for member in members:  # what another site says in it is not theirs to take back
            _expect_to_look_after(member, by)
        for member in members:
            _cancel(member, now)
    _cancel(current, now)
    _note("notice_cancelled", current, reason)
    return current


def _cancel(notice: Notice, now: dt.datetime) -> None:
    notice.state, notice.sealed = State.CANCELLED, ""
    notice.save()
    DeliveryAttempt.objects.create(
        notice=notice, outcome=Outcome.CANCELLED, error="cancelled by a person", at=now
    )


def _looked_after(notice: Notice, by: User) -> Notice:
    """The notice as it stands, locked, for whoever may look after it."""
    _expect_to_look_after(notice, by)
    return _locked(notice)


def _expect_to_look_after(notice: Notice, by: User) -> None:
    if notice.site_id is None:
        by.require_study_wide(Capability.MANAGE_NOTICES)
    else:
        by.require(Capability.MANAGE_NOTICES, site=notice.site_id)


def _locked(notice: Notice) -> Notice:
    return Notice.objects.select_for_update().get(pk=notice.pk)


def _refuse_unsendable(notice: Notice) -> None:
    if notice.state not in FINAL:
        raise DomainError(_("It is still on its way."))
    if notice.state == State.CANCELLED:
        raise DomainError(_("It is no longer due."))
    if notice.kind == READY_MADE:
        raise DomainError(_("Its text is gone with its end: let the person ask for a new one."))
    reader = readers_of([notice.recipient], trial_now()).get(notice.recipient_id or 0)
    if reader is None or not reader.may_read(notice):
        raise DomainError(_("There is nobody to send it to."))
    if notice.kind != DIGEST and not reader.wants(notice):
        raise DomainError(_("The person reads this kind in Trialsite only."))


def _note(act: str, notice: Notice, reason: str) -> None:
    if not reason.strip():
        raise DomainError(_("Give a reason."))
    with because(reason.strip()):
        note_act(
            act,
            site_id=notice.site_id,
            details={
                "notice": str(notice.pk),
                "kind": notice.kind,
                "user": notice.recipient_id,
            },
        )
