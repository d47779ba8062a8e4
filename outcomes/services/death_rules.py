"""What a death means for the protocol's rules, by whichever record the site knows of it.

A rule that is not switched on only proposes; nothing is held by it (decisions C7).
"""

from __future__ import annotations

import math
import uuid

from django.utils.translation import gettext as _

from outcomes.models import CAUSES, RELATED, UnreportedDeath
from outcomes.selectors.told_deaths import ToldDeath, hours_after_session, told_death
from outcomes.services.safety import WEIGHT_OF_CAUSE
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.conduct.services.proposals import Weight, end_causes, propose_holds, rules_for
from trialsite.crf.models import CrfData
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldTrigger
from visits.models import TreatmentSession

#: The kind of the notice that tells those who may hold of such a death.
ALERT = "death-hold"
DEATH_TRIGGERS = (HoldTrigger.DEATH_AFTER_SESSION, HoldTrigger.DEATH_RELATED)


def follow_telling(row: CrfData, _by: User) -> None:
    """A record that tells of a death, or told of one, was written or voided."""
    _judge(row.subject_id)


def follow_session(session: TreatmentSession, _by: User) -> None:
    """A session's times may tell anew whether a death came soon after it, also of a session
    that is entered later than the death."""
    _judge(session.subject_id)


def _judge(key: uuid.UUID) -> None:
    """Hold the rules against the subject's death; a cause that is gone is noted."""
    if not UnreportedDeath.objects.filter(subject=key).exists():
        # No record has ever told of a death.
        return
    subject = Subject.objects.select_related("site").get(pk=key)
    death, about = told_death(subject), str(key)
    reasons = {
        HoldTrigger.DEATH_RELATED: _("A death is judged related to the treatment."),
        HoldTrigger.DEATH_AFTER_SESSION: _("A participant died soon after a session."),
    }
    for trigger, reason in reasons.items():
        weight = _weight(trigger, death, subject) if death else None
        if weight is None:
            end_causes(trigger=trigger, subject=subject, about=about)
            continue
        propose_holds(
            trigger=trigger,
            site=subject.site,
            reason=reason,
            about=about,
            subject=subject,
            weight=weight,
        )
        announce(ALERT)


def _weight(trigger: HoldTrigger, death: ToldDeath, subject: Subject) -> Weight | None:
    """How grave the death is to a rule: the more related, or the sooner after the session;
    None where no rule of the protocol speaks of such a death."""
    rules = rules_for(trigger, subject)
    if not rules:
        return None
    if trigger is HoldTrigger.DEATH_RELATED:
        return _by_cause(death)
    hours, within = hours_after_session(death, subject), max(x.within_hours or 0 for x in rules)
    if hours is None or hours > within:
        return None
    return Weight(measures={"sooner": math.ceil(within - hours)})


def _by_cause(death: ToldDeath) -> Weight | None:
    """Whoever judges a cause related: the form of the death, or an event that was fatal."""
    said = {name: [getattr(row, name) for row in death.judged] for name in CAUSES}
    if not any(each in RELATED for judged in said.values() for each in judged):
        return None
    return Weight(
        measures={
            name: max(WEIGHT_OF_CAUSE.get(each, 0) for each in judged)
            for name, judged in said.items()
        }
    )
