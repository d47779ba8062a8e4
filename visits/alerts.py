"""The alert of a leak or a failed integrity test: cells may be in the blood (clinical 1b).

The hold is proposed in the transaction that stores the result; the word goes out at once,
and within a minute where no worker could be told.
"""

from __future__ import annotations

import uuid

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.conduct.alerts import register_hold_alert
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
    _follow(
        happened=row.stands and row.code == ComplicationCode.LEAK,
        subject=row.subject_id,
        about=row.pk,
        reason=str(ComplicationCode.LEAK.label),
    )
    for session in TreatmentSession.objects.filter(pk=row.record_id):
        follow_session(session, by)


def follow_session(session: TreatmentSession, _by: User) -> None:
    """The same for a session that ended because of a leak, where nothing else says so.

    A leak noted as a complication of the session has been proposed by its row, and the end
    tells of that leak: it would be decided twice. Once the row is taken back, the end speaks.
    """
    stopped = session.voided_at is None and session.stop_reason == StopReason.LEAK
    noted = Complication.objects.filter(
        record=session.pk, voided_at=None, code=ComplicationCode.LEAK
    )
    if stopped and noted.exists():
        return
    _follow(
        happened=stopped,
        subject=session.subject_id,
        about=session.pk,
        reason=str(StopReason.LEAK.label),
    )


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
