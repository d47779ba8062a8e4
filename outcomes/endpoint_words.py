"""The endpoints in words: definitions, states, and why a number is not there."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from outcomes.endpoints.course import Censored, Doubt
from outcomes.endpoints.milestones import State
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.tables import Cause
from outcomes.endpoints.timing import Endpoint, Untimed

C = TypeVar("C", bound=StrEnum)

ENDPOINTS: Mapping[Endpoint, str | Promise] = {
    Endpoint.OVERALL: _("Overall survival"),
    Endpoint.TRANSPLANT_FREE: _("Transplant-free survival"),
}

#: What each number means; `outcomes.endpoints.report.VERSION` counts their changes.
DEFINITIONS: Mapping[str, str | Promise] = {
    "overall": _(
        "From day 0 to death of any cause. A transplantation neither ends nor censors it; who "
        "is not known to have died is censored on the last day known alive."
    ),
    "transplant_free": _(
        "From day 0 to death or transplantation, whichever is first. Who is not known to have "
        "had either is censored on the last day known alive."
    ),
    "conversion": _(
        "From day 0 to the date of the transplantation, death competing: cumulative incidence "
        "by Aalen and Johansen, and the crude count among the treated."
    ),
    "milestones": _(
        "Alive on a day is proven by dated evidence of that day or later. Otherwise the subject "
        "is unknown, never taken for alive. Evaluable: the day has come, and the state is known."
    ),
    "intervals": _(
        "All intervals are two-sided 95 %. Curves: Greenwood or delta-method variance on the "
        "scale log(-log). Proportions: Wilson, and Clopper-Pearson (exact)."
    ),
    "inexact": _(
        "An event known only to a month or year counts on the first day it can have been; beside "
        "it stands the estimate with each such event on the last day."
    ),
}

STATES: Mapping[State, str | Promise] = {
    State.ALIVE_NATIVE: _("Alive with native liver"),
    State.ALIVE_LT: _("Alive after transplantation"),
    State.ALIVE_EITHER: _("Alive, date of transplantation inexact"),
    State.DEAD: pgettext_lazy("survival", "Dead"),
    State.UNKNOWN: pgettext_lazy("survival", "Unknown"),
    State.NOT_YET_DUE: _("Not yet due"),
    State.NO_ANCHOR: _("Not treated, no day 0"),
}

ABSENT: Mapping[Absent, str | Promise] = {
    Absent.NOBODY: _("Nobody to count yet."),
    Absent.NOBODY_LEFT: _("Nobody is under observation on this day."),
    Absent.AT_BOUND: _("No interval at 0 or 1 by this method."),
    Absent.NOT_ALL_DUE: _("Not everybody has come to this day yet."),
    Absent.UNDECIDED: _("An inexact date leaves it open who belongs to the count."),
}

CAUSES: Mapping[Cause, str | Promise] = {
    Cause.CENSORED: _("Censored"),
    Cause.DEATH: _("Death"),
    Cause.TRANSPLANT: _("Liver transplantation"),
}

CENSORED: Mapping[Censored, str | Promise] = {
    Censored.LAST_KNOWN_ALIVE: _("Last known alive"),
    Censored.LOST: _("Lost to follow-up"),
    Censored.WITHDRAWN: _("Withdrew all data"),
    Censored.STUDY_ENDED: _("Taking part in the study ended"),
}

UNTIMED: Mapping[Untimed, str | Promise] = {
    Untimed.NO_ANCHOR: _("Not treated, no day 0"),
    Untimed.DEATH_BEFORE_ANCHOR: _("The death is dated before day 0"),
    Untimed.TRANSPLANT_BEFORE_ANCHOR: _("The transplantation is dated before day 0"),
}

DOUBTS: Mapping[Doubt, str | Promise] = {
    Doubt.NO_ANCHOR: _("Enrolled and not treated: in no estimate"),
    Doubt.DEATH_INEXACT: _("The date of death is not known to the day"),
    Doubt.DEATH_UNRECORDED: _(
        "A contact, a fatal event or an ending tells of the death; the form “Death” is missing"
    ),
    Doubt.TRANSPLANT_INEXACT: _("The date of the transplantation is not known to the day"),
    Doubt.TRANSPLANT_UNRECORDED: _(
        "A contact told of a transplantation; the form “Liver transplantation” does not date it"
    ),
    Doubt.SEEN_AFTER_DEATH: _("An observation is dated after the death"),
    Doubt.DEATH_BEFORE_ANCHOR: _("The death is dated before day 0"),
    Doubt.TRANSPLANT_BEFORE_ANCHOR: _("The transplantation is dated before day 0"),
    Doubt.TRANSPLANT_AFTER_DEATH: _("The transplantation is dated after the death: left out"),
}


def codes(words: Mapping[C, str | Promise]) -> dict[str, str | Promise]:
    """Words by their codes, as a column of a dataset names them."""
    return {str(code): text for code, text in words.items()}
