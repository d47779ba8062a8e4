"""What adverse events mean for the protocol's safety rules, at each change of what is counted.

A rule that is not switched on only proposes; nothing is held by it (decisions C7). What is
corrected is noted on the proposals it raised; a hold stays until it is lifted by signature.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, AdverseEventGrade
from outcomes.models.codes import Causality
from outcomes.models.event_checks import CAUSES, CRITERIA
from outcomes.selectors.safety import (
    judged_grades,
    related_serious,
    standing_events,
    toxicity_of,
    within_days,
)
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.services.proposals import (
    Weight,
    end_causes,
    end_counted_causes,
    is_raised,
    propose_by_monitor,
    propose_holds,
    rules_for,
)
from trialsite.conduct.toxicity import is_crossed
from trialsite.conduct.watching import MONITOR
from trialsite.crf.models import stored
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldProposal, HoldTrigger, MonitorProposal
from visits.models import TreatmentSession

#: The kind of the notice that tells those who may hold of such an event.
ALERT = "event-hold"
EVENT_TRIGGERS = (HoldTrigger.SUSAR, HoldTrigger.RELATED_SAE, MONITOR)
#: What a rule may look at: another change of an event raises nothing.
_JUDGED = frozenset(
    {
        "serious",
        "grade",
        "outcome",
        "expectedness",
        "started_on",
        *CRITERIA,
        *CAUSES,
    }
)


#: What cannot be assessed counts as possible.
WEIGHT_OF_CAUSE: dict[str | None, int] = {
    Causality.UNLIKELY: 1,
    Causality.POSSIBLE: 2,
    Causality.NOT_ASSESSABLE: 2,
    Causality.PROBABLE: 3,
    Causality.DEFINITE: 4,
}


def follow_safety(event: AdverseEvent, _by: User) -> None:
    """Propose what the rules say of an event, or note that its cause is gone."""
    if event.stands and not event.changed & _JUDGED:
        return
    _judge(_subject(event.subject_id), [event])


def follow_grade(row: AdverseEventGrade, _by: User) -> None:
    """A row of grades was written, changed or voided: its event may be of another grade now."""
    if row.record.voided_at is None:
        _judge(_subject(row.subject_id), list(stored(AdverseEvent).filter(record=row.record_id)))


def follow_treatment(session: TreatmentSession, _by: User) -> None:
    """A session was started, timed anew or voided: what counts depends on it (clinical 2e).

    Which events lie within the days of a session, and who is among the first treated. An
    event of another subject may be what counts now; then the proposal is about the session.
    """
    if session.started_at is not None:
        subject = _subject(session.subject_id)
        _judge(subject, standing_events(subject), session=session)


def _subject(key: uuid.UUID) -> Subject:
    return Subject.objects.select_related("site").get(pk=key)


def _judge(
    subject: Subject, events: list[AdverseEvent], session: TreatmentSession | None = None
) -> None:
    """Hold every rule of the subject's protocol against these events of it."""
    judged = _Judged(subject, events, judged_grades(events), session)
    rules = rules_for(HoldTrigger.RELATED_SAE, subject)
    monitors = protocol_of(subject.protocol_version_id).proposals.monitors
    raised = [judged.susar(event) for event in events]
    raised += [judged.count(rule) for rule in rules if _is_whole(rule)]
    raised += [judged.monitor(each) for each in monitors if each.is_defined]
    if any(raised):
        announce(ALERT)


def _is_whole(rule: HoldProposal) -> bool:
    """A rule that does not say how many among how many counts nothing."""
    return rule.events_at_least is not None and rule.among_first is not None


