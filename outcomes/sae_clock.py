"""What an event is to the reporting rules, and the deadlines that follow: plain functions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from outcomes.models import CAUSES, CRITERIA, RELATED, AdverseEvent, Expectedness, Outcome
from outcomes.models.sae import Expedited, SaeCase, Suspected
from trialsite.protocol.reporting import Awareness, Reportable, ReportingRule, SafetyReporting

#: What the device law looks at, and what the other two causes are for a drug.
_DEVICE, _DRUG = "related_circuit", ("related_cells", "related_anticoagulant")
#: Suspicions that keep the sponsor's clock running until the cause is judged.
_SUSPECTED = (Suspected.CELLS, Suspected.CIRCUIT, Suspected.ANTICOAGULANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """One deadline as the rules give it now."""

    rule: ReportingRule
    since: dt.datetime
    due_at: dt.datetime


def is_grave(event: AdverseEvent) -> bool:
    """Fatal or life-threatening."""
    said = bool(event.results_in_death or event.life_threatening)
    return said or event.outcome == Outcome.FATAL


def is_suspected(event: AdverseEvent, case: SaeCase) -> bool:
    """Whether it is reported by the sponsor: related to the device or the cells, or a SUSAR.

    As long as no cause is judged the first suspicion counts, and a sponsor's word that it is
    a SUSAR or UADE counts beside the site's judgement; neither takes the other back.
    """
    if case.expedited and case.expedited != Expedited.NONE:
        return True
    if all(getattr(event, name) is None for name in CAUSES):
        return case.suspected in _SUSPECTED
    device = event.related_circuit in RELATED or event.related_cells in RELATED
    return device or event.is_suspected_unexpected


def expedited_of(event: AdverseEvent) -> Expedited | None:
    """Whether it is a SUSAR or a UADE by what the site has judged; None: not yet judged.

    Related, serious and unexpected: to the circuit or device a UADE, to the cells or the
    anticoagulant a SUSAR.
    """
    judged = [getattr(event, name) for name in CAUSES]
    related = [value in RELATED for value in judged]
    if not any(related):
        return None if None in judged else Expedited.NONE
    if event.expectedness in (None, Expectedness.NOT_ASSESSED):
        return None
    if event.expectedness != Expectedness.UNEXPECTED or not event.is_sae:
        return Expedited.NONE
    device = getattr(event, _DEVICE) in RELATED
    drug = any(getattr(event, name) in RELATED for name in _DRUG)
    if device and drug:
        return Expedited.BOTH
    return Expedited.UADE if device else Expedited.SUSAR


def deadlines_of(
    plan: SafetyReporting | None,
    event: AdverseEvent,
    case: SaeCase,
    *,
    sponsor_aware_at: dt.datetime | None,
    zone: ZoneInfo,
) -> dict[str, Derived]:
    """Every deadline that the protocol gives for this event now, by its rule."""
    since = {Awareness.INVESTIGATOR: case.aware_at, Awareness.SPONSOR: sponsor_aware_at}
    found = {}
    for rule in plan.rules if plan else ():
        began = since[rule.counted_from]
        if began is not None and _speaks_of(rule, event, case):
            due = rule.due(began, zone)
            found[rule.key] = Derived(rule=rule, since=began, due_at=due)
    return found


def _speaks_of(rule: ReportingRule, event: AdverseEvent, case: SaeCase) -> bool:
    if rule.events is Reportable.EVERY:
        return True
    grave = is_grave(event)
    wanted = rule.events is Reportable.SUSPECTED_GRAVE
    return grave is wanted and is_suspected(event, case)


def lacking_of(event: AdverseEvent, case: SaeCase) -> list[str]:
    """What a complete report would still need, as codes; the minimum is always there."""
    wanted: dict[str, bool] = {
        "onset": event.started_on is not None,
        "aware": case.aware_said,
        "criterion": _has_criterion(event),
        "grade": event.grade is not None,
        "causality": all(getattr(event, name) is not None for name in CAUSES),
        "disease": event.related_disease is not None,
        "expectedness": event.expectedness not in (None, "", Expectedness.NOT_ASSESSED),
        "action": event.action is not None,
        "outcome": event.outcome is not None,
        "narrative": bool((case.narrative or event.description or "").strip()),
        "reporter": bool(case.reporter.strip()),
    }
    return [name for name, there in wanted.items() if not there]


def _has_criterion(event: AdverseEvent) -> bool:
    return any(getattr(event, name) for name in CRITERIA)
