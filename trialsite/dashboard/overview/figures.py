"""Every figure of the overview: what it counts, who may open it, where its rows stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability

#: From part and site to the list of the rows; empty for what does not narrow.
Address = Callable[[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One kind of count, with the words that say what is counted."""

    key: str
    title: Promise
    says: Promise
    #: Who may see the rows; the counts are everybody's who sees the overview.
    needs: Capability
    address: Address


def _query(**asked: str) -> str:
    found = urlencode({name: value for name, value in asked.items() if value})
    return f"?{found}" if found else ""


def _own(key: str) -> Address:
    """The overview's own list."""
    return lambda part, site: (
        reverse("dashboard:overview_rows", args=[key]) + _query(part=part, site=site)
    )


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


def _figures() -> list[Figure]:
    casebook, screening = Capability.VIEW_CASEBOOK, Capability.VIEW_SCREENING
    return [
        Figure(
            key="enrolled",
            title=_("Enrolled"),
            says=_("Enrolments that stand, by the day on which the subject was enrolled."),
            needs=casebook,
            address=_own("enrolled"),
        ),
        Figure(
            key="flow",
            title=_("Participant flow"),
            says=_(
                "Entries of the screening log, each in exactly one place; a box is the sum of "
                "what it holds. Treated: a session was started."
            ),
            needs=screening,
            address=_own("flow"),
        ),
        Figure(
            key="failed_by",
            title=_("Why screening failed"),
            says=_("Screen failures for which the reason was given; one may have several."),
            needs=screening,
            address=_own("failed_by"),
        ),
        Figure(
            key="verdicts",
            title=_("Verdicts by criterion"),
            says=_("The latest signed evaluation of each person, criterion by criterion."),
            needs=casebook,
            address=_own("verdicts"),
        ),
        Figure(
            key="visits",
            title=_("Visits"),
            says=_("Visits that have a window, by how they keep it."),
            needs=casebook,
            address=_visits,
        ),
        Figure(
            key="sessions",
            title=_("Treatment sessions"),
            says=_("Sessions that were started, by how they ended."),
            needs=casebook,
            address=_own("sessions"),
        ),
        Figure(
            key="effective",
            title=_("Effective minutes"),
            says=_("Ended sessions by the time the circuit ran, interruptions taken out."),
            needs=casebook,
            address=_own("effective"),
        ),
        Figure(
            key="complications",
            title=_("Complications"),
            says=_("Complications entered in sessions that were started, by kind and severity."),
            needs=casebook,
            address=_own("complications"),
        ),
        Figure(
            key="endpoints",
            title=_("Survival and transplantation"),
            says=_("Enrolled subjects behind a curve or in a state on one of the protocol's days."),
            needs=casebook,
            address=_endpoint,
        ),
        Figure(
            key="events",
            title=_("Adverse events"),
            says=_("Adverse events that stand, by the worst grade the form names."),
            needs=casebook,
            address=_own("events"),
        ),
        Figure(
            key="cases",
            title=_("Serious adverse events"),
            says=_("Cases of serious adverse events, by their clocks."),
            needs=Capability.VIEW_SAFETY,
            address=_cases,
        ),
        Figure(
            key="samples",
            title=_("Samples missing"),
            says=_(
                "Planned kinds of specimen of visits that took place, not collected in full, "
                "with no reason stated."
            ),
            needs=casebook,
            address=_own("samples"),
        ),
    ]


FIGURES = {each.key: each for each in _figures()}
