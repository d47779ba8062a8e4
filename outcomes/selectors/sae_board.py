"""The safety officer's board: each case with its clocks, recipients, and what it lacks."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import (
    AdverseEvent,
    Expedited,
    ReportKind,
    SaeCase,
    SaeDeadline,
    SaeReceipt,
    SaeReport,
    SponsorAwareness,
    To,
)
from outcomes.sae_clock import answering, expedited_of, is_grave, is_suspected, lacking_of
from outcomes.sae_words import lacking_word, said_span
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.crf.models import stored
from trialsite.protocol.reporting import Awareness

_STANDING = SponsorAwareness.objects.standing()
#: From so many hours before the end on a running clock is pressing.
_PRESSING = dt.timedelta(hours=12)


class ClockState(StrEnum):
    IN_TIME = "in_time"
    LATE = "late"
    RUNNING = "running"
    OVERDUE = "overdue"


class CaseState(models.TextChoices):
    """Where the reporting of a case stands, told from its reports and receipts."""

    DRAFT = "draft", gettext_lazy("Draft")
    UNSIGNED = "unsigned", gettext_lazy("Sent on paper, signature owed")
    SUBMITTED = "submitted", gettext_lazy("Submitted")
    ACKNOWLEDGED = "acknowledged", gettext_lazy("Acknowledged")
    FOLLOWED_UP = "followed_up", gettext_lazy("Followed up")
    CLOSED = "closed", gettext_lazy("Closed")


class Look(models.TextChoices):
    """How the board can be narrowed."""

    OPEN = "open", gettext_lazy("Open cases")
    DECIDE = "decide", gettext_lazy("To be agreed")
    OVERDUE = "overdue", gettext_lazy("Report overdue")
    RUNNING = "running", gettext_lazy("Clock running")
    LATE = "late", gettext_lazy("Reported late")
    SUSPECTED = "suspected", gettext_lazy("SUSAR or UADE")
    CLOSED = "closed", gettext_lazy("Closed cases")
    ALL = "all", gettext_lazy("All cases")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One standing deadline, beside the sending that met it and the moment it is read at."""

    deadline: SaeDeadline
    receipt: SaeReceipt | None
    now: dt.datetime
    #: Counted from the sending to the sponsor, whose receipt is not entered yet.
    provisional: bool = False
    #: Counted from a receipt of the sponsor's; else from when they knew otherwise.
    by_receipt: bool = False

    @property
    def state(self) -> ClockState:
        end = self.receipt.submitted_at if self.receipt else self.now
        in_time = end <= self.deadline.due_at
        if self.receipt:
            return ClockState.IN_TIME if in_time else ClockState.LATE
        return ClockState.RUNNING if in_time else ClockState.OVERDUE

    @property
    def distance(self) -> dt.timedelta:
        """How long until it is due, or by how much it is or was late; never negative."""
        end = self.receipt.submitted_at if self.receipt else self.now
        return abs(self.deadline.due_at - end)

    @property
    def pressing(self) -> bool:
        return self.state is ClockState.RUNNING and self.distance <= _PRESSING

    @property
    def tone(self) -> str:
        if self.state in (ClockState.OVERDUE, ClockState.LATE):
            return "danger"
        if self.state is ClockState.IN_TIME:
            return "success"
        return "warning" if self.pressing else "accent"

    @property
    def kept_because(self) -> str:
        """Why somebody declined that it ends or lies later."""
        return self.deadline.reason if self.deadline.kept_by_id is not None else ""

    @property
    def word(self) -> str:
        """The state in words; colour says nothing that these do not."""
        span = said_span(self.distance)
        match self.state:
            case ClockState.IN_TIME:
                return _("In time")
            case ClockState.LATE:
                return _("Late by %(span)s") % {"span": span}
            case ClockState.OVERDUE:
                return _("Overdue by %(span)s") % {"span": span}
        return _("%(span)s left") % {"span": span}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case as the board and its page read it."""

    case: SaeCase
    event: AdverseEvent
    clocks: tuple[Clock, ...]
    reports: tuple[SaeReport, ...]
    receipts: tuple[SaeReceipt, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.case.site.time_zone)

    @property
    def number(self) -> str:
        """The case's number: the subject's, and that of the event."""
        return f"{self.case.subject.label}-SAE-{self.case.record.repeat_key}"

    @property
    def state(self) -> CaseState:
        if self.case.closed_at is not None:
            return CaseState.CLOSED
        if self.unsigned is not None:
            return CaseState.UNSIGNED
        site = [clock for clock in self.clocks if clock.deadline.counted_from == "investigator"]
        if not self.receipts or any(clock.receipt is None for clock in site):
            return CaseState.DRAFT
        if self.followed_up is not None:
            return CaseState.FOLLOWED_UP
        waits = any(receipt.received_at is None for receipt in self.receipts)
        return CaseState.SUBMITTED if waits else CaseState.ACKNOWLEDGED

    @property
    def followed_up(self) -> SaeReport | None:
        """The last further report that somebody was sent; a signed one alone tells nobody."""
        sent = {receipt.report_id for receipt in self.receipts}
        further = [
            report
            for report in self.reports
            if report.kind != ReportKind.INITIAL and report.pk in sent
        ]
        return further[-1] if further else None

    @property
    def state_word(self) -> str:
        """The state's name; a follow-up says which."""
        if self.state is CaseState.FOLLOWED_UP:
            last = self.followed_up
            assert last is not None
            if last.kind == ReportKind.FINAL:
                return _("Final report")
            return _("Follow-up %(number)d") % {"number": last.number}
        return str(self.state.label)

    @property
    def running(self) -> list[Clock]:
        """The clocks that nothing has met, the next first."""
        return [clock for clock in self.clocks if clock.receipt is None]

    @property
    def next_clock(self) -> Clock | None:
        return self.running[0] if self.running and self.case.closed_at is None else None

    @property
    def expedited(self) -> Expedited | None:
        return expedited_of(self.event)

    @property
    def confirmed(self) -> bool:
        """Whether the sponsor's word stands for what the site judges now."""
        return bool(self.case.expedited) and self.case.expedited_of == self.expedited

    @property
    def suspected(self) -> bool:
        return is_suspected(self.event, self.case)

    @property
    def grave(self) -> bool:
        return is_grave(self.event)

    @property
    def lacking(self) -> list[str]:
        """What a complete report would still need, in words."""
        return [lacking_word(code) for code in lacking_of(self.event, self.case)]

    @property
    def unsigned(self) -> SaeReport | None:
        """The report that was sent on paper and nobody has signed yet."""
        return next((each for each in self.reports if each.signature_id is None), None)

    @property
    def owed_to(self) -> set[str]:
        """The recipients of the clocks that nothing has met."""
        return {clock.deadline.recipient for clock in self.running}

    @property
    def held_for(self) -> Expedited | None:
        """What it counts as: the sponsor's word, before it the computed one."""
        return Expedited(self.case.expedited) if self.case.expedited else self.expedited

    @property
    def aware_local(self) -> dt.datetime:
        return self.case.aware_at.astimezone(self.zone)


