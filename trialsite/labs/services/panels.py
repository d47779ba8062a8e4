"""Saving a lab panel: the one door for page, paste, API and the demonstration.

Lock -> may this person -> has somebody else saved -> change -> judge -> ask, as for forms.
"""

from __future__ import annotations

import hashlib
import uuid
from contextlib import nullcontext
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, ProtocolVersion, RecordStatus, Subject
from trialsite.casebook.moments import death_problem, future_problem
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.services import mark_not_done, open_record
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.crf import writing
from trialsite.crf.services import (
    IncompleteError,
    ReasonRequiredError,
    lock_record,
    refusals,
)
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.checks import Broken
from trialsite.labs.codes import FORM_OID
from trialsite.labs.entry import TIMES, PanelEntry, read_panel, texts_of
from trialsite.labs.models import Laboratory, LabPanel, LabResult
from trialsite.labs.selectors import panel_of
from trialsite.labs.sheet import Change, Sheet
from trialsite.review.models import Query
from trialsite.review.services import reconcile


@dataclass(slots=True)
class SavedPanel:
    """What a save left behind; `asked` are the questions by analyte."""

    record: CrfRecord
    panel: LabPanel
    results: dict[str, LabResult]
    changed: frozenset[str] = frozenset()
    asked: dict[str, list[str]] = field(default_factory=dict)


def open_panel(
    *,
    subject: Subject,
    by: User,
    visit_id: uuid.UUID | None = None,
    protocol_version: ProtocolVersion | None = None,
) -> CrfRecord:
    """One more draw of a subject, at a visit or outside; the next repeat key."""
    return open_record(
        subject=subject,
        form_oid=FORM_OID,
        by=by,
        visit_id=visit_id,
        protocol_version=protocol_version,
    )


@transaction.atomic
def save_panel(
    *,
    record: CrfRecord,
    entry: PanelEntry,
    by: User,
    base_version: int,
    complete: bool = False,
    reason: str = "",
) -> SavedPanel:
    """Store a draw with its results, complete it if asked, and ask about what breaks a check.

    A result that the entry does not name is emptied: it is voided and stays in the trail.
    Raises NotPermittedError, StaleError (with what stands now), ReasonRequiredError,
    IncompleteError, ImpossibleError or TransitionError; nothing is then changed.
    """
    sheet = _locked(record, by=by)
    _expect_version(sheet, base_version)
    laboratory = _laboratory(sheet, entry)
    _expect_possible_times(sheet, entry)
    if entry.errors:
        raise ImpossibleError(entry.errors)
    change = sheet.apply(entry, laboratory)
    return _keep(sheet, change, by=by, complete=complete, reason=reason)


def _locked(record: CrfRecord, *, by: User) -> Sheet:
    locked = lock_record(record, by=by)
    if locked.form_oid != FORM_OID:
        raise DomainError(_("This is no record of laboratory results."))
    return Sheet(locked)


def _expect_version(sheet: Sheet, base_version: int) -> None:
    if sheet.record.version != base_version:
        stands = None if sheet.is_new else sheet.panel
        raise StaleError(
            _("Somebody else saved this form while you were typing."),
            current=dict(texts_of(stands, sheet.results.values())),
            version=sheet.record.version,
        )


def _laboratory(sheet: Sheet, entry: PanelEntry) -> Laboratory | None:
    if not entry.laboratory:
        return None
    own = Laboratory.objects.filter(site_id=sheet.record.site_id, code=entry.laboratory)
    found = own.first()
    if found is None:
        entry.errors["laboratory"] = [_("This site has no such laboratory.")]
    elif not found.active and sheet.panel.laboratory_id != found.pk:
        entry.errors["laboratory"] = [_("This laboratory is no longer used.")]
    return found


def _expect_possible_times(sheet: Sheet, entry: PanelEntry) -> None:
    """Nothing is drawn or received in the future, nothing drawn after death (decisions C1, C10).

    A time that stands already is not asked about again because of another field.
    """
    for name in TIMES:
        wall = entry.header.get(name)
        if wall is None or wall == getattr(sheet.panel, name):
            continue
        problem = future_problem(wall, sheet.panel.time_zone)
        if name == "collected_at":
            problem = problem or death_problem(sheet.record.subject, wall.date())
        if problem:
            entry.errors.setdefault(name, []).append(problem)


