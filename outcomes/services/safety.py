"""What an adverse event means for the protocol's safety rules, at each save and voiding.

A rule that is not switched on only proposes; nothing is held by it (decisions C7). What is
corrected is noted on the proposals it raised; a hold stays until it is lifted by signature.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent
from outcomes.models.event_checks import CAUSES
from outcomes.selectors.safety import related_serious, toxicity_of, within_days
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.services.proposals import (
    end_causes,
    end_counted_causes,
    propose_by_monitor,
    propose_holds,
    rules_for,
)
from trialsite.conduct.toxicity import is_crossed
from trialsite.conduct.watching import MONITOR
from trialsite.notify.outbox import announce
from trialsite.protocol.proposals import HoldProposal, HoldTrigger, MonitorProposal

#: The kind of the notice that tells those who may hold of such an event.
ALERT = "event-hold"
EVENT_TRIGGERS = (HoldTrigger.SUSAR, HoldTrigger.RELATED_SAE, MONITOR)
#: What a rule may look at: another change of an event raises nothing.
_JUDGED = frozenset(
    {
        "serious",
        "grade",
        "outcome",
        "results_in_death",
        "life_threatening",
        "expectedness",
        "started_on",
        *CAUSES,
    }
)


def follow_safety(event: AdverseEvent, _by: User) -> None:
    """Propose what the rules say of an event, or note that its cause is gone."""
    subject = Subject.objects.select_related("site").get(pk=event.subject_id)
    if event.stands and not event.changed & _JUDGED:
        return
    susar = _follow_susar(event, subject)
    monitors = protocol_of(subject.protocol_version_id).proposals.monitors
    counted = [rule for rule in rules_for(HoldTrigger.RELATED_SAE, subject) if _is_whole(rule)]
    related = [_follow_count(event, subject, rule) for rule in counted]
    crossed = [_follow_monitor(event, subject, each) for each in monitors if each.is_defined]
    if susar or any(related) or any(crossed):
        announce(ALERT)


def _follow_susar(event: AdverseEvent, subject: Subject) -> bool:
    trigger, about = HoldTrigger.SUSAR, str(event.pk)
    met = [rule for rule in rules_for(trigger, subject) if _is_susar(event, rule)]
    if not met:
        end_causes(trigger=trigger, subject=subject, about=about)
        return False
    propose_holds(
        trigger=trigger,
        site=subject.site,
        reason=_("A serious adverse event is suspected to be related, and unexpected."),
        about=about,
        subject=subject,
        only=met,
    )
    return True


def _is_susar(event: AdverseEvent, rule: HoldProposal) -> bool:
    severe = event.judged_grade >= (rule.grade_at_least or 0)
    return event.stands and event.is_suspected_unexpected and severe


def _is_whole(rule: HoldProposal) -> bool:
    """A rule that does not say how many among how many counts nothing."""
    return rule.events_at_least is not None and rule.among_first is not None


def _follow_count(event: AdverseEvent, subject: Subject, rule: HoldProposal) -> bool:
    trigger, about = HoldTrigger.RELATED_SAE, str(event.pk)
    counts = (
        event.stands
        and event.is_sae
        and event.is_related
        and event.judged_grade >= (rule.grade_at_least or 0)
    )
    if not counts:
        end_causes(trigger=trigger, subject=subject, about=about)
    else:
        # Two events at once are counted one after the other: the second sees the first.
        decide_under_holds(changing=True)
    assert rule.events_at_least is not None
    seen = related_serious(rule, subject)
    counts = counts and seen.among
    if seen.events < rule.events_at_least:
        end_counted_causes(trigger=trigger, rule=rule.key)
        return False
    if counts:
        propose_holds(
            trigger=trigger,
            site=subject.site,
            reason=_("Related serious adverse events have reached the number of the rule."),
            about=about,
            subject=subject,
            only=[rule],
            study_wide=True,
        )
    return counts


def _follow_monitor(event: AdverseEvent, subject: Subject, monitor: MonitorProposal) -> bool:
    counts = (
        event.stands
        and event.judged_grade >= (monitor.grade_at_least or 0)
        and (event.is_related or not monitor.related)
        and within_days(event, monitor)
    )
    if counts:
        decide_under_holds(changing=True)
    seen = toxicity_of(monitor)
    if not is_crossed(monitor, seen.evaluable, seen.with_event):
        end_counted_causes(trigger=MONITOR, rule=monitor.key)
        return False
    if counts:
        propose_by_monitor(
            monitor=monitor,
            site=subject.site,
            reason=_("The toxicity monitor has crossed its limit."),
            about=str(event.pk),
            subject=subject,
        )
    return counts
