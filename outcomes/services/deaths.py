"""The death of a participant: its one record, and what follows from it in the casebook."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import (
    Death,
    DeathSource,
    Informant,
    SurvivalContact,
    SurvivalStatus,
)
from outcomes.selectors.deaths import death_record
from outcomes.services.drafts import propose_draft
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record, record_death, revoke_death
from trialsite.core.exceptions import TransitionError


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


def follow_death(death: Death, by: User) -> None:
    """Keep the casebook's date of death what the form says, and the schedule with it.

    A voided record, or one whose date was emptied, takes the death back.
    """
    subject = Subject.objects.select_related("site").get(pk=death.subject_id)
    died_on = str(death.died_on) if death.stands and death.died_on else ""
    if died_on and died_on != subject.died_on:
        record_death(subject=subject, died_on=died_on, by=by)
    elif subject.died_on and _takes_back(death, subject):
        revoke_death(subject=subject, by=by)


def _takes_back(death: Death, subject: Subject) -> bool:
    """Whether the form said the casebook's date and now is voided, or its date was emptied.

    A form that has not yet got its date takes nothing back that came another way.
    """
    if not death.stands:
        return str(death.died_on or "") == subject.died_on
    return death.died_on is None and "died_on" in death.changed
