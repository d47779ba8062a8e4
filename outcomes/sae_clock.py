"""What an event is to the reporting rules, and the deadlines that follow: plain functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from outcomes.models import CAUSES, CRITERIA, RELATED, AdverseEvent, Expectedness, Grade, Outcome
from outcomes.models.sae import Expedited, SaeCase, SaeDeadline, Standing, Suspected, To
from outcomes.models.sae_knowledge import SponsorAwareness
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

    Each first suspicion counts until its own cause is judged, and while nothing is judged
    related until every one is; of what is fatal or life-threatening an unknown cause is one.
    What is related to the anticoagulant counts as unexpected until somebody has looked
    (ICH E2A III.A.1). A sponsor's word that it is a
    SUSAR or UADE counts beside the site's judgement; neither takes the other back.
    """
    return suspects(event, suspicions=case.suspicions, expedited=case.expedited)


def suspects(event: AdverseEvent, *, suspicions: set[str], expedited: str) -> bool:
    """The same of these suspicions and this word of the sponsor's."""
    if expedited and expedited != Expedited.NONE:
        return True
    own = [cause for suspicion, cause in _SUSPECTED.items() if suspicion in suspicions]
    if any(getattr(event, cause) is None for cause in own):
        return True
    if not event.is_related and any(getattr(event, name) is None for name in CAUSES):
        unknown = Suspected.UNKNOWN in suspicions and is_grave(event)
        return unknown or bool(own)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the sponsor knew of an event at one moment: by a report, or otherwise."""

    at: dt.datetime
    #: The report that told it; of other knowledge the next one to come.
    number: int
    suspected: bool
    grave: bool
    taken_back: str = ""
    #: Known otherwise than by a report from here.
    otherwise: bool = False

    def says(self, rule: ReportingRule) -> bool:
        """Whether who was told this knows that the rule's clock runs, or a shorter one."""
        if rule.events is Reportable.EVERY:
            return True
        return self.suspected and (self.grave or rule.events is Reportable.SUSPECTED_OTHER)


def told_by(report: SaeReport, at: dt.datetime) -> Told:
    """What somebody who had this report at a moment knew from then on."""
    facts = report.content["facts"]
    return Told(
        at=at,
        number=report.counts_as,
        suspected=facts["suspected"],
        grave=facts["grave"],
        taken_back=str(facts["taken_back"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The clocks of one case: what was known since when, and who was told what."""

    case: SaeCase
    event: AdverseEvent
    #: All of them; one whose signature was voided keeps its number and tells nothing.
    reports: list[SaeReport]
    receipts: list[SaeReceipt]
    #: What the sponsor knew otherwise.
    known: list[SponsorAwareness]
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
        answered = row is not None and bool(answering(row, (each.counts_as for each in sent)))
        if self._is_news_to(sent):
            since = self.case.standing_since
            if row is not None and row.answers_from and not answered:
                since = min(since, row.since)
            telling = (each.counts_as for each in self._valid if not self._is_news_to([each]))
            return Begun(
                since=since,
                answers_from=min(
                    (n for n in telling if n > sent[-1].counts_as), default=self._next
                ),
            )
        # Told meanwhile: the clock of the news stays as it was kept.
        return _kept(row) if row is not None and row.answers_from and answered else first

    def _of_sponsor(
        self, rule: ReportingRule, row: SaeDeadline | None, sent: list[SaeReport]
    ) -> Begun | None:
        """From when the sponsor knew; news to the recipient, from when the sponsor knew those."""
        told = self._sponsor_told(rule)
        if not told:
            return None
        if self.case.is_taken_back:
            return self._of_taking_back(rule, row, sent, told)
        known = [each for each in told if each.says(rule)]
        if sent and self._is_news_to(sent):
            # What the recipient was sent last says something else: it is counted from when
            # the sponsor knew what the event is held for now.
            known = [each for each in known if self._is_later(each, sent[-1])]
        if known:
            first = min(known, key=lambda each: (each.at, each.number))
            return Begun(since=first.at, answers_from=first.number)
        # The sponsor knows the event, and not yet what makes this clock run.
        if row is not None:
            return _as_told(row, told)
        return Begun(since=self.now, answers_from=self._next)

    def _is_later(self, told: Told, last: SaeReport) -> bool:
        """Whether the sponsor knew this after that report, and it is what holds now."""
        if told.grave != is_grave(self.event) or told.taken_back:
            return False
        if not told.otherwise:
            return told.number > last.counts_as
        before = (told_by(each, self.now) for each in self._valid if each.said_at <= last.said_at)
        again = any(each.grave == told.grave and not each.taken_back for each in before)
        return told.at > last.said_at or not again

    def _of_taking_back(
        self,
        rule: ReportingRule,
        row: SaeDeadline | None,
        sent: list[SaeReport],
        told: list[Told],
    ) -> Begun | None:
        """A deadline that stands stays; once it is met, the recipient is told of the rest."""
        if row is None:
            first = min(told, key=lambda each: (each.at, each.number))
            return Begun(since=first.at, answers_from=first.number)
        met = bool(answering(row, (each.counts_as for each in sent)))
        telling = [each for each in told if each.taken_back == self.case.standing]
        if not met or rule.follow_up or not telling or not self._is_news_to(sent):
            return _as_told(row, told)
        first = min(telling, key=lambda each: (each.at, each.number))
        return Begun(since=first.at, answers_from=first.number)

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
        """The reports that this recipient was sent, by the moments of which they tell."""
        keys = {each.report_id for each in self.receipts if each.recipient == recipient}
        sent = [each for each in self.reports if each.pk in keys]
        return sorted(sent, key=lambda each: (each.said_at, each.number))

    def _sponsor_told(self, rule: ReportingRule) -> list[Told]:
        """Every moment at which the sponsor knew something, by a report and otherwise."""
        reports = {each.pk: each for each in self.reports}
        told = [
            told_by(reports[each.report_id], each.received_at or each.submitted_at)
            for each in self.receipts
            if each.recipient == To.SPONSOR
        ]
        return [*told, *(self._otherwise(each, rule) for each in self.known)]

    def _otherwise(self, known: SponsorAwareness, rule: ReportingRule) -> Told:
        """Other knowledge; what the recipient is sent for it is a report that says as much."""
        told = Told(
            at=known.known_at,
            number=self._next,
            suspected=known.suspected,
            grave=known.grave,
            otherwise=True,
        )
        saying = (
            each.counts_as
            for each in self._valid
            if (one := told_by(each, self.now)).says(rule)
            and one.grave == known.grave
            and not one.taken_back
        )
        return replace(told, number=min(saying, default=self._next))

    def _is_news_to(self, sent: list[SaeReport]) -> bool:
        """Whether the last they were sent says something else than the event is held for now:
        taken back or no more so, graver, or not as grave as they were told."""
        facts = sent[-1].content["facts"]
        if _retracted(sent[-1]) != (self.case.standing if self.case.is_taken_back else ""):
            return True
        return not self.case.is_taken_back and is_grave(self.event) != facts["grave"]


def _retracted(report: SaeReport) -> str:
    return str(report.content["facts"]["taken_back"])


def _kept(row: SaeDeadline) -> Begun:
    return Begun(since=row.since, answers_from=row.answers_from)


def _as_told(row: SaeDeadline, told: list[Told]) -> Begun:
    """The sponsor's clock as it stands, from when they knew of the report it began with."""
    known = (each.at for each in told if each.number == row.answers_from and not each.otherwise)
    return Begun(since=min(known, default=row.since), answers_from=row.answers_from)


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
