"""What the codes of safety reporting are called."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from outcomes.models import Expedited

#: What a complete report would still need.
LACKING: dict[str, Promise] = {
    "onset": gettext_lazy("Start of the event"),
    "aware": gettext_lazy("When the site first knew"),
    "criterion": gettext_lazy("Why it is serious"),
    "grade": gettext_lazy("Grade"),
    "causality": gettext_lazy("Causality to cells, circuit, anticoagulant"),
    "disease": gettext_lazy("Causality to the underlying disease"),
    "expectedness": gettext_lazy("Expectedness"),
    "action": gettext_lazy("Action taken"),
    "outcome": pgettext_lazy("adverse event", "Outcome"),
    "narrative": gettext_lazy("Narrative"),
    "reporter": gettext_lazy("Reporter"),
}

#: Why a case has closed by itself.
_CLOSED: dict[str, Promise] = {
    "event not serious": gettext_lazy("The event was found not to be serious."),
    "event voided": gettext_lazy("The event was voided."),
}


def lacking_word(code: str) -> str:
    return str(LACKING.get(code, code))


def expedited_word(code: str | None) -> str:
    """SUSAR, UADE or neither; what nobody has judged yet says so."""
    return str(Expedited(code).label) if code else _("Not yet judged")


def closing_word(reason: str) -> str:
    return str(_CLOSED.get(reason, reason))
