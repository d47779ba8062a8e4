"""The alert of a leak or a failed integrity test: cells may be in the blood (clinical 1b).

The hold is proposed in the transaction that stores the result; the word goes out at once,
and within a minute where no worker could be told.
"""

from __future__ import annotations

import uuid

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.conduct.alerts import register_hold_alert
from trialsite.conduct.models import ProposedHold
from trialsite.conduct.services.proposals import end_causes, propose_holds
from trialsite.crf.registry import after_save
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldTrigger
from visits.following import after_times
from visits.models import Complication, IntegrityTest, TreatmentSession
from visits.models.session_codes import ComplicationCode, StopReason, TestVerdict

ALERT = "integrity-failure"


def follow_test(test: IntegrityTest, _by: User) -> None:
    """Propose the hold for a test that failed; note it where the failure was taken back."""
    _follow(
        happened=test.stands and test.result == TestVerdict.FAIL,
        subject=test.subject_id,
        about=test.pk,
        reason=_("An integrity test of the cell barrier failed."),
    )


def follow_complication(row: Complication, by: User) -> None:
    """The same for a leak seen at the bedside: nobody waits for the test that proves it.

    It has a key of its own: a test that passes afterwards, or one taken back, does not
    take back what was seen, nor the reverse.
    """
    happened = row.stands and row.code == ComplicationCode.LEAK
    if not (happened and _told_by_the_end(row)):
        _follow_row(row, happened=happened)
    for session in TreatmentSession.objects.filter(pk=row.record_id):
        follow_session(session, by)


def follow_session(session: TreatmentSession, _by: User) -> None:
    """The same for a session that ended because of a leak, where nothing else says so.

    The leak that ended a session and the one noted as its complication are the same, and
    decided once: whichever was entered first speaks. Once it is taken back, the other does.
    """
    stopped = session.voided_at is None and session.stop_reason == StopReason.LEAK
    noted = list(_leaks(session.pk))
    if not stopped:
        _follow_end(session, happened=False)
        for row in noted:
            _follow_row(row, happened=session.voided_at is None)
    elif not noted or _is_raised(session.subject_id, session.pk):
        _follow_end(session, happened=True)


def _follow_row(row: Complication, *, happened: bool) -> None:
    reason = str(ComplicationCode.LEAK.label)
    _follow(happened=happened, subject=row.subject_id, about=row.pk, reason=reason)


def _follow_end(session: TreatmentSession, *, happened: bool) -> None:
    reason = str(StopReason.LEAK.label)
    _follow(happened=happened, subject=session.subject_id, about=session.pk, reason=reason)


def _leaks(session: uuid.UUID) -> QuerySet[Complication]:
    """The standing leaks on a session's sheet."""
    return Complication.objects.filter(
        record=session, voided_at=None, code=ComplicationCode.LEAK
    ).order_by("number")


def _told_by_the_end(row: Complication) -> bool:
    """Whether a noted leak is the one for which the end of its session was proposed already.

    The end tells of one leak only: a further one is another.
    """
    subject = row.subject_id
    if _is_raised(subject, row.pk) or not _is_raised(subject, row.record_id):
        return False
    return all(_is_raised(subject, each.pk) for each in _leaks(row.record_id) if each.pk != row.pk)


def _is_raised(subject: uuid.UUID, about: uuid.UUID) -> bool:
    """Whether a proposal about this stands, whatever was decided of it."""
    return ProposedHold.objects.filter(
        subject=subject,
        trigger=HoldTrigger.BARRIER_FAILURE,
        key__endswith=f":{about}",
        cause_ended_at=None,
    ).exists()


def _follow(*, happened: bool, subject: uuid.UUID, about: uuid.UUID, reason: str) -> None:
    trigger = HoldTrigger.BARRIER_FAILURE
    found = Subject.objects.select_related("site").get(pk=subject)
    if not happened:
        end_causes(trigger=trigger, subject=found, about=str(about))
        return
    propose_holds(trigger=trigger, site=found.site, subject=found, about=str(about), reason=reason)
    announce(ALERT)


after_save(IntegrityTest, follow_test)
after_save(Complication, follow_complication)
after_times(follow_session)
register_hold_alert(
    kind=ALERT,
    title=gettext_lazy("Cell leak or barrier failure"),
    triggers=[HoldTrigger.BARRIER_FAILURE],
)
