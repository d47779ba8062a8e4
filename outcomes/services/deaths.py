"""The death of a participant: its one record, and what follows from it in the casebook."""

from __future__ import annotations

import math

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import (
    CAUSES,
    RELATED,
    Death,
    DeathSource,
    Informant,
    SurvivalContact,
    SurvivalStatus,
)
from outcomes.selectors.deaths import death_record, hours_after_session
from outcomes.services.drafts import propose_draft
from outcomes.services.safety import WEIGHT_OF_CAUSE
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record, record_death, revoke_death
from trialsite.conduct.services.proposals import (
    Weight,
    end_causes,
    propose_holds,
    rules_for,
)
from trialsite.core.exceptions import TransitionError
from trialsite.crf.models import stored
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldTrigger
from visits.models import TreatmentSession

#: The kind of the notice that tells those who may hold of such a death.
ALERT = "death-hold"
DEATH_TRIGGERS = (HoldTrigger.DEATH_AFTER_SESSION, HoldTrigger.DEATH_RELATED)


@transaction.atomic
def open_death(*, subject: Subject, by: User) -> CrfRecord:
    """The record of the subject's death, opened where there is none that stands."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    found = death_record(subject)
    return found or open_record(subject=subject, form_oid=Death.form_oid, by=by)


def begin_death(*, contact: SurvivalContact, by: User) -> CrfRecord:
    """The record of a death that a contact told of, begun as a draft with what it told."""
    by.require(Capability.ENTER_DATA, site=contact.site_id)
    if contact.status != SurvivalStatus.DEAD or not contact.stands:
        raise TransitionError(_("This contact tells of no death."))
    record = open_death(subject=contact.subject, by=by)
    if record.version == 0:
        informant = Informant(contact.informant) if contact.informant else Informant.OTHER
        said = {"source": _SOURCES.get(informant, DeathSource.OTHER).value}
        if contact.contact_on is not None:
            said["document"] = _("Survival contact of %(date)s") % {
                "date": contact.contact_on.isoformat()
            }
        propose_draft(record, said, by=by)
    return record


#: Where the knowledge of a death comes from, by who told of it.
_SOURCES = {
    Informant.FAMILY: DeathSource.FAMILY,
    Informant.HOSPITAL: DeathSource.HOSPITAL,
    Informant.PHYSICIAN: DeathSource.HOSPITAL,
    Informant.REGISTRY: DeathSource.REGISTRY,
}


def follow_session(session: TreatmentSession, _by: User) -> None:
    """A session's times may tell anew whether a death came soon after it."""
    death = stored(Death).filter(subject=session.subject_id, record__voided_at=None).first()
    if death is not None:
        subject = Subject.objects.select_related("site").get(pk=session.subject_id)
        _follow_rules(death, subject)


def follow_death(death: Death, by: User) -> None:
    """Keep the casebook's date of death what the form says, and the schedule with it.

    A voided record, or one whose date was emptied, takes the death back.
    """
    subject = Subject.objects.select_related("site").get(pk=death.subject_id)
    died_on = str(death.died_on) if death.stands and death.died_on else ""
    if died_on and died_on != subject.died_on:
        subject = record_death(subject=subject, died_on=died_on, by=by)
    elif subject.died_on and _takes_back(death, subject):
        subject = revoke_death(subject=subject, by=by)
    _follow_rules(death if death.stands else None, subject)


def _takes_back(death: Death, subject: Subject) -> bool:
    """Whether the form said the casebook's date and now is voided, or its date was emptied.

    A form that has not yet got its date takes nothing back that came another way.
    """
    if not death.stands:
        return str(death.died_on or "") == subject.died_on
    return death.died_on is None and "died_on" in death.changed


def _follow_rules(death: Death | None, subject: Subject) -> None:
    """What the protocol's rules say of such a death; a cause that is gone is noted."""
    reasons = {
        HoldTrigger.DEATH_RELATED: _("A death is judged related to the treatment."),
        HoldTrigger.DEATH_AFTER_SESSION: _("A participant died soon after a session."),
    }
    for trigger, reason in reasons.items():
        if death is not None and _applies(trigger, death, subject):
            propose_holds(
                trigger=trigger,
                site=subject.site,
                reason=reason,
                about=str(subject.pk),
                subject=subject,
                weight=_weight(death, trigger, subject),
            )
            announce(ALERT)
        else:
            end_causes(trigger=trigger, subject=subject, about=str(subject.pk))


def _applies(trigger: HoldTrigger, death: Death, subject: Subject) -> bool:
    """Whether a rule of the protocol speaks of such a death."""
    rules = rules_for(trigger, subject)
    if trigger is HoldTrigger.DEATH_RELATED:
        return bool(rules) and _is_related(death)
    if death.died_on is None and "died_on" not in death.missing:
        # Nobody has said yet when it was, nor that it is not known.
        return False
    hours = hours_after_session(death)
    return hours is not None and any(hours <= (rule.within_hours or 0) for rule in rules)


def _weight(death: Death, trigger: HoldTrigger, subject: Subject) -> Weight:
    """How grave it is to the rule: the more related, or the sooner after the session."""
    if trigger is HoldTrigger.DEATH_RELATED:
        return Weight(
            measures={name: WEIGHT_OF_CAUSE.get(getattr(death, name), 0) for name in CAUSES}
        )
    within = max(rule.within_hours or 0 for rule in rules_for(trigger, subject))
    return Weight(measures={"sooner": math.ceil(within - (hours_after_session(death) or 0))})


def _is_related(death: Death) -> bool:
    return any(getattr(death, name) in RELATED for name in CAUSES)
