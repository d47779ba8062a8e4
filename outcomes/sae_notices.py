"""Reminders of the reports of serious adverse events that are still owed.

So is the signature under what was sent on paper, the safety officer's word on what the site
has taken back, and the agreement without which no running deadline ends or lies later.

Urgent: they wait for no quiet hours, stand in no digest, cannot be switched off, and know
nothing of a death (decisions C13, C17). Whoever owes a report is reminded at the hours the
protocol names, the deputies with them; from the hour of escalation on the study's principal
investigator and the safety officers hear of it too. What the sponsor owes reminds the safety
officers. Each asks anew, when it leaves, whether anything is still owed.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import SaeCase, SaeDeadline, SaeReceipt, SaeReport
from outcomes.selectors.sae_people import People, as_rows
from outcomes.services.sae_cases import REMINDER
from outcomes.services.sae_deadlines import is_met
from trialsite.access.models import User
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner
from trialsite.protocol.reporting import Awareness, SafetyReporting

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reminder of one case: when it falls due, its name, and whom it is for."""

    at: dt.datetime
    name: str
    #: What it speaks of: of each such thing the last step that has come is said, once.
    thing: str
    #: Those who owe it; else the sponsor's people.
    site_owes: bool
    escalated: bool

    @property
    def key(self) -> str:
        return f"{self.name}:{self.thing}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owing:
    """A case with what it still owes, as a notice tells of it."""

    case: SaeCase
    owed: tuple[SaeDeadline, ...]
    #: When the report that was sent on paper was frozen, while nobody has signed it.
    unsigned_since: dt.datetime | None = None

    def of(self, counted_from: Awareness) -> tuple[SaeDeadline, ...]:
        return tuple(each for each in self.owed if each.counted_from == counted_from)


def owing_cases(ids: set[uuid.UUID] | None = None) -> list[Owing]:
    """The open cases for which something is owed, four queries however many they are."""
    cases = SaeCase.objects.running().select_related("site", "subject", "record")
    if ids is not None:
        cases = cases.filter(pk__in=ids)
    found = {case.pk: case for case in cases}
    sent: dict[uuid.UUID, list[tuple[str, int]]] = {}
    receipts = SaeReceipt.objects.standing().filter(case__in=found)
    for case_id, to, number in receipts.values_list("case_id", "recipient", "report__counts_as"):
        sent.setdefault(case_id, []).append((to, number))
    owed: dict[uuid.UUID, list[SaeDeadline]] = {}
    for deadline in SaeDeadline.objects.standing().filter(case__in=found).order_by("due_at"):
        if not is_met(deadline, sent.get(deadline.case_id, [])):
            owed.setdefault(deadline.case_id, []).append(deadline)
    unsigned = dict(
        SaeReport.objects.filter(case__in=found, signature=None).values_list("case", "made_at")
    )
    return [
        Owing(case=case, owed=tuple(owed.get(key, ())), unsigned_since=unsigned.get(key))
        for key, case in found.items()
        if key in owed or key in unsigned or _is_told_of(case)
    ]


def _is_told_of(case: SaeCase) -> bool:
    """Whether a word is awaited on the case, or one was given that others are told of."""
    return case.awaits_agreement or case.awaits_easing or case.eased_at is not None


def steps_of(owing: Owing, now: dt.datetime) -> list[Step]:
    """The reminders of what is owed, in time."""
    plan = protocol_of(owing.case.record.protocol_version_id).safety_reporting
    if plan is None:
        return []
    steps = [*_of_site(plan, owing, now), *_of_sponsor(plan, owing, now), *_of_others(plan, owing)]
    return sorted(steps, key=lambda step: step.at)


def _of_site(plan: SafetyReporting, owing: Owing, now: dt.datetime) -> Iterator[Step]:
    """At the protocol's hours, and daily after the last; of what turned graver later, counted
    from that moment, beside the older one that is overdue."""
    for since in sorted({each.since for each in owing.of(Awareness.INVESTIGATOR)}):
        for hours in hours_until(plan, since, now):
            yield Step(
                at=since + dt.timedelta(hours=hours),
                name=f"h{hours}",
                thing=f"site-{stamp(since)}-{owing.case.clock_version}",
                site_owes=True,
                escalated=hours >= plan.escalate_after,
            )


def hours_until(plan: SafetyReporting, since: dt.datetime, now: dt.datetime) -> Iterator[int]:
    """The protocol's hours, and from the last on each further day: what is owed is not
    forgotten because it is late."""
    yield from plan.remind_after
    last = max(plan.remind_after, default=0)
    days = (now - since - dt.timedelta(hours=last)) // _DAY
    yield from (last + 24 * day for day in range(1, days + 1))


def stamp(moment: dt.datetime) -> int:
    """A moment in the key of a notice."""
    return int(moment.timestamp())


