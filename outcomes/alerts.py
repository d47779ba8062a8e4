"""The alert of a death for which a rule of the protocol would pause the study."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from outcomes.models import (
    AdverseEvent,
    AdverseEventGrade,
    Death,
    Disposition,
    EventMedication,
    SurvivalContact,
)
from outcomes.selectors.told_deaths import TELLS
from outcomes.services.adverse_events import follow_event
from outcomes.services.death_rules import (
    ALERT,
    DEATH_TRIGGERS,
    follow_session,
    follow_telling,
)
from outcomes.services.deaths import follow_death
from outcomes.services.dispositions import follow_disposition
from outcomes.services.rejudging import (
    rejudge_for_death,
    rejudge_for_event,
    rejudge_for_row,
)
from outcomes.services.sae_cases import follow_sae
from outcomes.services.sae_deaths import follow_teller
from outcomes.services.survival import follow_contact
from trialsite.conduct.alerts import register_hold_alert
from trialsite.crf.registry import after_save
from visits.following import after_times

# Before `follow_sae`: the clock of a fatal event counts from when the death was known.
for teller in TELLS:
    after_save(teller, follow_teller)
after_save(AdverseEvent, follow_event)
after_save(AdverseEvent, follow_sae)
after_save(Death, follow_death)
after_save(AdverseEvent, rejudge_for_event)
after_save(AdverseEventGrade, rejudge_for_row)
after_save(EventMedication, rejudge_for_row)
# After `follow_death`: the checks look at the date of death that the casebook then has.
after_save(Death, rejudge_for_death)
after_save(Disposition, follow_disposition)
after_save(SurvivalContact, follow_contact)
# After all others: the rules look at the death that the records now tell of.
for teller in TELLS:
    after_save(teller, follow_telling)
after_times(follow_session)
register_hold_alert(
    kind=ALERT,
    title=gettext_lazy("Death after treatment or related to it"),
    triggers=DEATH_TRIGGERS,
)
