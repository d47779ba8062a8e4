"""The words of states, reasons and measures, in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from outcomes.changes.change import Box
from outcomes.endpoints.course import Censored, Doubt
from outcomes.endpoints.milestones import State
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.tables import Cause
from outcomes.endpoints.timing import Untimed

ABSENT: dict[Absent, Promise] = {
    Absent.NOBODY: _("No estimate: nobody belongs to the denominator."),
    Absent.NOBODY_LEFT: _("No estimate: nobody is under observation any more."),
    Absent.AT_BOUND: _("No interval: this method has none at 0 % and at 100 %."),
    Absent.NOT_ALL_DUE: _("No estimate yet: not everybody has come to that day."),
    Absent.UNDECIDED: _("No estimate: an inexact date leaves open who belongs to the count."),
    Absent.NOT_REACHED: _("Not reached."),
}

STATES: dict[State, Promise] = {
    State.ALIVE_NATIVE: _("Alive, own liver"),
    State.ALIVE_LT: _("Alive after transplantation"),
    State.ALIVE_EITHER: _("Alive, own liver or not unclear"),
    State.DEAD: pgettext_lazy("state of a subject", "Dead"),
    State.UNKNOWN: _("Not known"),
    State.NOT_YET_DUE: _("Not yet due"),
    State.NO_ANCHOR: _("No day zero"),
}

STATES_SAY: dict[State, Promise] = {
    State.ALIVE_NATIVE: _(
        "Dated evidence of that day or later proves that the person lived, with the own liver."
    ),
    State.ALIVE_LT: _("The same, with a transplantation on that day or before."),
    State.ALIVE_EITHER: _("Alive; the date of the transplantation is known only to a span."),
    State.DEAD: _("Died on that day or before, whatever the cause."),
    State.UNKNOWN: _("The day has come and no dated evidence decides. Never taken for alive."),
    State.NOT_YET_DUE: _("The day has not come yet."),
    State.NO_ANCHOR: _("Enrolled and not treated: the day does not exist for this person."),
}

CENSORED: dict[Censored, Promise] = {
    Censored.LAST_KNOWN_ALIVE: _("Last known alive"),
    Censored.LOST: _("Lost to follow-up"),
    Censored.WITHDRAWN: _("Withdrew the use of all data"),
    Censored.STUDY_ENDED: _("Left the study"),
}

CAUSES: dict[Cause, Promise] = {
    Cause.DEATH: _("Death"),
    Cause.TRANSPLANT: _("Transplantation"),
    Cause.CENSORED: _("Censored"),
}

UNTIMED: dict[Untimed, Promise] = {
    Untimed.NO_ANCHOR: _("No day zero: enrolled and not treated."),
    Untimed.DEATH_BEFORE_ANCHOR: _("The death is dated before day zero."),
    Untimed.TRANSPLANT_BEFORE_ANCHOR: _("The transplantation is dated before day zero."),
}

DOUBTS: dict[Doubt, Promise] = {
    Doubt.NO_ANCHOR: _("No day zero"),
    Doubt.DEATH_INEXACT: _("The date of death is not known to the day"),
    Doubt.TRANSPLANT_INEXACT: _("The date of the transplantation is not known to the day"),
    Doubt.TRANSPLANT_UNRECORDED: _("A transplantation was reported, its record is missing"),
    Doubt.SEEN_AFTER_DEATH: _("Seen alive after the date of death"),
    Doubt.DEATH_BEFORE_ANCHOR: _("The death is dated before day zero"),
    Doubt.TRANSPLANT_BEFORE_ANCHOR: _("The transplantation is dated before day zero"),
    Doubt.TRANSPLANT_AFTER_DEATH: _("The transplantation is dated after the death"),
}

BOXES: dict[Box, Promise] = {
    Box.COUNTED: _("With value and baseline"),
    Box.DEAD: pgettext_lazy("state of a subject", "Dead"),
    Box.TRANSPLANTED: _("Transplanted"),
    Box.LEFT: _("Left the study"),
    Box.NOT_YET_DUE: _("Not yet due"),
    Box.MISSING: _("Missing"),
    Box.LIMIT: _("Known only as a limit"),
    Box.SET_ASIDE: _("Drawn soon after a purification"),
    Box.NO_BASELINE: _("No baseline"),
    Box.NOT_TREATED: _("Not treated"),
}

BOXES_SAY: dict[Box, Promise] = {
    Box.COUNTED: _("The visit has a value of its own and the person a baseline, both numbers."),
    Box.DEAD: _("No value; died before the window of the visit ended."),
    Box.TRANSPLANTED: _(
        "Transplanted before the window ended, or the value is of that day or later: it is "
        "another liver's and does not count."
    ),
    Box.LEFT: _("No value; left the study or took back the use of the data before."),
    Box.NOT_YET_DUE: _("No value yet; the window of the visit has not ended."),
    Box.MISSING: _("The window has ended and the visit has no value."),
    Box.LIMIT: _("The value is printed as a limit, such as “<5”, and is never taken as a number."),
    Box.SET_ASIDE: _("All values of the visit were drawn soon after a blood purification."),
    Box.NO_BASELINE: _("The visit has a value, but no number was recorded before treatment."),
    Box.NOT_TREATED: _("Enrolled and never treated: there is no baseline by definition."),
}

MELD_VERSIONS: dict[str, str | Promise] = {
    "unos": _("MELD (UNOS)"),
    "meld_na_2016": _("MELD-Na (2016)"),
    "meld_3_0": _("MELD 3.0"),
    "aetiology": _("MELD with aetiology"),
}