def _keep(sheet: Sheet, change: Change, *, by: User, complete: bool, reason: str) -> SavedPanel:
    """Store a changed sheet with its header, then ask."""
    record = sheet.record
    completed = record.status in {RecordStatus.COMPLETE, RecordStatus.NOT_DONE}
    completing = complete or record.status == RecordStatus.COMPLETE
    if completing and (problems := sheet.problems()):
        raise IncompleteError(problems)
    unmoved = record.status == writing.status_of(complete=completing)
    if not change and not sheet.is_new and unmoved:
        return SavedPanel(record, sheet.panel, sheet.results)
    if completed and not reason.strip():
        raise ReasonRequiredError(_("Say why you change completed data."))
    with because(reason) if reason else nullcontext():
        _write(sheet, change, reason=reason)
        writing.advance(record, by=by, complete=completing, content_hash=sheet.content_hash())
    asked = _ask(sheet, complete=completing)
    return SavedPanel(record, sheet.panel, sheet.results, change.names, asked)


def _write(sheet: Sheet, change: Change, *, reason: str) -> None:
    if sheet.is_new or change.header:
        with refusals(LabPanel):
            sheet.panel.save(force_insert=sheet.is_new)
    with refusals(LabResult):
        for gone in change.emptied:
            _void(gone, reason or _("Emptied on the page of the panel"))
        LabResult.objects.bulk_create(change.made)
        if change.changed:
            LabResult.objects.bulk_update(change.changed, sorted(_fields(change.columns)))


def _fields(columns: set[str]) -> set[str]:
    return {name.removesuffix("_id") for name in columns}


def _void(result: LabResult, reason: str) -> None:
    result.voided_at, result.void_reason = trial_now(), reason[:500]
    result.save(update_fields=["voided_at", "void_reason"])


def _ask(sheet: Sheet, *, complete: bool) -> dict[str, list[str]]:
    """A completed panel's broken checks become queries; each is settled over its own values."""
    standing = frozenset(
        Query.objects.unresolved()
        .filter(record=sheet.record, row_id=None)
        .exclude(check_oid="")
        .values_list("check_oid", flat=True)
    )
    if not complete and not standing:
        return {}
    broken = {each.oid: each for each in sheet.broken()}
    for oid in sorted(standing | (broken.keys() if complete else set())):
        found = broken.get(oid)
        reconcile(
            record=sheet.record,
            findings={oid: found.finding} if found else {},
            standing=standing & {oid},
            content_hash=_content(found) if found else "",
        )
    asked: dict[str, list[str]] = {}
    for each in broken.values():
        asked.setdefault(each.analyte, []).append(each.message)
    return asked


def _content(broken: Broken) -> str:
    return hashlib.sha256("\n".join(broken.content).encode()).hexdigest()


def set_panel_significance(
    *, record: CrfRecord, significance: str, by: User, base_version: int, reason: str = ""
) -> SavedPanel:
    """Judge everything abnormal of a panel at once; only shifts still ask (decisions C16)."""
    panel, results = panel_of(record)
    texts = texts_of(panel, results.values()) | {"significance": significance}
    entry = read_panel(protocol_of(record.protocol_version_id), texts)
    return save_panel(record=record, entry=entry, by=by, base_version=base_version, reason=reason)


@transaction.atomic
def mark_panel_not_done(*, record: CrfRecord, reason: str, by: User) -> CrfRecord:
    """State that nothing was drawn, and why; possible only while the panel is empty."""
    if record.form_oid != FORM_OID:
        raise DomainError(_("This is no record of laboratory results."))
    return mark_not_done(record=record, reason=reason, by=by)


@transaction.atomic
def void_result(*, result: LabResult, reason: str, by: User) -> SavedPanel:
    """Take one result out, with a reason; a completed panel must stay complete without it."""
    sheet = _locked(result.panel.record, by=by)
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    stands = sheet.results.get(result.analyte)
    if stands is None or stands.pk != result.pk:
        raise TransitionError(_("This result has been voided."))
    change = Change(emptied=[sheet.results.pop(result.analyte)])
    return _keep(sheet, change, by=by, complete=False, reason=reason)


@transaction.atomic
def retake_ranges(*, record: CrfRecord, by: User, base_version: int, reason: str) -> SavedPanel:
    """Judge a panel by the ranges as the register has them now, after a correction of it."""
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if not reason.strip():
        raise ReasonRequiredError(_("Say why the ranges are taken anew."))
    sheet = _locked(record, by=by)
    _expect_version(sheet, base_version)
    return _keep(sheet, sheet.retake(), by=by, complete=False, reason=reason)
