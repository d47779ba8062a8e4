"""The screening log as pages show it: where each person stands, and what comes next."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from screening.models import ScreeningEntry
from screening.models.log import Outcome
from screening.selectors.consent import standings_of
from screening.selectors.eligibility import Decision, signed_decisions
from screening.selectors.funnel import Place, with_place
from screening.standing import Standing
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject
from trialsite.casebook.protocols import in_order_of_visit, protocol_of
from trialsite.protocol import EventRole

DONE = (RecordStatus.COMPLETE, RecordStatus.NOT_DONE)


class Step(models.TextChoices):
    """What comes next for a person in screening."""

    CONSENT = "consent", _("Ask for consent")
    RECONSENT = "reconsent", _("Consent again")
    FORMS = "forms", _("Complete the screening forms")
    DECIDE = "decide", _("Decide on eligibility")
    CLOSE = "close", _("Close the screening")
    ENROL = "enrol", _("Enrol")
    NONE = "none", "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry as a list shows it."""

    entry: ScreeningEntry
    place: Place
    #: Days from first contact to today, or to the outcome.
    days: int
    consent: Standing | None
    decision: Decision | None
    done: int
    expected: int
    next_record: CrfRecord | None
    step: Step
    #: Whether this person may open the casebook behind it.
    may_open: bool

    @property
    def missing(self) -> int:
        return self.expected - self.done


def seen_by(user: User) -> QuerySet[ScreeningEntry]:
    """The log entries this person may see, in the order of the log."""
    rows = ScreeningEntry.objects.visible_to(user, Capability.VIEW_SCREENING)
    return (
        with_place(rows).select_related("site", "subject__site").order_by("-opened_at", "-number")
    )


def lines_of(entries: Iterable[ScreeningEntry], *, user: User, now: dt.datetime) -> list[Line]:
    """Each entry with consent, decision and forms; the number of queries is constant."""
    entries = list(entries)
    subjects = [entry.subject for entry in entries if entry.subject is not None]
    consents = standings_of(subjects, now=now) if subjects else {}
    decisions = signed_decisions(subjects, at=now)
    records = screening_records(subjects)
    opening = user.access.sites(Capability.VIEW_CASEBOOK)
    lines = []
    for entry in entries:
        expected = records.get(entry.subject_id, []) if entry.subject_id else []
        missing = [record for record in expected if record.status not in DONE]
        consent = consents.get(entry.subject_id) if entry.subject_id else None
        decision = decisions.get(entry.subject_id) if entry.subject_id else None
        today = now.astimezone(ZoneInfo(entry.site.time_zone)).date()
        lines.append(
            Line(
                entry=entry,
                place=Place(entry.place),  # type: ignore[attr-defined]
                days=((entry.outcome_on or today) - entry.first_contact_on).days,
                consent=consent,
                decision=decision,
                done=len(expected) - len(missing),
                expected=len(expected),
                next_record=missing[0] if missing else None,
                step=_step(entry, consent, decision, bool(missing)),
                may_open=entry.site_id in opening,
            )
        )
    return lines


def _step(
    entry: ScreeningEntry,
    consent: Standing | None,
    decision: Decision | None,
    missing: bool,  # noqa: FBT001
) -> Step:
    if not entry.is_open:
        return Step.NONE
    if consent is None or not consent.consents:
        return Step.CONSENT
    if consent.due:
        return Step.RECONSENT
    if decision is not None and decision.stands:
        return Step.ENROL if decision.eligible else Step.CLOSE
    return Step.FORMS if missing else Step.DECIDE


def screening_records(subjects: Collection[Subject]) -> dict[uuid.UUID, list[CrfRecord]]:
    """The standing records of the screening visits of these subjects, by subject."""
    events = {
        event.oid
        for version in {subject.protocol_version_id for subject in subjects}
        for event in protocol_of(version).schedule.with_role(EventRole.SCREENING)
    }
    rows = (
        CrfRecord.objects.standing()
        .filter(subject__in=[subject.pk for subject in subjects], visit__event_oid__in=events)
        .select_related("visit")
    )
    at_visit: dict[tuple[uuid.UUID, str], list[CrfRecord]] = defaultdict(list)
    for record in rows if subjects else ():
        assert record.visit is not None
        at_visit[record.subject_id, record.visit.event_oid].append(record)
    found: dict[uuid.UUID, list[CrfRecord]] = defaultdict(list)
    for (subject, event), records in at_visit.items():
        found[subject] += in_order_of_visit(records, event)
    return found


def waiting_of(
    user: User, *, now: dt.datetime, site_id: int | None = None, most: int = 20
) -> list[Line]:
    """Who is in screening at the person's sites, longest waiting first, with the next step."""
    rows = seen_by(user).filter(outcome=Outcome.OPEN, voided_at=None)
    if site_id is not None:
        rows = rows.filter(site_id=site_id)
    return lines_of(rows.order_by("first_contact_on", "number")[:most], user=user, now=now)
