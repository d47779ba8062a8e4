"""The alert of a death for which a rule of the protocol would pause the study."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from outcomes.models import AdverseEvent, Death, Disposition, SurvivalContact
from outcomes.services.adverse_events import follow_event
from outcomes.services.deaths import ALERT, DEATH_TRIGGERS, follow_death, follow_session
from outcomes.services.dispositions import follow_disposition
from outcomes.services.survival import follow_contact
from trialsite.conduct.alerts import register_hold_alert
from trialsite.crf.registry import after_save
from visits.following import after_times

after_save(AdverseEvent, follow_event)
after_save(Death, follow_death)
after_save(Disposition, follow_disposition)
after_save(SurvivalContact, follow_contact)
after_times(follow_session)
register_hold_alert(
    kind=ALERT,
    title=gettext_lazy("Death after treatment or related to it"),
    triggers=DEATH_TRIGGERS,
)
