"""What is said of a line that cannot be taken as it is, pasted or imported."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from trialsite.labs.pasting import PasteProblem

PROBLEMS: dict[PasteProblem, str | Promise] = {
    PasteProblem.LINE_TOO_LONG: gettext_lazy("This line is too long to be a result."),
    PasteProblem.CELL_TOO_LONG: gettext_lazy("A cell of this line is too long."),
    PasteProblem.UNEXPECTED_CELLS: gettext_lazy("This line has more cells than a result."),
    PasteProblem.OTHER_SPECIMEN: gettext_lazy("This seems to be another specimen, such as urine."),
    PasteProblem.UNKNOWN_TEST: gettext_lazy("No analyte of the protocol has this name."),
    PasteProblem.AMBIGUOUS_TEST: gettext_lazy("Several analytes could be meant."),
    PasteProblem.DUPLICATE_TEST: gettext_lazy("This analyte stands twice: take one of them."),
    PasteProblem.NO_RESULT: gettext_lazy("There is no result in this line."),
    PasteProblem.SEVERAL_RESULTS: gettext_lazy("Several results stand in this line."),
    PasteProblem.UNREADABLE_RESULT: gettext_lazy("The result cannot be read."),
    PasteProblem.NO_UNIT: gettext_lazy("The block names no unit: choose it."),
    PasteProblem.UNKNOWN_UNIT: gettext_lazy("This unit is not accepted: choose the one meant."),
    PasteProblem.AMBIGUOUS_UNIT: gettext_lazy("The unit can be read in several ways: choose."),
}
