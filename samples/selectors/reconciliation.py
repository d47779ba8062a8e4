"""Expected against collected, visit by visit of a site: collected, explained, or missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from samples.selectors.plan import KindOfVisit, samples_of_visits
from trialsite.access.models import Site, User
from trialsite.casebook.models import Visit, VisitStatus
from trialsite.casebook.protocols import visit_name
from trialsite.exports.python_rows import csv_lines
from trialsite.exports.registry import Column, Kind


class Reconciled(models.TextChoices):
    """Where one planned kind of a visit stands."""

    COLLECTED = "collected", _("As planned")
    EXPLAINED = "explained", _("Not collected, explained")
    MISSING = "missing", _("Missing, no reason")
    WITHDRAWN = "withdrawn", _("Consent for samples withdrawn")
    OPTIONAL = "optional", _("Optional, none collected")


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of specimen at one visit that took place."""

    visit: Visit
    visit_name: str
    kind: KindOfVisit
    state: Reconciled


COLUMNS = (
    Column(name="SITEID", label=_("Site")),
    Column(name="SUBJID", label=_("Subject")),
    Column(name="VISIT", label=_("Visit")),
    Column(name="ATTENDED", label=_("Attended on"), kind=Kind.DATE),
    Column(name="SPECTYP", label=_("Specimen")),
    Column(name="PLANMIN", label=_("Tubes planned, at least"), kind=Kind.INTEGER),
    Column(name="PLANMAX", label=_("Tubes planned, at most"), kind=Kind.INTEGER),
    Column(name="LABELLED", label=_("Labelled"), kind=Kind.INTEGER),
    Column(name="COLLECT", label=_("Collected"), kind=Kind.INTEGER),
    Column(name="ALIQUOTS", label=_("Aliquots"), kind=Kind.INTEGER),
    Column(name="FROZEN", label=_("Frozen and stored"), kind=Kind.INTEGER),
    Column(name="STATE", label=_("State")),
    Column(name="REASON", label=_("Why not collected")),
    Column(name="COMMENT", label=_("Comments")),
    Column(name="OPENITEMS", label=_("To be completed")),
    Column(name="OUTSIDE", label=_("Not as the protocol has it")),
)


def visits_of(user: User, site: Site) -> QuerySet[Visit]:
    """The visits of a site that took place, the latest first."""
    rows = Visit.objects.visible_to(user).at([site.pk]).filter(status=VisitStatus.ATTENDED)
    return rows.select_related("subject__site", "site").order_by("-attended_on", "pk")


def reconcile(visits: Iterable[Visit]) -> list[Line]:
    """Each kind that these visits plan, or that was collected beyond; four queries."""
    found = samples_of_visits(list(visits))
    return [
        Line(each.visit, visit_name(each.visit), kind, _state(kind))
        for each in found.values()
        for kind in each.kinds
    ]


def _state(kind: KindOfVisit) -> Reconciled:
    if kind.is_missing:
        return Reconciled.MISSING
    if kind.statement is not None:
        return Reconciled.EXPLAINED
    if kind.withdrawn and not kind.collected:
        return Reconciled.WITHDRAWN
    return Reconciled.COLLECTED if kind.collected else Reconciled.OPTIONAL


def reconciliation_csv(user: User, site: Site) -> bytes:
    """The whole list of a site as a file."""
    return b"".join(block for block, _count in csv_lines(COLUMNS, _rows(user, site)))


def _rows(user: User, site: Site) -> Iterator[dict[str, Any]]:
    for line in reconcile(visits_of(user, site)):
        kind, statement, gaps = line.kind, line.kind.statement, line.kind.tubes_with_gaps
        yield {
            "SITEID": site.code,
            "SUBJID": line.visit.subject.label,
            "VISIT": line.visit_name,
            "ATTENDED": line.visit.attended_on,
            "SPECTYP": kind.key,
            "PLANMIN": kind.tubes_least,
            "PLANMAX": kind.tubes_most,
            "LABELLED": kind.labelled,
            "COLLECT": kind.collected,
            "ALIQUOTS": kind.aliquots,
            "FROZEN": kind.stored,
            "STATE": line.state.value,
            "REASON": statement.reason if statement else None,
            "COMMENT": (statement.comment or None) if statement else None,
            "OPENITEMS": _of_tubes([(each.specimen.code, each.open) for each in gaps]),
            "OUTSIDE": _of_tubes([(each.specimen.code, each.outside) for each in gaps]),
        }


def _of_tubes(said: list[tuple[str, list[str]]]) -> str | None:
    return "; ".join(f"{code}: {', '.join(texts)}" for code, texts in said if texts) or None
