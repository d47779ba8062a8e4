"""Opening the case of a serious adverse event, and keeping it what the event says."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, SaeCase, Suspected
from outcomes.sae_clock import standing_of
from outcomes.selectors.sae_deaths import death_known_at
from outcomes.services.sae_deadlines import (
    Easing,
    derive_deadlines,
    easing_by,
    event_of_case,
    keep,
)
from outcomes.services.sae_deaths import follow_deaths
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core.clock import trial_now
from trialsite.core.context import reason_given
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.services import save_crf
from trialsite.notify.outbox import announce

#: The kind of the notices that remind of reports to be sent.
REMINDER = "sae-report"


def follow_sae(event: AdverseEvent, by: User) -> None:
    """Keep the case of an event what the event says: opened, its clocks, taken back.

    An event that turns out not to be serious, or that is voided, takes its reporting back.
    That ends no clock: who was told is owed a report that says so, and the rest stays due
    until the safety officer agrees. A closed case is open again as soon as a report is owed.
    """
    case = SaeCase.objects.select_for_update(no_key=True).filter(record_id=event.pk).first()
    if case is None:
        if not (event.stands and event.is_sae):
            return
        case = _open(event)
    _follow_awareness(case, event)
    _follow_standing(case, event)
    said = reason_given()
    derive_deadlines(
        case,
        event,
        reason=said or _("As the event’s form says"),
        by=by,
        easing=easing_by(case, by, said),
    )
    follow_deaths(event.subject_id)
    announce(REMINDER)


def _open(event: AdverseEvent) -> SaeCase:
    """The case; until somebody says when the site knew, its clock counts from this moment, and
    that of a death from when the death was known."""
    now = trial_now()
    said = _moment_of(event)
    aware = said or death_known_at(event) or now
    return SaeCase.objects.create(
        record_id=event.pk,
        site_id=event.site_id,
        subject_id=event.subject_id,
        opened_at=now,
        aware_at=aware,
        aware_said=said is not None,
        standing=standing_of(event),
        standing_since=aware,
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
        if case.standing_since == case.aware_at:
            # It has been held for the same from the start: known when the event was.
            case.standing_since = said
        case.aware_at, case.aware_said = said, True
        keep(case, "aware_at", "aware_said", "standing_since")


def _follow_standing(case: SaeCase, event: AdverseEvent) -> None:
    """Note since when the event is held for what it is now; an earlier agreement is past."""
    standing = standing_of(event)
    if standing == case.standing:
        return
    case.standing, case.standing_since = standing, trial_now()
    case.standing_reason = reason_given()[:500]
    case.agreed_at, case.agreed_by, case.agreed_reason = None, None, ""
    # A further step to be told of: reminders of before may be said anew.
    case.clock_version += 1
    keep(
        case, "standing", "standing_since", "standing_reason", "agreed_at", "agreed_by",
        "agreed_reason", "clock_version",
    )  # fmt: skip


def locked_case(case: SaeCase, seen_version: int | None = None) -> SaeCase:
    """The case under a row lock, after that of its record; in the version that was read."""
    CrfRecord.objects.select_for_update(no_key=True).get(pk=case.record_id)
    found = (
        SaeCase.objects.select_for_update(no_key=True, of=("self",))
        .select_related("record__site", "subject")
        .get(pk=case.pk)
    )
    if seen_version is not None and seen_version != found.version:
        raise StaleError(
            _("Somebody else changed this case. Read what stands now, then decide again."),
            current={
                "reporter": found.reporter,
                "suspected": found.suspected,
                "narrative": found.narrative,
            },
            version=found.version,
        )
    return found


@transaction.atomic
def correct_awareness(
    *, case: SaeCase, aware_at: dt.datetime, reason: str, by: User, seen_version: int | None = None
) -> SaeCase:
    """Say anew when the site first knew, on the clock at the site. It is changed in the
    event's form, whose follower derives the deadlines again beside the ones that stood."""
    by.require(Capability.REPORT_SAE, site=case.site_id)
    if not reason.strip():
        raise DomainError(_("Say why the moment is corrected."))
    case = locked_case(case, seen_version)
    record, event = case.record, event_of_case(case)
    texts = texts_of(event) | {"aware_at": aware_at.isoformat(timespec="minutes")}
    entry = read_texts(AdverseEvent, texts)
    if entry.errors:
        raise DomainError(" ".join(text for each in entry.errors.values() for text in each))
    save_crf(record=record, entry=entry, by=by, base_version=record.version, reason=reason.strip())
    return locked_case(case)


@transaction.atomic
def describe_case(
    *,
    case: SaeCase,
    reporter: str,
    suspected: str,
    narrative: str,
    by: User,
    seen_version: int | None = None,
) -> SaeCase:
    """Keep what the next report will say beside the event's form. Raises StaleError where
    somebody else changed the case since the person read it. A running deadline that would
    end by another suspicion stands until that is agreed to."""
    by.require(Capability.REPORT_SAE, site=case.site_id)
    case = locked_case(case, seen_version)
    expect_open(case)
    if suspected not in Suspected.values:
        raise DomainError(_("Say what is suspected."))
    before = case.suspected
    case.reporter, case.suspected = reporter.strip()[:200], suspected
    case.narrative = narrative.strip()
    keep(case, "reporter", "suspected", "narrative")
    if before != suspected:
        derive_deadlines(
            case,
            event_of_case(case),
            reason=_("The suspected cause was changed"),
            by=by,
            easing=Easing.ASKED,
        )
        announce(REMINDER)
    return case


def expect_open(case: SaeCase) -> None:
    if case.closed_at is not None:
        raise TransitionError(_("This case is closed."))
