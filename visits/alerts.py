"""The alert of a failed integrity test: cells may have passed into the blood (clinical 1b).

The hold is proposed in the transaction that stores the result; the word goes out at once,
and within a minute where no worker could be told.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.conduct.alerts import register_hold_alert
from trialsite.conduct.services.proposals import end_causes, propose_holds
from trialsite.crf.registry import after_save
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldTrigger
from visits.models import IntegrityTest
from visits.models.session_codes import TestVerdict

ALERT = "integrity-failure"


def follow_test(test: IntegrityTest, _by: User) -> None:
    """Propose the hold for a test that failed; note it where the failure was taken back."""
    subject = Subject.objects.select_related("site").get(pk=test.subject_id)
    if not test.stands or test.result != TestVerdict.FAIL:
        end_causes(trigger=HoldTrigger.BARRIER_FAILURE, subject=subject, about=str(test.pk))
        return
    propose_holds(
        trigger=HoldTrigger.BARRIER_FAILURE,
        site=subject.site,
        subject=subject,
        about=str(test.pk),
        reason=_("An integrity test of the cell barrier failed."),
    )
    announce(ALERT)


after_save(IntegrityTest, follow_test)
register_hold_alert(
    kind=ALERT,
    title=gettext_lazy("Integrity test failed"),
    triggers=[HoldTrigger.BARRIER_FAILURE],
)
