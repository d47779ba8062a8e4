"""The death of a participant: its one record, and what follows from it in the casebook."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import RELATED, Death
from outcomes.selectors.deaths import death_record, hours_after_session
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record, record_death, revoke_death
from trialsite.conduct.services.proposals import end_causes, propose_holds, rules_for
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldTrigger

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
    _follow_rules(death if died_on else None, subject)


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
            )
            announce(ALERT)
        else:
            end_causes(trigger=trigger, subject=subject, about=str(subject.pk))


def _applies(trigger: HoldTrigger, death: Death, subject: Subject) -> bool:
    """Whether a rule of the protocol speaks of such a death."""
    rules = rules_for(trigger, subject)
    if trigger is HoldTrigger.DEATH_RELATED:
        return bool(rules) and _is_related(death)
    hours = hours_after_session(death)
    return hours is not None and any(hours <= (rule.within_hours or 0) for rule in rules)


def _is_related(death: Death) -> bool:
    judged = (death.related_cells, death.related_circuit, death.related_anticoagulant)
    return any(each in RELATED for each in judged)
