"""What the boxes of the tables are called and what they count; the endpoints' own words are in
`outcomes.endpoint_words`."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from outcomes.changes.change import Box
from outcomes.endpoints.milestones import State

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

BOXES: dict[Box, Promise] = {
    Box.COUNTED: _("With value and baseline"),
    Box.DEAD: pgettext_lazy("survival", "Dead"),
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
