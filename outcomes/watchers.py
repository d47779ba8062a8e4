"""What the safety rules that look at adverse events see now, for the page of holds."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from outcomes.models import AdverseEvent, AdverseEventGrade
from outcomes.selectors.safety import judged_grades, related_serious, toxicity_of
from outcomes.services.safety import (
    ALERT,
    EVENT_TRIGGERS,
    follow_grade,
    follow_safety,
    follow_treatment,
)
from trialsite.casebook.models import Subject, SubjectStatus
from trialsite.conduct.alerts import register_hold_alert
from trialsite.conduct.toxicity import boundaries, boundary, is_crossed, posterior
from trialsite.conduct.watching import MONITOR, Watched, tell_counts, watch
from trialsite.crf.models import stored
from trialsite.crf.registry import after_save
from trialsite.protocol.proposals import HoldProposal, HoldTrigger, MonitorProposal
from visits.following import after_times
from visits.models import TreatmentSession

_ENROLLED = (
    SubjectStatus.ENROLLED,
    SubjectStatus.COMPLETED,
    SubjectStatus.WITHDRAWN,
    SubjectStatus.DIED,
)
#: Subjects for which a monitor's boundaries are listed, beyond those that count already.
LISTED = 10


def watch_susar(rule: HoldProposal) -> Watched:
    """The standing events that are serious, related and unexpected, and their grades."""
    rows = stored(AdverseEvent).filter(record__voided_at=None, serious=True)
    susar = [event for event in rows if event.is_suspected_unexpected]
    grades = judged_grades(susar)
    meeting = [each for each in susar if grades[each.record_id] >= (rule.grade_at_least or 0)]
    says = ngettext("%(n)d such event stands.", "%(n)d such events stand.", len(meeting))
    return Watched(
        inputs=(
            (_("Suspected unexpected serious events"), str(len(susar))),
            (_("Of the rule’s grade"), str(len(meeting))),
        ),
        met=bool(meeting),
        says=says % {"n": len(meeting)} if meeting else _("No such event."),
    )


def watch_related(rule: HoldProposal) -> Watched:
    """Related serious events among the first treated subjects, against the rule's number."""
    if rule.events_at_least is None or rule.among_first is None:
        return Watched(met=None, says=_("The protocol does not say what is counted."))
    seen = related_serious(rule)
    first = min(rule.among_first, seen.treated)
    return Watched(
        inputs=(
            (_("Subjects treated"), str(seen.treated)),
            (
                _("Related serious events among the first %(first)d") % {"first": first},
                str(seen.events),
            ),
        ),
        met=seen.events >= rule.events_at_least,
        says=_("%(events)d of %(limit)d related serious events among the first %(first)d treated.")
        % {"events": seen.events, "limit": rule.events_at_least, "first": rule.among_first},
    )


def watch_toxicity(monitor: MonitorProposal) -> Watched:
    """The subjects that count, the probability, and the boundary for as many."""
    if not monitor.is_defined:
        return Watched(met=None, says=_("The protocol does not say what is counted."))
    seen = toxicity_of(monitor)
    n, events = seen.evaluable, seen.with_event
    fewest = boundary(monitor, n)
    met = is_crossed(monitor, n, events)
    says = (
        _("%(events)d of %(n)d subjects with the event; so few subjects cannot reach the limit.")
        if fewest is None
        else _("%(events)d of %(n)d subjects with the event; the limit is reached at %(fewest)d.")
    ) % {"events": events, "n": n, "fewest": fewest}
    return Watched(
        inputs=(
            (_("Subjects treated"), str(seen.treated)),
            (_("Evaluable"), str(n)),
            (_("Days not over, no event"), str(seen.pending)),
            (_("With the event"), str(events)),
            (_("Probability that the rate is above its limit"), _percent(monitor, n, events)),
        ),
        met=met,
        says=says,
        more={"boundaries": boundaries(monitor, max(LISTED, n)), "n": n, "events": events},
    )


def _percent(monitor: MonitorProposal, n: int, events: int) -> str:
    return f"{(posterior(monitor, n, events) * 100).quantize(Decimal('0.1'))} %"


def count_safety() -> list[tuple[str, str]]:
    """What a safety committee reads first: subjects, deaths, events by seriousness and grade.

    Read by whoever sees every site: row-level security filters nothing away.
    """
    enrolled = Subject.objects.filter(number__isnull=False, status__in=_ENROLLED)
    sessions = TreatmentSession.objects.started()
    events = list(stored(AdverseEvent).filter(record__voided_at=None))
    grades = Counter(judged_grades(events).values())
    serious = [event for event in events if event.is_sae]
    return [
        (_("Enrolled"), str(enrolled.count())),
        (_("Subjects treated"), str(sessions.values("subject_id").distinct().count())),
        (_("Sessions started"), str(sessions.count())),
        (_("Deaths"), str(Subject.objects.exclude(died_on="").count())),
        (_("Adverse events"), str(len(events))),
        (_("Serious"), str(len(serious))),
        (_("Serious and related"), str(sum(event.is_related for event in serious))),
        (
            _("Suspected unexpected serious events"),
            str(sum(event.is_suspected_unexpected for event in serious)),
        ),
        *((_("Grade %(n)d") % {"n": grade}, str(grades[grade])) for grade in range(1, 6)),
    ]


watch(HoldTrigger.SUSAR, watch_susar)
watch(HoldTrigger.RELATED_SAE, watch_related)
watch(MONITOR, watch_toxicity)
tell_counts(count_safety)
after_save(AdverseEvent, follow_safety)
after_save(AdverseEventGrade, follow_grade)
after_times(follow_treatment)
register_hold_alert(
    kind=ALERT,
    title=gettext_lazy("A safety rule is met by an adverse event"),
    triggers=EVENT_TRIGGERS,
)