def _of_sponsor(plan: SafetyReporting, owing: Owing, now: dt.datetime) -> Iterator[Step]:
    for deadline in owing.of(Awareness.SPONSOR):
        late = max((now - deadline.due_at) // _DAY, 0)
        for days in (*plan.remind_before, *range(0, -late - 1, -1)):
            yield Step(
                at=deadline.due_at - dt.timedelta(days=days),
                name=f"{deadline.rule}-{days}" if days >= 0 else f"{deadline.rule}+{-days}",
                thing=f"{deadline.rule}-{owing.case.clock_version}",
                site_owes=False,
                escalated=True,
            )


def _of_others(plan: SafetyReporting, owing: Owing) -> Iterator[Step]:
    """A signature is reminded of at the site's hours; what waits for a word, at once; that a
    deadline was eased at the site is told to the sponsor's people."""
    case = owing.case
    if owing.unsigned_since is not None:
        for hours in plan.remind_after:
            yield Step(
                at=owing.unsigned_since + dt.timedelta(hours=hours),
                name=f"signature-{hours}",
                thing=f"signature-{case.clock_version}",
                site_owes=True,
                escalated=hours >= plan.escalate_after,
            )
    moments = (
        ("agreement", case.standing_since if case.awaits_agreement else None, False),
        ("easing", case.eases_since, True),
        ("eased", case.eased_at, False),
    )
    for name, at, site_owes in moments:
        if at is not None:
            yield Step(
                at=at,
                name=f"{name}-0",
                thing=f"{name}-{stamp(at)}",
                site_owes=site_owes,
                escalated=True,
            )


def last_due(owing: Owing, now: dt.datetime) -> list[Step]:
    """What is to be said now: of each thing the last step that has come. What was missed is
    not said on top of it."""
    said: dict[str, Step] = {}
    for step in steps_of(owing, now):
        if step.at <= now:
            said[step.thing] = step
    return list(said.values())


def plan(now: dt.datetime) -> Rows:
    """A notice for each case, step and person; nobody to tell is a notice too."""
    cases = owing_cases()
    people = People((each.case.site for each in cases), now)
    rows: list[Any] = []
    for owing in cases:
        for step in last_due(owing, now):
            told = people.of(owing.case.site_id, site=step.site_owes, study=step.escalated)
            readers: list[int | None] = [*sorted(told)] or [None]
            for person in readers:
                key = f"{owing.case.pk}:{step.key}:{person or 'nobody'}"
                rows.append((owing.case.pk, owing.case.site_id, person, step.at, key))
    return as_rows(rows)


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """Those whose step is still the last word on clocks that have not moved, of a report that
    is still owed, for somebody who is still responsible; a death ends none."""
    now = trial_now()
    cases = owing_cases({notice.object_id for notice in notices if notice.object_id})
    people = People((each.case.site for each in cases), now)
    due = {
        (each.case.pk, step.key): people.of(
            each.case.site_id, site=step.site_owes, study=step.escalated
        )
        for each in cases
        for step in last_due(each, now)
    }
    found = set()
    for notice in notices:
        _kind, case, name, thing, _person = notice.dedupe_key.rsplit("!", 1)[-1].split(":")
        told = due.get((uuid.UUID(case), f"{name}:{thing}"))
        if told is not None and (notice.recipient_id in told or not told):
            found.add(notice.pk)
    return found


def about(notices: list[Notice]) -> dict[uuid.UUID, object]:
    """The case of each notice with what it owes now; what owes nothing more has none."""
    cases = owing_cases({notice.object_id for notice in notices if notice.object_id})
    known = {each.case.pk: each for each in cases}
    rest = SaeCase.objects.select_related("site", "subject", "record").in_bulk(
        [notice.object_id for notice in notices if notice.object_id not in known]
    )
    found = known | {key: Owing(case=case, owed=()) for key, case in rest.items()}
    return {notice.pk: found[notice.object_id] for notice in notices if notice.object_id in found}


def render(notice: Notice, user: User) -> Mail:
    """The subject's number, to whom a report is owed and by when; of the event nothing."""
    owing = notice.about
    assert isinstance(owing, Owing)
    case, zone = owing.case, ZoneInfo(owing.case.site.time_zone)
    lines = [
        _("%(to)s: by %(due)s")
        % {
            "to": each.get_recipient_display(),
            "due": f"{each.due_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})",
        }
        for each in owing.owed
    ]
    if owing.unsigned_since is not None:
        lines.append(_("A report that was sent on paper waits for its signature."))
    if case.awaits_agreement:
        lines.append(_("A change of the case waits for the safety officer’s word."))
    if case.awaits_easing:
        lines.append(
            _("A change would end a running deadline or lay it later. It stands until an "
              "investigator or the safety officer agrees.")
        )  # fmt: skip
    elif case.eased_at is not None and not owing.owed:
        lines.append(_("A deadline was ended or laid later; the case says why."))
    number = case.subject.label
    return Mail(
        subject=_("Report of a serious adverse event owed: %(number)s") % {"number": number},
        body=_("%(person)s,\n\nof a serious adverse event of subject %(number)s this is still "
               "owed:\n\n%(owed)s")
        % {
            "person": user.full_name,
            "number": number,
            "owed": "\n".join(lines) or _("Every report has been sent meanwhile."),
        },
        path=reverse("outcomes:sae_case", args=[case.pk]),
    )  # fmt: skip


register_planner(
    Planner(
        kind=REMINDER,
        title=gettext_lazy("Reports of serious adverse events still owed"),
        plan=plan,
        still_due=still_due,
        about=about,
        render=render,
        urgent=True,
    )
)
