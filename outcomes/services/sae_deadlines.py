"""The clocks of a case as they are kept: derived, replaced with a reason, met by what was sent."""

from __future__ import annotations

from enum import Enum
from zoneinfo import ZoneInfo

from outcomes.models import (
    AdverseEvent,
    SaeCase,
    SaeDeadline,
    SaeReceipt,
    SponsorAwareness,
    To,
)
from outcomes.sae_clock import Asked, Derived, answering, deadlines_of
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import TrialNow, trial_now
from trialsite.crf.models import stored


class Easing(Enum):
    """What becomes of a running deadline that would end or lie later by what was changed."""

    #: It stands until somebody who may agrees, with a reason.
    ASKED = "asked"
    #: Who changes it may agree, and says why; to what was declined before it only asks anew.
    AGREED = "agreed"
    #: Somebody who may has decided of just this.
    DECIDED = "decided"
    #: It follows from what was sent or received, unless something else waits already.
    PROVEN = "proven"


def easing_by(case: SaeCase, by: User, reason: str) -> Easing:
    """Whether a person's change is their agreement as well: an investigator's or the safety
    officer's with its reason, while nobody else's waits (decisions C13)."""
    if case.awaits_easing or not reason.strip() or not may_ease(case, by):
        return Easing.ASKED
    return Easing.AGREED


def may_ease(case: SaeCase, by: User) -> bool:
    """Who agrees that a running deadline ends or lies later."""
    return by.can(Capability.MANAGE_SAFETY, site=case.site_id) or by.can(
        Capability.SIGN_FORM, site=case.site_id
    )


def derive_deadlines(
    case: SaeCase, event: AdverseEvent, *, reason: str, by: User, easing: Easing
) -> None:
    """Store what the clocks give now. What differs replaces what stood, with the reason;
    nothing is recomputed silently, and nothing replaced is lost. A running deadline that
    would end or lie later stands until that is agreed to."""
    standing = _standing(case)
    wanted = _wanted(case, event, standing)
    eased = _eased(case, standing, wanted)
    stays = [rule for rule in eased if _stays(standing[rule], easing, case)]
    changed = False
    for rule, deadline in standing.items():
        if rule in stays or _is_as_kept(wanted.get(rule), deadline):
            wanted.pop(rule, None)
            continue
        _replace(deadline, reason)
        changed = True
    added = [_store(case, _row(derived), reason) for derived in wanted.values()]
    _note_easing(
        case,
        reason,
        by,
        waits=bool(stays) and (easing is not Easing.PROVEN or case.awaits_easing),
        agreed=len(eased) > len(stays) and easing in (Easing.AGREED, Easing.DECIDED),
    )
    if changed:
        case.clock_version += 1
        case.save(update_fields=["clock_version"])
    if case.closed_at is not None and set(added) & set(owed_of(case)):
        # A closed case for which a report is newly owed is open again, whoever closed it.
        take_up(case)


def keep_deadlines(case: SaeCase, event: AdverseEvent, *, reason: str, by: User) -> None:
    """Keep what waits to be eased as it stands, by a person's word: no change eases it before
    it was asked for anew. Nothing is due otherwise than before, and nobody is reminded anew."""
    standing = _standing(case)
    for rule in _eased(case, standing, _wanted(case, event, standing)):
        kept = standing[rule]
        _replace(kept, reason)
        _store(
            case,
            SaeDeadline(
                rule=kept.rule,
                recipient=kept.recipient,
                counted_from=kept.counted_from,
                since=kept.since,
                answers_from=kept.answers_from,
                due_at=kept.due_at,
                follow_up=kept.follow_up,
                kept_by=by,
            ),
            reason,
        )
    _note_easing(case, reason, by, waits=False, agreed=False)


def _standing(case: SaeCase) -> dict[str, SaeDeadline]:
    return {each.rule: each for each in SaeDeadline.objects.standing().filter(case=case)}


def _eased(
    case: SaeCase, standing: dict[str, SaeDeadline], wanted: dict[str, Derived]
) -> list[str]:
    """The rules whose running deadline would end, lie later, or count as met."""
    sent = sent_of(case)
    return [rule for rule, row in standing.items() if _eases(row, wanted.get(rule), sent)]


