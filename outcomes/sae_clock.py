"""What an event is to the reporting rules, and the deadlines that follow: plain functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from outcomes.models import CAUSES, CRITERIA, RELATED, AdverseEvent, Expectedness, Grade, Outcome
from outcomes.models.sae import Expedited, SaeCase, SaeDeadline, Suspected, To
from outcomes.models.sae_reports import SaeReceipt, SaeReport
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
    """Fatal or life-threatening; a grade 5 is a death."""
    said = bool(event.results_in_death or event.life_threatening)
    return said or event.outcome == Outcome.FATAL or event.grade == Grade.DEATH


def is_suspected(event: AdverseEvent, case: SaeCase) -> bool:
    """Whether it is reported by the sponsor: related to the device or the cells, or a SUSAR.

    Until a cause is judged related or every one is judged, the first suspicion counts; of
    what is fatal or life-threatening an unknown cause is one. A sponsor's word that it is a
    SUSAR or UADE counts beside the site's judgement; neither takes the other back.
    """
    if case.expedited and case.expedited != Expedited.NONE:
        return True
    if not event.is_related and any(getattr(event, name) is None for name in CAUSES):
        unknown = case.suspected == Suspected.UNKNOWN and is_grave(event)
        return unknown or case.suspected in _SUSPECTED
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
    since: Callable[[ReportingRule], dt.datetime | None],
    zone: ZoneInfo,
) -> dict[str, Derived]:
    """Every deadline that the protocol gives for this event now, by its rule."""
    found = {}
    for rule in plan.rules if plan else ():
        if _speaks_of(rule, event, case) and (began := since(rule)) is not None:
            due = rule.due(began, zone)
            found[rule.key] = Derived(rule=rule, since=began, due_at=due)
    return found


def says(report: SaeReport, rule: ReportingRule) -> bool:
    """Whether who reads the report knows that the rule's clock runs, or a shorter one."""
    facts = report.content["facts"]
    if rule.events is Reportable.EVERY:
        return True
    return facts["suspected"] and (facts["grave"] or rule.events is Reportable.SUSPECTED_OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The clocks of one case: what was known since when, and which report answers it."""

    case: SaeCase
    event: AdverseEvent
    reports: list[SaeReport]
    receipts: list[SaeReceipt]
    standing: dict[str, SaeDeadline]
    now: dt.datetime

    def since(self, rule: ReportingRule) -> dt.datetime | None:
        """The moment a rule's clock begins. What became graver after it was reported is
        asked for anew, from the moment it is known."""
        row = self.standing.get(rule.key)
        if rule.counted_from is Awareness.INVESTIGATOR:
            return self._of_site(row)
        received = [each for each in self.receipts if _told(each) is not None]
        if not received:
            return None
        numbers = {each.pk for each in self.reports if says(each, rule)}
        told = [_told(each) for each in received if each.report_id in numbers]
        return min((at for at in told if at), default=row.since if row else self.now)

    def _of_site(self, row: SaeDeadline | None) -> dt.datetime:
        if not self.reports or not is_grave(self.event):
            return self.case.aware_at
        if row is not None and row.since > self.reports[0].signed_at:
            return row.since
        known = self.reports[-1].content["facts"]["grave"]
        return self.case.aware_at if known else self.now


def _told(receipt: SaeReceipt) -> dt.datetime | None:
    """When the sponsor knew by this sending."""
    return receipt.received_at if receipt.recipient == To.SPONSOR else None


def meets(
    deadline: SaeDeadline, reports: Iterable[SaeReport], receipts: Iterable[SaeReceipt]
) -> Callable[[int], bool]:
    """Which report numbers answer a deadline: those signed since its cause was known, and
    the one by which the sponsor knew it; further information is a later report than the first
    that the recipient was sent."""
    receipts = list(receipts)
    told = {each.report_id for each in receipts if _told(each) == deadline.since}
    least = min(
        (each.number for each in reports if each.pk in told or each.signed_at >= deadline.since),
        default=None,
    )
    if least is None:
        return lambda _: False
    if not deadline.follow_up:
        return lambda number: number >= least
    to = [each.report.number for each in receipts if each.recipient == deadline.recipient]
    first = min((number for number in to if number >= least), default=None)
    return lambda number: first is not None and number > first


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
