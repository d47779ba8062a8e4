"""The clocks of a case as they are kept: derived, replaced with a reason, met by what was sent."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from outcomes.models import AdverseEvent, SaeCase, SaeDeadline, SaeReceipt, To
from outcomes.sae_clock import Asked, Derived, answering, deadlines_of
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import TrialNow, trial_now
from trialsite.crf.models import stored


def derive_deadlines(case: SaeCase, event: AdverseEvent, *, reason: str) -> None:
    """Store what the clocks give now. What differs replaces what stood, with the reason;
    nothing is recomputed silently, and nothing replaced is lost."""
    record = CrfRecord.objects.select_related("site").get(pk=case.record_id)
    standing = {each.rule: each for each in SaeDeadline.objects.standing().filter(case=case)}
    asked = Asked(
        case=case,
        event=event,
        reports=list(case.reports.select_related("signature").order_by("number")),
        receipts=list(SaeReceipt.objects.standing().filter(case=case)),
        standing=standing,
        now=trial_now(),
    )
    wanted = deadlines_of(
        protocol_of(record.protocol_version_id).safety_reporting,
        begun=asked.begun,
        zone=ZoneInfo(record.site.time_zone),
    )
    changed = False
    for rule, deadline in standing.items():
        if _is_as_kept(wanted.get(rule), deadline):
            del wanted[rule]
            continue
        deadline.replaced_at, deadline.replace_reason = trial_now(), reason[:500]
        deadline.save(update_fields=["replaced_at", "replace_reason"])
        changed = True
    added = [_store(case, derived, reason) for derived in wanted.values()]
    if changed:
        case.clock_version += 1
        case.save(update_fields=["clock_version"])
    if case.closed_at is not None and set(added) & set(owed_of(case)):
        # A closed case for which a report is newly owed is open again, whoever closed it.
        take_up(case)


def _is_as_kept(derived: Derived | None, deadline: SaeDeadline) -> bool:
    if derived is None:
        return False
    begun = derived.begun
    return (begun.since, begun.answers_from, derived.due_at) == (
        deadline.since,
        deadline.answers_from,
        deadline.due_at,
    )


def _store(case: SaeCase, derived: Derived, reason: str) -> SaeDeadline:
    return SaeDeadline.objects.create(
        site_id=case.site_id,
        subject_id=case.subject_id,
        record_id=case.record_id,
        case=case,
        rule=derived.rule.key,
        recipient=To(derived.rule.recipient.value),
        counted_from=derived.rule.counted_from.value,
        since=derived.begun.since,
        answers_from=derived.begun.answers_from,
        due_at=derived.due_at,
        follow_up=derived.rule.follow_up,
        derived_at=TrialNow(),
        reason=reason[:500],
    )


def take_up(case: SaeCase) -> None:
    """Open again; what was reminded of before may be reminded of anew."""
    case.closed_at, case.close_reason = None, ""
    case.clock_version += 1
    keep(case, "closed_at", "close_reason", "clock_version")


def keep(case: SaeCase, *fields: str) -> None:
    """Save these fields as one change that who reads the case can name."""
    case.version += 1
    case.save(update_fields=["version", *fields])


def owed_of(case: SaeCase) -> list[SaeDeadline]:
    """The standing deadlines that no submission has met yet."""
    receipts = SaeReceipt.objects.standing().filter(case=case)
    sent = list(receipts.values_list("recipient", "report__number"))
    return [each for each in case.deadlines.filter(replaced_at=None) if not is_met(each, sent)]


def is_met(deadline: SaeDeadline, sent: list[tuple[str, int]]) -> bool:
    """Whether the recipient was sent a report that answers it."""
    return bool(answering(deadline, (number for to, number in sent if to == deadline.recipient)))


def event_of_case(case: SaeCase) -> AdverseEvent:
    """The event that is reported."""
    found: AdverseEvent = stored(AdverseEvent).select_related("record").get(pk=case.record_id)
    return found
