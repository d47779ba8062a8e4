"""Opening and closing the case of a serious adverse event, and its clocks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, Expedited, SaeCase, SaeDeadline, SaeReceipt, SaeReport, To
from outcomes.sae_clock import Asked, Derived, deadlines_of, expedited_of, meets
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because, reason_given
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.models import stored
from trialsite.crf.services import save_crf
from trialsite.notify.outbox import announce

#: The kind of the notices that remind of reports to be sent.
REMINDER = "sae-report"


def follow_sae(event: AdverseEvent, _by: User) -> None:
    """Keep the case of an event what the event says: opened, its clocks, closed, reopened.

    An event that turns out not to be serious, or that is voided, closes its case with the
    reason; said serious again, the same case goes on. So does one that a person has closed,
    as soon as a report is newly owed.
    """
    case = SaeCase.objects.select_for_update(no_key=True).filter(record_id=event.pk).first()
    serious = event.stands and event.is_sae
    if case is None:
        if not serious:
            return
        case = _open(event)
    elif not serious:
        _end(case, event)
        return
    elif case.closed_at is not None and case.close_reason in _automatic():
        _take_up(case)
    _follow_awareness(case, event)
    derive_deadlines(case, event, reason=reason_given() or _("As the event’s form says"))
    announce(REMINDER)


def _open(event: AdverseEvent) -> SaeCase:
    """The case; until somebody says when the site knew, its clock counts from this moment."""
    now = trial_now()
    said = _moment_of(event)
    return SaeCase.objects.create(
        record_id=event.pk,
        site_id=event.site_id,
        subject_id=event.subject_id,
        opened_at=now,
        aware_at=said or now,
        aware_said=said is not None,
    )


def _moment_of(event: AdverseEvent) -> dt.datetime | None:
    """The awareness as a moment; of an hour that comes twice the earlier one counts."""
    if event.aware_at is None:
        return None
    wall: dt.datetime = event.aware_at
    return wall.replace(tzinfo=ZoneInfo(event.time_zone), fold=0).astimezone(dt.UTC)


def _follow_awareness(case: SaeCase, event: AdverseEvent) -> None:
    said = _moment_of(event)
    if said is None and case.aware_said:
        # Emptied by mistake: the clock never stops, it goes on from what was said.
        return
    if said is not None and (said != case.aware_at or not case.aware_said):
        case.aware_at, case.aware_said = said, True
        case.save(update_fields=["aware_at", "aware_said"])


def _automatic() -> tuple[str, ...]:
    return (NOT_SERIOUS, VOIDED)


#: Why a case closes by itself. Kept as codes, shown in the reader's language.
NOT_SERIOUS, VOIDED = "event not serious", "event voided"


def _end(case: SaeCase, event: AdverseEvent) -> None:
    if case.closed_at is None:
        case.closed_at = trial_now()
        case.close_reason = NOT_SERIOUS if event.stands else VOIDED
        case.save(update_fields=["closed_at", "close_reason"])


def derive_deadlines(case: SaeCase, event: AdverseEvent, *, reason: str) -> None:
    """Store what the clocks give now. What differs replaces what stood, with the reason;
    nothing is recomputed silently, and nothing replaced is lost."""
    record = CrfRecord.objects.select_related("site").get(pk=case.record_id)
    standing = {each.rule: each for each in SaeDeadline.objects.standing().filter(case=case)}
    asked = Asked(
        case=case,
        event=event,
        reports=list(case.reports.order_by("number")),
        receipts=list(SaeReceipt.objects.standing().filter(case=case)),
        standing=standing,
        now=trial_now(),
    )
    wanted = deadlines_of(
        protocol_of(record.protocol_version_id).safety_reporting,
        event,
        case,
        since=asked.since,
        zone=ZoneInfo(record.site.time_zone),
    )
    changed = False
    for rule, deadline in standing.items():
        now_wanted = wanted.get(rule)
        if now_wanted is None or (now_wanted.since, now_wanted.due_at) != (
            deadline.since,
            deadline.due_at,
        ):
            deadline.replaced_at, deadline.replace_reason = trial_now(), reason[:500]
            deadline.save(update_fields=["replaced_at", "replace_reason"])
            changed = True
        else:
            del wanted[rule]
    added = [_store(case, derived, reason) for derived in wanted.values()]
    if changed:
        case.clock_version += 1
        case.save(update_fields=["clock_version"])
    _take_up_again(case, added)


def _take_up_again(case: SaeCase, added: list[SaeDeadline]) -> None:
    """A closed case for which a report is newly owed is open again, whoever closed it."""
    if case.closed_at is None or not set(added) & set(owed_of(case)):
        return
    _take_up(case)


def _store(case: SaeCase, derived: Derived, reason: str) -> SaeDeadline:
    return SaeDeadline.objects.create(
        site_id=case.site_id,
        subject_id=case.subject_id,
        record_id=case.record_id,
        case=case,
        rule=derived.rule.key,
        recipient=To(derived.rule.recipient.value),
        counted_from=derived.rule.counted_from.value,
        since=derived.since,
        due_at=derived.due_at,
        follow_up=derived.rule.follow_up,
        derived_at=TrialNow(),
        reason=reason[:500],
    )


def locked_case(case: SaeCase) -> SaeCase:
    """The case under a row lock, after that of its record."""
    CrfRecord.objects.select_for_update(no_key=True).get(pk=case.record_id)
    return (
        SaeCase.objects.select_for_update(no_key=True, of=("self",))
        .select_related("record__site", "subject")
        .get(pk=case.pk)
    )


def event_of_case(case: SaeCase) -> AdverseEvent:
    """The event that is reported."""
    found: AdverseEvent = stored(AdverseEvent).select_related("record").get(pk=case.record_id)
    return found


@transaction.atomic
def correct_awareness(*, case: SaeCase, aware_at: dt.datetime, reason: str, by: User) -> SaeCase:
    """Say anew when the site first knew, on the clock at the site. It is changed in the
    event's form, whose follower derives the deadlines again beside the ones that stood."""
    by.require(Capability.REPORT_SAE, site=case.site_id)
    if not reason.strip():
        raise DomainError(_("Say why the moment is corrected."))
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=case.record_id)
    event = event_of_case(case)
    texts = texts_of(event) | {"aware_at": aware_at.isoformat(timespec="minutes")}
    entry = read_texts(AdverseEvent, texts)
    if entry.errors:
        raise DomainError(" ".join(text for each in entry.errors.values() for text in each))
    save_crf(record=record, entry=entry, by=by, base_version=record.version, reason=reason.strip())
    return locked_case(case)