def cases_seen(user: User, sites: Iterable[int] | None = None) -> Any:
    """The cases a person may see, of these sites where they are given."""
    rows = SaeCase.objects.visible_to(user, Capability.VIEW_SAFETY)
    if sites is not None:
        rows = rows.at(sites)
    return _for_board(rows)


def cases_at(sites: Iterable[int]) -> Any:
    """The cases of these sites, which the caller has the right to count."""
    return _for_board(SaeCase.objects.at(sites))


def _for_board(cases: Any) -> Any:
    people = ("expedited_by", "agreed_by", "eases_by", "eased_by")
    return cases.select_related("site", "subject", "record", *people).order_by("-aware_at", "pk")


def case_lines(cases: Iterable[SaeCase], now: dt.datetime) -> list[CaseLine]:
    """The lines of these cases: as many queries however many they are."""
    found = list(cases)
    models.prefetch_related_objects(
        found, "further_words", models.Prefetch("sponsor_awareness", _STANDING)
    )
    keys = [case.pk for case in found]
    events = stored(AdverseEvent).select_related("record").in_bulk([c.record_id for c in found])
    reports: dict[uuid.UUID, list[SaeReport]] = defaultdict(list)
    for report in (
        SaeReport.objects.filter(case__in=keys)
        .defer("content")
        .select_related("signature", "signed_by")
        .order_by("number")
    ):
        reports[report.case_id].append(report)
    receipts: dict[uuid.UUID, list[SaeReceipt]] = defaultdict(list)
    for receipt in (
        SaeReceipt.objects.standing()
        .filter(case__in=keys)
        .select_related("report", "submitted_by", "acknowledged_by", "attachment", "evidence")
        .defer("report__content")
        .order_by("submitted_at")
    ):
        receipts[receipt.case_id].append(receipt)
    clocks: dict[uuid.UUID, list[Clock]] = defaultdict(list)
    for deadline in (
        SaeDeadline.objects.standing()
        .filter(case__in=keys)
        .select_related("kept_by")
        .order_by("due_at", "recipient")
    ):
        of_case = receipts[deadline.case_id]
        clocks[deadline.case_id].append(
            Clock(
                deadline=deadline,
                receipt=_met_by(deadline, of_case),
                now=now,
                provisional=_is_provisional(deadline, of_case),
                by_receipt=any(
                    each.recipient == To.SPONSOR and each.received_at == deadline.since
                    for each in of_case
                ),
            )
        )
    return [
        CaseLine(
            case=case,
            event=events[case.record_id],
            clocks=tuple(clocks[case.pk]),
            reports=tuple(reports[case.pk]),
            receipts=tuple(receipts[case.pk]),
        )
        for case in found
    ]


def _met_by(deadline: SaeDeadline, receipts: list[SaeReceipt]) -> SaeReceipt | None:
    """The first sending to the recipient of a report that answers the deadline."""
    to = [each for each in receipts if each.recipient == deadline.recipient]
    met = answering(deadline, (each.report.counts_as for each in to))
    return next((each for each in to if each.report.counts_as in met), None)


def _is_provisional(deadline: SaeDeadline, receipts: list[SaeReceipt]) -> bool:
    return deadline.counted_from == Awareness.SPONSOR and any(
        each.recipient == To.SPONSOR
        and each.received_at is None
        and each.submitted_at == deadline.since
        for each in receipts
    )


def narrowed(lines: list[CaseLine], look: str) -> list[CaseLine]:
    """The lines that a look shows; what presses most stands first."""
    wanted = [line for line in lines if _looked_for(line, look)]
    far = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(
        wanted, key=lambda each: each.next_clock.deadline.due_at if each.next_clock else far
    )


def _looked_for(line: CaseLine, look: str) -> bool:
    closed = line.case.closed_at is not None
    states = {clock.state for clock in line.clocks}
    match look:
        case Look.ALL:
            return True
        case Look.CLOSED:
            return closed
        case Look.DECIDE:
            return line.case.awaits_agreement or line.case.awaits_easing
        case Look.OVERDUE:
            return not closed and ClockState.OVERDUE in states
        case Look.RUNNING:
            return not closed and ClockState.RUNNING in states
        case Look.LATE:
            return ClockState.LATE in states
        case Look.SUSPECTED:
            return line.held_for not in (None, Expedited.NONE)
    return not closed
