"""What an event is to the reporting rules, and the deadlines that follow: plain functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from outcomes.models import CAUSES, CRITERIA, RELATED, AdverseEvent, Expectedness, Grade, Outcome
from outcomes.models.sae import Expedited, SaeCase, SaeDeadline, Standing, Suspected, To
from outcomes.models.sae_reports import SaeReceipt, SaeReport
from trialsite.protocol.reporting import Awareness, Reportable, ReportingRule, SafetyReporting

#: What the device law looks at, and what the other two causes are for a drug.
_DEVICE, _DRUG = "related_circuit", ("related_cells", "related_anticoagulant")
#: Suspicions that keep the sponsor's clock running until the cause is judged, and that cause.
_SUSPECTED = {
    Suspected.CELLS: "related_cells",
    Suspected.CIRCUIT: "related_circuit",
    Suspected.ANTICOAGULANT: "related_anticoagulant",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """When a clock began, and from which report on it is answered."""

    since: dt.datetime
    answers_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """One deadline as the rules give it now."""

    rule: ReportingRule
    begun: Begun
    due_at: dt.datetime


def is_grave(event: AdverseEvent) -> bool:
    """Fatal or life-threatening; a grade 5 is a death."""
    said = bool(event.results_in_death or event.life_threatening)
    return said or event.outcome == Outcome.FATAL or event.grade == Grade.DEATH


def is_suspected(event: AdverseEvent, case: SaeCase) -> bool:
    """Whether it is reported by the sponsor: related to the device or the cells, or a SUSAR.

    The first suspicion counts until its own cause is judged, and while nothing is judged
    related until every one is; of what is fatal or life-threatening an unknown cause is one.
    What is related to the anticoagulant counts as unexpected until somebody has looked
    (ICH E2A III.A.1). A sponsor's word that it is a
    SUSAR or UADE counts beside the site's judgement; neither takes the other back.
    """
    if case.expedited and case.expedited != Expedited.NONE:
        return True
    own = _SUSPECTED.get(Suspected(case.suspected)) if case.suspected else None
    if own and getattr(event, own) is None:
        return True
    if not event.is_related and any(getattr(event, name) is None for name in CAUSES):
        unknown = case.suspected == Suspected.UNKNOWN and is_grave(event)
        return unknown or own is not None
    unlooked = event.is_related and event.expectedness in (None, "", Expectedness.NOT_ASSESSED)
    if event.is_sae and unlooked:
        return True
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


def standing_of(event: AdverseEvent) -> Standing:
    """What the site holds the event for."""
    if not event.stands:
        return Standing.VOIDED
    if not event.is_sae:
        return Standing.NOT_SERIOUS
    return Standing.GRAVE if is_grave(event) else Standing.SERIOUS


def deadlines_of(
    plan: SafetyReporting | None,
    *,
    begun: Callable[[ReportingRule], Begun | None],
    zone: ZoneInfo,
) -> dict[str, Derived]:
    """Every deadline that the protocol gives for this event now, by its rule."""
    found = {}
    for rule in plan.rules if plan else ():
        if (began := begun(rule)) is not None:
            due = rule.due(began.since, zone)
            found[rule.key] = Derived(rule=rule, begun=began, due_at=due)
    return found


def says(report: SaeReport, rule: ReportingRule) -> bool:
    """Whether who reads the report knows that the rule's clock runs, or a shorter one."""
    facts = report.content["facts"]
    if rule.events is Reportable.EVERY:
        return True
    return facts["suspected"] and (facts["grave"] or rule.events is Reportable.SUSPECTED_OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The clocks of one case: what was known since when, and who was told what."""

    case: SaeCase
    event: AdverseEvent
    #: All of them; one whose signature was voided keeps its number and tells nothing.
    reports: list[SaeReport]
    receipts: list[SaeReceipt]
    standing: dict[str, SaeDeadline]
    now: dt.datetime

    def begun(self, rule: ReportingRule) -> Begun | None:
        """When a rule's clock began, or None where it does not run.

        What is taken back goes on as it stood until the safety officer agrees; after that
        only those who were sent a report are still owed one.
        """
        row = self.standing.get(rule.key)
        sent = self._sent(rule.recipient.value)
        taken_back = self.case.is_taken_back
        if taken_back and not sent and self.case.agreed_at is not None:
            return None
        if not (taken_back and row is not None) and not _speaks_of(rule, self.event, self.case):
            return None
        if rule.counted_from is Awareness.INVESTIGATOR:
            return self._of_site(row, sent)
        return self._of_sponsor(rule, row, sent)

    def _of_site(self, row: SaeDeadline | None, sent: list[SaeReport]) -> Begun:
        """From the site's awareness; for news, from when they were known."""
        first = Begun(since=self.case.aware_at, answers_from=0)
        if not sent:
            return first
        answered = row is not None and bool(answering(row, (each.number for each in sent)))
        if self._is_news_to(sent):
            since = self.case.standing_since
            if row is not None and row.answers_from and not answered:
                since = min(since, row.since)
            telling = (each.number for each in self._valid if not self._is_news_to([each]))
            return Begun(
                since=since,
                answers_from=min((n for n in telling if n > sent[-1].number), default=self._next),
            )
        # Told meanwhile: the clock of the news stays as it was kept.
        return _kept(row) if row is not None and row.answers_from and answered else first

    def _of_sponsor(
        self, rule: ReportingRule, row: SaeDeadline | None, sent: list[SaeReport]
    ) -> Begun | None:
        """From when the sponsor knew; news to the recipient, from when the sponsor knew those."""
        told = self._sponsor_told()
        if not told:
            return None
        if self.case.is_taken_back:
            return self._of_taking_back(rule, row, sent, told)
        known = [each for each in told if says(each[1], rule)]
        if sent and _retracted(sent[-1]):
            known = [each for each in known if each[1].number > sent[-1].number]
        if known:
            at, report = min(known, key=lambda each: (each[0], each[1].number))
            return Begun(since=at, answers_from=report.number)
        # The sponsor knows the event, and not yet what makes this clock run.
        if row is not None:
            return _as_told(row, told)
        return Begun(since=self.now, answers_from=self._next)

    def _of_taking_back(
        self,
        rule: ReportingRule,
        row: SaeDeadline | None,
        sent: list[SaeReport],
        told: list[tuple[dt.datetime, SaeReport]],
    ) -> Begun | None:
        """A deadline that stands stays; once it is met, the recipient is told of the rest."""
        if row is None:
            at, report = min(told, key=lambda each: (each[0], each[1].number))
            return Begun(since=at, answers_from=report.number)
        met = bool(answering(row, (each.number for each in sent)))
        telling = [each for each in told if not self._is_news_to([each[1]])]
        if not met or rule.follow_up or not telling or not self._is_news_to(sent):
            return _as_told(row, told)
        at, report = min(telling, key=lambda each: (each[0], each[1].number))
        return Begun(since=at, answers_from=report.number)

    @property
    def _valid(self) -> list[SaeReport]:
        return [
            each
            for each in self.reports
            if each.signature is None or each.signature.voided_at is None
        ]

    @property
    def _next(self) -> int:
        return len(self.reports)

    def _sent(self, recipient: str) -> list[SaeReport]:
        """The reports that this recipient was sent, by their numbers."""
        keys = {each.report_id for each in self.receipts if each.recipient == recipient}
        return [each for each in self.reports if each.pk in keys]

    def _sponsor_told(self) -> list[tuple[dt.datetime, SaeReport]]:
        reports = {each.pk: each for each in self.reports}
        return [
            (_told(each), reports[each.report_id])
            for each in self.receipts
            if each.recipient == To.SPONSOR
        ]

    def _is_news_to(self, sent: list[SaeReport]) -> bool:
        """Whether the last they were sent says less than what the event is held for now."""
        facts = sent[-1].content["facts"]
        if _retracted(sent[-1]) != (self.case.standing if self.case.is_taken_back else ""):
            return True
        return not self.case.is_taken_back and is_grave(self.event) and not facts["grave"]


def _retracted(report: SaeReport) -> str:
    return str(report.content["facts"]["taken_back"])


def _kept(row: SaeDeadline) -> Begun:
    return Begun(since=row.since, answers_from=row.answers_from)


def _as_told(row: SaeDeadline, told: list[tuple[dt.datetime, SaeReport]]) -> Begun:
    """The sponsor's clock as it stands, from when they knew of the report it began with."""
    known = (at for at, report in told if report.number == row.answers_from)
    return Begun(since=min(known, default=row.since), answers_from=row.answers_from)


def _told(receipt: SaeReceipt) -> dt.datetime:
    """When the sponsor knew by this sending: as it was sent, until its receipt says when."""
    return receipt.received_at or receipt.submitted_at


def answering(deadline: SaeDeadline, sent: Iterable[int]) -> list[int]:
    """Those of the report numbers a recipient was sent that meet a deadline: from the one on
    that says what it is about; further information is a later one than the first of them."""
    numbers = sorted(number for number in sent if number >= deadline.answers_from)
    return numbers[1:] if deadline.follow_up else numbers


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
