"""The alert of a death for which a rule of the protocol would pause the study."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from outcomes.models import AdverseEvent, Death
from outcomes.services.adverse_events import follow_event
from outcomes.services.deaths import ALERT, DEATH_TRIGGERS, follow_death
from outcomes.services.sae_cases import follow_sae
from trialsite.conduct.alerts import register_hold_alert
from trialsite.crf.registry import after_save

after_save(AdverseEvent, follow_event)
after_save(AdverseEvent, follow_sae)
after_save(Death, follow_death)
register_hold_alert(
    kind=ALERT,
    title=gettext_lazy("Death after treatment or related to it"),
    triggers=DEATH_TRIGGERS,
)
