"""Every figure of the overview: what it counts, who may open it, where its rows stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability


@dataclass(frozen=True, slots=True)
class Figure:
    """One kind of count, with the words that say what is counted."""

    key: str
    title: Promise
    says: Promise
    #: Who may see the rows; the counts are everybody's who sees the overview.
    needs: Capability = Capability.VIEW_CASEBOOK
    #: From part and site to another page that lists the rows; None: the overview's own.
    elsewhere: Callable[[str, str], str] | None = None

    def address(self, part: str, site: str) -> str:
        """Where the rows stand; empty for what does not narrow."""
        if self.elsewhere is not None:
            return self.elsewhere(part, site)
        own = reverse("dashboard:overview_rows", args=[self.key])
        return own + _query(part=part, site=site)


def _query(**asked: str) -> str:
    found = urlencode({name: value for name, value in asked.items() if value})
    return f"?{found}" if found else ""


def _visits(part: str, site: str) -> str:
    return reverse("dashboard:compliance_visits") + _query(state=part, site=site)


def _cases(part: str, site: str) -> str:
    return reverse("outcomes:safety") + _query(look=part, site=site)


def endpoint_address(*, of: str, what: str, day: int | None, site: str) -> str:
    """The subjects behind a figure of the endpoints."""
    said = _query(site=site, of=of, what=what, day="" if day is None else str(day))
    return reverse("outcomes:endpoint_subjects") + said


def _endpoint(part: str, site: str) -> str:
    of, what, day = [*part.split("."), "", ""][:3]
    return endpoint_address(of=of, what=what, day=int(day) if day else None, site=site)


_ALL = (
    Figure(
        "enrolled",
        _("Enrolled"),
        _("Enrolments that stand, by the day on which the subject was enrolled."),
    ),
    Figure(
        "flow",
        _("Participant flow"),
        _(
            "Entries of the screening log, each in exactly one place; a box is the sum of what "
            "it holds. Treated: a session was started."
        ),
        needs=Capability.VIEW_SCREENING,
    ),
    Figure(
        "failed_by",
        _("Why screening failed"),
        _("Screen failures for which the reason was given; one may have several."),
        needs=Capability.VIEW_SCREENING,
    ),
    Figure(
        "verdicts",
        _("Verdicts by criterion"),
        _("The latest signed evaluation of each person, criterion by criterion."),
    ),
    Figure(
        "visits",
        _("Visits"),
        _("Visits that have a window, by how they keep it."),
        elsewhere=_visits,
    ),
    Figure(
        "sessions",
        _("Treatment sessions"),
        _("Sessions that were started, by how they ended."),
    ),
    Figure(
        "effective",
        _("Effective minutes"),
        _("Ended sessions by the time the circuit ran, interruptions taken out."),
    ),
    Figure(
        "complications",
        _("Complications"),
        _("Complications entered in sessions that were started, by kind and severity."),
    ),
    Figure(
        "endpoints",
        _("Survival and transplantation"),
        _("Enrolled subjects behind a curve or in a state on one of the protocol's days."),
        elsewhere=_endpoint,
    ),
    Figure(
        "events",
        _("Adverse events"),
        _("Adverse events that stand, by the worst grade the form names."),
    ),
    Figure(
        "cases",
        _("Serious adverse events"),
        _(
            "Cases of serious adverse events, by their clocks. A death of which no event tells "
            "yet counts among the clocks that run or are overdue."
        ),
        needs=Capability.VIEW_SAFETY,
        elsewhere=_cases,
    ),
    Figure(
        "samples",
        _("Samples missing"),
        _(
            "Planned kinds of specimen of visits that took place, not collected in full, with no "
            "reason stated."
        ),
    ),
)

FIGURES = {each.key: each for each in _ALL}
