"""Comparing with the list of a safety database, and deciding line by line."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import (
    AdverseEvent,
    Found,
    SaeCase,
    SaeReconciliation,
    SaeReconciliationLine,
)
from outcomes.sae_matching import Line, ListError, Pair, compared, read_list
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.crf.models import stored


@transaction.atomic
def reconcile_cases(*, text: str, source: str, by: User) -> SaeReconciliation:
    """Compare every serious event of the person's sites with a list, and keep what was found.

    An event of the list that is entered here but not serious is told as such. Raises
    DomainError for a list that cannot be read.
    """
    by.require_study_wide(Capability.MANAGE_SAFETY)
    if not source.strip():
        raise DomainError(_("Name the safety database and the day of its list."))
    try:
        theirs = read_list(text)
    except ListError as error:
        raise DomainError(_said(error)) from error
    subjects = {each.label.casefold(): each for each in _subjects(by)}
    subjects |= {each.screening_number.casefold(): each for each in subjects.values()}
    theirs = [_known_as(line, subjects) for line in theirs]
    cases = {str(case.record_id): case for case in _cases(by)}
    events = {str(event.pk): event for event in _events(by)}
    run = SaeReconciliation.objects.create(
        source=source.strip()[:200],
        source_hash=hashlib.sha256(text.encode()).hexdigest(),
        rows=len(theirs),
        made_by=by,
        made_at=trial_now(),
    )
    pairs = compared([_line(event, cases) for event in events.values()], theirs)
    wanted = [pair for pair in pairs if pair.there is not None or _is_serious(pair, events)]
    SaeReconciliationLine.objects.bulk_create(
        _kept(run, position, pair, events, cases, subjects)
        for position, pair in enumerate(wanted, start=1)
    )
    return run


def _subjects(by: User) -> list[Subject]:
    return list(Subject.objects.visible_to(by, Capability.MANAGE_SAFETY))


def _cases(by: User) -> list[SaeCase]:
    rows = SaeCase.objects.visible_to(by, Capability.MANAGE_SAFETY)
    return list(rows.select_related("subject", "record"))


def _events(by: User) -> list[AdverseEvent]:
    rows = stored(AdverseEvent).at(by.access.sites(Capability.MANAGE_SAFETY))
    return list(rows.filter(record__voided_at=None).select_related("record__subject"))


def _is_serious(pair: Pair, events: dict[str, AdverseEvent]) -> bool:
    return pair.here is not None and events[pair.here.key].is_sae


def _known_as(line: Line, subjects: dict[str, Subject]) -> Line:
    """A subject named by the screening number is the same subject."""
    subject = subjects.get(line.subject.strip().casefold())
    said = line.fields() | ({"subject": subject.label} if subject else {})
    return Line(**said, key=line.key)


def _line(event: AdverseEvent, cases: dict[str, SaeCase]) -> Line:
    """An event of the study as the list would name it."""
    subject = event.record.subject
    has_case = str(event.pk) in cases
    return Line(
        key=str(event.pk),
        case=f"{subject.label}-SAE-{event.record.repeat_key}" if has_case else "",
        subject=subject.label,
        term=event.term or "",
        onset=str(event.started_on or ""),
        serious="yes" if event.is_sae else "no",
        outcome=event.outcome or "",
    )


def _kept(
    run: SaeReconciliation,
    position: int,
    pair: Pair,
    events: dict[str, AdverseEvent],
    cases: dict[str, SaeCase],
    subjects: dict[str, Subject],
) -> SaeReconciliationLine:
    event = events[pair.here.key] if pair.here else None
    subject = event.record.subject if event else None
    if subject is None and pair.there is not None:
        subject = subjects.get(pair.there.subject.casefold())
    return SaeReconciliationLine(
        reconciliation=run,
        position=position,
        site_id=subject.site_id if subject else None,
        subject=subject,
        case=cases.get(str(event.pk)) if event else None,
        found=_found(pair, event),
        here=(pair.here or Line()).fields(),
        there=(pair.there or Line()).fields(),
        differing=list(pair.differing),
    )


def _found(pair: Pair, event: AdverseEvent | None) -> Found:
    if event is None:
        return Found.ONLY_THERE
    if pair.there is None:
        return Found.ONLY_HERE
    if not event.is_sae:
        return Found.NOT_SERIOUS_HERE
    return Found.DIFFERS if pair.differing else Found.AGREES


@transaction.atomic
def decide_line(*, line: SaeReconciliationLine, decision: str, by: User) -> SaeReconciliationLine:
    """Say what is to be done about one difference; a later word replaces it."""
    by.require_study_wide(Capability.MANAGE_SAFETY)
    line = SaeReconciliationLine.objects.select_for_update(no_key=True).get(pk=line.pk)
    if not decision.strip():
        raise DomainError(_("Say what is decided."))
    line.decision, line.decided_by = decision.strip()[:500], by
    line.decided_at = trial_now()
    line.save(update_fields=["decision", "decided_by", "decided_at"])
    return line


def _said(error: ListError) -> str:
    names = {
        "subject": _("Subject"),
        "term": _("Event"),
    }
    match error.code:
        case "empty":
            return _("The list is empty.")
        case "long":
            return _("The list has more than %(n)s rows; split it.") % {"n": error.detail}
        case "column":
            return _("The list has no column “%(name)s”; its first line names the columns.") % {
                "name": names[error.detail]
            }
        case "twice":
            return _("The column “%(name)s” stands there twice.") % {"name": error.detail}
    return _("Row %(n)s names no subject.") % {"n": error.detail}