@dataclass(frozen=True, slots=True)
class _Judged:
    """Events of one subject as the rules see them; each method says whether it proposed."""

    subject: Subject
    events: list[AdverseEvent]
    grades: dict[uuid.UUID, int]
    session: TreatmentSession | None

    def _is_of(self, event: AdverseEvent, grade: int | None) -> bool:
        return event.stands and self.grades[event.record_id] >= (grade or 0)

    def _weight(self, event: AdverseEvent, events: int | None = None) -> Weight:
        """How grave an event is: what makes a decision about it one about something less."""
        measures = {name: int(bool(getattr(event, name))) for name in CRITERIA}
        measures |= {name: WEIGHT_OF_CAUSE.get(getattr(event, name), 0) for name in CAUSES}
        measures |= {"grade": self.grades[event.record_id]}
        measures["unexpected"] = int(event.is_suspected_unexpected)
        return Weight(measures=measures, events=events)

    def susar(self, event: AdverseEvent) -> bool:
        """A suspected unexpected serious event of the rule's grade: by itself."""
        trigger, about = HoldTrigger.SUSAR, str(event.pk)
        met = [
            rule
            for rule in rules_for(trigger, self.subject)
            if self._is_of(event, rule.grade_at_least) and event.is_suspected_unexpected
        ]
        if not met:
            end_causes(trigger=trigger, subject=self.subject, about=about)
            return False
        propose_holds(
            trigger=trigger,
            site=self.subject.site,
            reason=_("A serious adverse event is suspected to be related, and unexpected."),
            about=about,
            subject=self.subject,
            only=met,
            weight=self._weight(event),
        )
        return True

    def count(self, rule: HoldProposal) -> bool:
        """Related serious events among the first treated, over all sites."""
        counting = [
            event
            for event in self.events
            if event.is_sae and event.is_related and self._is_of(event, rule.grade_at_least)
        ]
        trigger = HoldTrigger.RELATED_SAE
        self._expect_turn(counting)
        seen = related_serious(rule, self.subject)
        if not seen.among:
            counting = []
        self._end_others(trigger, counting)
        assert rule.events_at_least is not None
        if seen.events < rule.events_at_least:
            end_counted_causes(trigger=trigger, rule=rule.key)
            return False
        about = self._about(counting, trigger, rule.key, seen.events)
        for each, weight in about:
            propose_holds(
                trigger=trigger,
                site=self.subject.site,
                reason=_("Related serious adverse events have reached the number of the rule."),
                about=each,
                subject=self.subject,
                only=[rule],
                study_wide=True,
                weight=weight,
            )
        return bool(about)

    def monitor(self, monitor: MonitorProposal) -> bool:
        """The toxicity monitor, over all sites."""
        counting = [
            event
            for event in self.events
            if self._is_of(event, monitor.grade_at_least)
            and (event.is_related or not monitor.related)
            and within_days(event, monitor)
        ]
        self._expect_turn(counting)
        self._end_others(MONITOR, counting)
        seen = toxicity_of(monitor)
        if not is_crossed(monitor, seen.evaluable, seen.with_event):
            end_counted_causes(trigger=MONITOR, rule=monitor.key)
            return False
        about = self._about(counting, MONITOR, monitor.key, seen.with_event)
        for each, weight in about:
            propose_by_monitor(
                monitor=monitor,
                site=self.subject.site,
                reason=_("The toxicity monitor has crossed its limit."),
                about=each,
                subject=self.subject,
                weight=weight,
            )
        return bool(about)

    def _expect_turn(self, counting: list[AdverseEvent]) -> None:
        """Two at once are counted one after the other: the second sees the first."""
        if counting or self.session is not None:
            decide_under_holds(changing=True)

    def _end_others(self, trigger: HoldTrigger | str, counting: list[AdverseEvent]) -> None:
        """Note on the proposals of events which do not count that their cause is gone."""
        for event in self.events:
            if event not in counting:
                end_causes(trigger=trigger, subject=self.subject, about=str(event.pk))

    def _about(
        self, counting: list[AdverseEvent], trigger: HoldTrigger | str, rule: str, events: int
    ) -> list[tuple[str, Weight]]:
        """What to propose a rule about that is met: the events that were changed. After a
        session one proposal is enough, and none where one waits or as many events were
        decided about: about the first event that counts now, or about the session where that
        is an event of somebody else."""
        found = [(str(event.pk), self._weight(event, events)) for event in counting]
        if self.session is None:
            return found
        if is_raised(trigger=trigger, rule=rule, events=events):
            return []
        return (found or [(str(self.session.pk), Weight(events=events))])[:1]