def _stays(deadline: SaeDeadline, easing: Easing, case: SaeCase) -> bool:
    """Whether a deadline that would be eased stands for now: until somebody agrees, and one
    that was kept by a person's word until somebody decides otherwise."""
    if easing is Easing.ASKED or (easing is Easing.PROVEN and case.awaits_easing):
        return True
    return deadline.kept_by_id is not None and easing is not Easing.DECIDED


def _replace(deadline: SaeDeadline, reason: str) -> None:
    deadline.replaced_at, deadline.replace_reason = trial_now(), reason[:500]
    deadline.save(update_fields=["replaced_at", "replace_reason"])


def _wanted(
    case: SaeCase, event: AdverseEvent, standing: dict[str, SaeDeadline]
) -> dict[str, Derived]:
    """The deadlines as the rules give them now."""
    record = CrfRecord.objects.select_related("site").get(pk=case.record_id)
    asked = Asked(
        case=case,
        event=event,
        reports=list(case.reports.select_related("signature").order_by("number")),
        receipts=list(SaeReceipt.objects.standing().filter(case=case)),
        known=list(SponsorAwareness.objects.standing().filter(case=case)),
        standing=standing,
        now=trial_now(),
    )
    return deadlines_of(
        protocol_of(record.protocol_version_id).safety_reporting,
        begun=asked.begun,
        zone=ZoneInfo(record.site.time_zone),
    )


def _eases(kept: SaeDeadline, derived: Derived | None, sent: list[tuple[str, int]]) -> bool:
    """Whether a deadline that nothing has met would end, lie later, or count as met."""
    if is_met(kept, sent):
        return False
    if derived is None or derived.due_at > kept.due_at:
        return True
    return is_met(_row(derived), sent)


def _note_easing(case: SaeCase, reason: str, by: User, *, waits: bool, agreed: bool) -> None:
    """Keep that an agreement is awaited or was given; what waits for nothing more is past."""
    now = trial_now()
    if waits and case.eases_since is None:
        case.eases_since, case.eases_by, case.eases_reason = now, by, reason[:500]
    elif not waits and case.eases_since is not None:
        case.eases_since, case.eases_by, case.eases_reason = None, None, ""
    elif not agreed:
        return
    if agreed:
        case.eased_at, case.eased_by, case.eased_reason = now, by, reason[:500]
    keep(
        case, "eases_since", "eases_by", "eases_reason", "eased_at", "eased_by", "eased_reason",
    )  # fmt: skip


def _is_as_kept(derived: Derived | None, deadline: SaeDeadline) -> bool:
    if derived is None:
        return False
    begun = derived.begun
    return (begun.since, begun.answers_from, derived.due_at) == (
        deadline.since,
        deadline.answers_from,
        deadline.due_at,
    )


def _row(derived: Derived) -> SaeDeadline:
    """A deadline as it would be kept."""
    return SaeDeadline(
        rule=derived.rule.key,
        recipient=To(derived.rule.recipient.value),
        counted_from=derived.rule.counted_from.value,
        since=derived.begun.since,
        answers_from=derived.begun.answers_from,
        due_at=derived.due_at,
        follow_up=derived.rule.follow_up,
    )


def _store(case: SaeCase, row: SaeDeadline, reason: str) -> SaeDeadline:
    row.case, row.site_id, row.subject_id = case, case.site_id, case.subject_id
    row.record_id, row.derived_at, row.reason = case.record_id, TrialNow(), reason[:500]
    row.save(force_insert=True)
    return row


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
    sent = sent_of(case)
    return [each for each in case.deadlines.filter(replaced_at=None) if not is_met(each, sent)]


def sent_of(case: SaeCase) -> list[tuple[str, int]]:
    """Who was sent which report, by its number."""
    receipts = SaeReceipt.objects.standing().filter(case=case)
    return list(receipts.values_list("recipient", "report__counts_as"))


def is_met(deadline: SaeDeadline, sent: list[tuple[str, int]]) -> bool:
    """Whether the recipient was sent a report that answers it."""
    return bool(answering(deadline, (number for to, number in sent if to == deadline.recipient)))


def event_of_case(case: SaeCase) -> AdverseEvent:
    """The event that is reported."""
    found: AdverseEvent = stored(AdverseEvent).select_related("record").get(pk=case.record_id)
    return found
