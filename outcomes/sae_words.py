"""What the codes of safety reporting are called."""

from __future__ import annotations

import datetime as dt

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


def lacking_word(code: str) -> str:
    return str(LACKING.get(code, code))


def expedited_word(code: str | None) -> str:
    """SUSAR, UADE or neither; what nobody has judged yet says so."""
    return str(Expedited(code).label) if code else _("Not yet judged")


def said_span(span: dt.timedelta) -> str:
    """A span as hours and minutes, from two days on as days and hours."""
    minutes = int(span.total_seconds() // 60)
    if minutes >= 2 * 24 * 60:
        return _("%(days)d d %(hours)d h") % {
            "days": minutes // (24 * 60),
            "hours": minutes // 60 % 24,
        }
    return _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}