@transaction.atomic
def describe_case(
    *, case: SaeCase, reporter: str, suspected: str, narrative: str, by: User
) -> None:
    """Keep what the next report will say beside the event's form."""
    by.require(Capability.REPORT_SAE, site=case.site_id)
    case = locked_case(case)
    _expect_open(case)
    before = case.suspected
    case.reporter, case.suspected = reporter.strip()[:200], suspected
    case.narrative = narrative.strip()
    case.save(update_fields=["reporter", "suspected", "narrative"])
    if before != suspected:
        derive_deadlines(case, event_of_case(case), reason=_("The suspected cause was changed"))
        announce(REMINDER)


@transaction.atomic
def confirm_expedited(*, case: SaeCase, expedited: str, reason: str, by: User) -> SaeCase:
    """The sponsor's word whether it is a SUSAR or a UADE, beside what the site's judgement
    gives; either way with a reason (clinical C12)."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case)
    _expect_open(case)
    if expedited not in Expedited.values:
        raise DomainError(_("Say what it is held for."))
    if not reason.strip():
        raise DomainError(_("Confirming needs a reason."))
    event = event_of_case(case)
    computed = expedited_of(event)
    if computed is None:
        raise TransitionError(
            _("The site has not yet judged cause and expectedness; nothing can be confirmed.")
        )
    with because(reason):
        case.expedited, case.expedited_by, case.expedited_at = expedited, by, trial_now()
        case.expedited_reason, case.expedited_of = reason.strip()[:500], computed
        case.save(
            update_fields=[
                "expedited", "expedited_by", "expedited_at", "expedited_reason", "expedited_of",
            ]
        )  # fmt: skip
        derive_deadlines(case, event, reason=reason.strip())
    announce(REMINDER)
    return case


@transaction.atomic
def close_case(*, case: SaeCase, reason: str, by: User) -> SaeCase:
    """End the reporting: the sponsor's safety officer finds that nothing more is owed."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case)
    _expect_open(case)
    if not reason.strip():
        raise DomainError(_("Closing a case needs a reason."))
    if owed_of(case):
        raise TransitionError(
            _("A report has not been sent to every recipient yet; the case stays open.")
        )
    with because(reason):
        case.closed_at, case.close_reason = trial_now(), reason.strip()[:500]
        case.save(update_fields=["closed_at", "close_reason"])
    return case


@transaction.atomic
def reopen_case(*, case: SaeCase, reason: str, by: User) -> SaeCase:
    """Take the reporting up again: something new is known."""
    by.require(Capability.MANAGE_SAFETY, site=case.site_id)
    case = locked_case(case)
    if case.closed_at is None:
        raise TransitionError(_("This case is open."))
    if not event_of_case(case).is_sae or case.record.voided_at is not None:
        raise TransitionError(_("Its event is not serious; the event’s form comes first."))
    if not reason.strip():
        raise DomainError(_("Reopening needs a reason."))
    with because(reason):
        _take_up(case)
    announce(REMINDER)
    return case


def _take_up(case: SaeCase) -> None:
    """Open again; what was reminded of before may be reminded of anew."""
    case.closed_at, case.close_reason = None, ""
    case.clock_version += 1
    case.save(update_fields=["closed_at", "close_reason", "clock_version"])


def owed_of(case: SaeCase) -> list[SaeDeadline]:
    """The standing deadlines that no submission has met yet."""
    sent = [
        (each.recipient, each.report.number)
        for each in SaeReceipt.objects.standing().filter(case=case).select_related("report")
    ]
    return [each for each in case.deadlines.filter(replaced_at=None) if not is_met(each, sent)]


def is_met(deadline: SaeDeadline, sent: list[tuple[str, int]]) -> bool:
    """Whether the recipient was sent a report that answers it."""
    numbers = [number for to, number in sent if to == deadline.recipient]
    return bool(numbers) and any(map(answers(deadline), numbers))


def answers(deadline: SaeDeadline) -> Callable[[int], bool]:
    """Which report numbers answer a deadline."""
    return meets(
        deadline,
        SaeReport.objects.filter(case=deadline.case_id).defer("content"),
        SaeReceipt.objects.standing()
        .filter(case=deadline.case_id)
        .select_related("report")
        .defer("report__content"),
    )


def _expect_open(case: SaeCase) -> None:
    if case.closed_at is not None:
        raise TransitionError(_("This case is closed."))
