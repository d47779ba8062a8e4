"""What becomes of one result of a file, and in which words a person is told."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Outcome(StrEnum):
    """How one result of a file stands to the casebook."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    BLANK = "blank"
    UNKNOWN_PERSON = "unknown_person"
    OTHER_PERSON = "other_person"
    TIME = "time"
    ROW = "row"
    TEST = "test"
    RESULT = "result"
    UNIT = "unit"
    SLIP = "slip"
    TWICE = "twice"
    SPECIMEN = "specimen"
    LABORATORY = "laboratory"
    CLOSED = "closed"
    PAGE = "page"


#: What is written into the casebook when the import is taken.
WRITTEN = frozenset({Outcome.NEW, Outcome.CHANGED})
#: What needs no decision of anybody.
SETTLED = frozenset({Outcome.NEW, Outcome.SAME, Outcome.CHANGED, Outcome.BLANK})
#: What somebody must leave out before the rest can be taken; of SLIP the unit can be chosen.
OPEN = frozenset(Outcome) - SETTLED

#: In the order of the page: what is good first, then what needs a look.
WORDS: dict[Outcome, str | Promise] = {
    Outcome.NEW: _("New results"),
    Outcome.CHANGED: _("Changes of what stands"),
    Outcome.SAME: _("Already in the casebook"),
    Outcome.BLANK: _("Without a result"),
    Outcome.UNKNOWN_PERSON: _("Nobody of this site"),
    Outcome.OTHER_PERSON: _("Perhaps another person"),
    Outcome.SLIP: _("Unit to look at"),
    Outcome.UNIT: _("Unit not understood"),
    Outcome.TEST: _("Analyte not understood"),
    Outcome.RESULT: _("Result not understood"),
    Outcome.TIME: _("Date or time not possible"),
    Outcome.TWICE: _("Stands twice in the file"),
    Outcome.SPECIMEN: _("Another specimen"),
    Outcome.LABORATORY: _("Another laboratory"),
    Outcome.CLOSED: _("Locked or closed"),
    Outcome.PAGE: _("To be entered on its page"),
    Outcome.ROW: _("Row not whole"),
}
