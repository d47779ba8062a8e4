"""Saving a form: the one door for pages, API, imports and the demonstration.

Lock -> may this person -> has somebody else saved -> change -> judge -> ask.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from django.db import DatabaseError, models, transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.crf import writing
from trialsite.crf.entry import Entry, texts_of
from trialsite.crf.hashing import content_hash, record_hash
from trialsite.crf.items import items_of
from trialsite.crf.judging import (
    Judgement,
    finding,
    incomplete,
    is_confirmed,
    judge,
    row_key,
    rows_of,
    unconfirmed,
)
from trialsite.crf.loading import locked_row, row_to_save
from trialsite.crf.models import CrfData, CrfRow, Draft, ItemData
from trialsite.crf.moments import expect_possible
from trialsite.crf.registry import Form, follow, form, is_followed
from trialsite.crf.violations import refusal_of
from trialsite.review.services import reconcile


class ReasonRequiredError(DomainError):
    """Completed data change only with a reason (21 CFR 11.10(e), ICH E6(R3) 4.2.2)."""


class IncompleteError(DomainError):
    """The form cannot be completed yet; `problems` says what is missing or unconfirmed."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(_("The form is not complete yet."))
        self.problems = problems


@dataclass(slots=True)
class Saved:
    """What a save left behind."""

    record: CrfRecord
    row: ItemData
    changed: frozenset[str] = frozenset()
    asked: dict[str, str] = field(default_factory=dict)


def save_crf(
    *,
    record: CrfRecord,
    entry: Entry,
    by: User,
    base_version: int,
    complete: bool = False,
    reason: str = "",
) -> Saved:
    """Store a form's data, complete it if asked, and ask about what breaks a check.

    Raises NotPermittedError, StaleError (with what stands now), ReasonRequiredError,
    IncompleteError, ImpossibleError or TransitionError; nothing is then changed.
    """
    crf = form(record.form_oid).data
    if crf is None:
        raise DomainError(_("This form has no fields of its own."))
    record, row = _lock_with_row(record, crf, by=by)
    made = row is None
    _expect_version(record.version, base_version, row)
    if row is None:
        row = crf(record=record, site_id=record.site_id, subject_id=record.subject_id)
    changed = assign(row, entry, record)
    completed = record.status in {RecordStatus.COMPLETE, RecordStatus.NOT_DONE}
    completing = complete or record.status == RecordStatus.COMPLETE
    if completing:
        expect_complete(record, row)
    if not changed and not made and record.status == writing.status_of(complete=completing):
        return Saved(record, row)
    if completed and not reason.strip():
        raise ReasonRequiredError(_("Say why you change completed data."))
    expect_possible(row, changed)
    with because(reason) if reason else nullcontext(), refusals(crf):
        judgement = write(row, changed, record.protocol_version_id, made=made)
        writing.advance(
            record,
            by=by,
            complete=completing,
            content_hash=record_hash(record, row),
            form_version=form(record.form_oid).version,
        )
        follow(row, by)
    return Saved(record, row, changed, ask(record, row, judgement, complete=completing))


def write(row: ItemData, changed: frozenset[str], version_id: int, *, made: bool) -> Judgement:
    """Store the row; where only its header moves on, it is judged as it stands."""
    if made:
        return writing.insert(row, version_id)
    return writing.update(row, changed, version_id) if changed else judge(row, version_id)


def _lock_with_row(
    record: CrfRecord, crf: type[CrfData], *, by: User
) -> tuple[CrfRecord, CrfData | None]:
    """The locked record and its row, in one statement once there is a row."""
    found = locked_row(crf, record.pk) if record.version else None
    if found is not None:
        locked = _enterable(found[0], by=by)
        hold_followed(locked, crf)
        return locked, found[1]
    locked = lock_record(record, by=by)
    hold_followed(locked, crf)
    return locked, crf.objects.filter(pk=record.pk).first()


def hold_followed(record: CrfRecord, table: type[ItemData]) -> None:
    """Take the subject's lock after the record's where somebody follows what is entered.

    What is entered shares the subject (`guard_entry`), and what follows may change it: two who
    share and then both want to change would wait for each other in a ring.
    """
    if is_followed(table):
        Subject.objects.select_for_update(no_key=True).only("pk").get(pk=record.subject_id)


def lock_record(record: CrfRecord, *, by: User) -> CrfRecord:
    """The record under a row lock, if this person may enter data into it now."""
    locked = (
        CrfRecord.objects.select_for_update(no_key=True, of=("self",))
        .select_related("site")
        .get(pk=record.pk)
    )
    return _enterable(locked, by=by)


def _enterable(record: CrfRecord, *, by: User) -> CrfRecord:
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if record.voided_at is not None:
        raise TransitionError(_("This record has been voided."))
    if record.is_closed:
        raise TransitionError(_("This record is locked. Ask the data manager to unlock it."))
    return record


@contextmanager
def refusals(table: type[models.Model]) -> Iterator[None]:
    """Turn what the database refuses into a refusal a person can act on."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        refusal = refusal_of(table, error)
        if refusal is None:
            raise
        raise refusal from error


def _expect_version(stands: int, base: int, row: ItemData | None) -> None:
    if stands != base:
        raise StaleError(
            _("Somebody else saved this form while you were typing."),
            current=dict(texts_of(row)),
            version=stands,
        )


def assign(row: ItemData, entry: Entry, record: CrfRecord) -> frozenset[str]:
    """Put the entry into the row; the names of what differs from before."""
    changed = set()
    if row.pk is not None:
        _drop_outdated_confirmations(row, entry)
    for name, value in entry.columns().items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.add(name)
    if not row.time_zone:
        row.time_zone = record.site.time_zone
    row.changed = frozenset(changed)
    return row.changed


def _drop_outdated_confirmations(row: ItemData, entry: Entry) -> None:
    """A comment confirms the value it was written for; another value needs its own."""
    for name, comment in list(entry.confirmed.items()):
        before = row.confirmed.get(name)
        if before == comment and getattr(row, name) != entry.values.get(name):
            del entry.confirmed[name]


def expect_complete(record: CrfRecord, row: ItemData | None) -> None:
    """Raise IncompleteError unless the record's row and rows are whole; a companion has none."""
    problems = _problems_of(record, row) if row is not None else {}
    for group in form(record.form_oid).groups:
        labels = {name: item.label for name, item in items_of(group).items()}
        for each in rows_of(record, [group]):
            found = _problems_of(record, each)
            words = "; ".join(f"{labels[name]}: {text}" for name, text in found.items())
            if words:
                number = getattr(each, "number", 0)
                problems[group.group_oid] = _("Row %(number)d: %(problems)s") % {
                    "number": number,
                    "problems": words,
                }
    if problems:
        raise IncompleteError(problems)


def _problems_of(record: CrfRecord, row: ItemData) -> dict[str, str]:
    problems = dict.fromkeys(
        incomplete(row, record.protocol_version_id), _("Enter a value, or why there is none.")
    )
    for name in unconfirmed(row, record.protocol_version_id):
        problems[name] = _("This value is outside the plausible range. Confirm it with a comment.")
    return problems


def ask(
    record: CrfRecord, row: ItemData, judgement: Judgement, *, complete: bool
) -> dict[str, str]:
    """A completed form's broken checks become queries. Item name -> question."""
    version, standing = record.protocol_version_id, judgement.standing
    broken = [check for check in judgement.broken if not is_confirmed(row, check, version)]
    findings = {check.oid: finding(type(row), check, version) for check in broken}
    if complete or standing:
        asked = findings if complete else {k: v for k, v in findings.items() if k in standing}
        reconcile(
            record=record,
            findings=asked,
            standing=standing,
            row_id=row_key(row),
            content_hash=content_hash(row),
        )
    return {check.item: findings[check.oid].message for check in broken}


def save_row(
    *,
    record: CrfRecord,
    group: type[CrfRow],
    entry: Entry,
    by: User,
    row_id: uuid.UUID | None = None,
    new_id: uuid.UUID | None = None,
    base_version: int = 0,
    reason: str = "",
) -> Saved:
    """Add a row to a repeating item group, or change one. Each row has its own version, so
    two people on one sheet do not overwrite each other.

    With `new_id` the caller names the row before it exists: adding it twice makes one row,
    and the second save finds it as any other person's.
    """
    record = lock_record(record, by=by)
    if group not in form(record.form_oid).groups:
        raise DomainError(_("This form has no such rows."))
    hold_followed(record, group)
    row, made = row_to_save(record, group, row_id, new_id)
    if not made:
        _expect_version(row.version, base_version, row)
    changed = assign(row, entry, record)
    if not changed and not made:
        return Saved(record, row)
    completed = record.status in {RecordStatus.COMPLETE, RecordStatus.NOT_DONE}
    if completed and not reason.strip():
        raise ReasonRequiredError(_("Say why you change completed data."))
    expect_possible(row, changed)
    row.version += 1
    with because(reason) if reason else nullcontext(), refusals(group):
        judgement = write(row, changed | {"version"}, record.protocol_version_id, made=made)
        touch(record)
        hash_rows(record)
        follow(row, by)
    return Saved(record, row, changed, ask(record, row, judgement, complete=completed))


def touch(record: CrfRecord) -> None:
    """A row has been entered: the record is no longer untouched."""
    if record.status in {RecordStatus.NOT_STARTED, RecordStatus.NOT_DONE}:
        record.status, record.not_done_reason = RecordStatus.IN_PROGRESS, ""
        record.first_entered_at = TrialNow()
        writing.store(record, ["status", "not_done_reason", "first_entered_at"])


def hash_rows(record: CrfRecord) -> None:
    """The record's content is its rows' as well: a signature over it falls with any of them."""
    record.content_hash = record_hash(record)
    writing.store(record, ["content_hash"])


@transaction.atomic
def void_row(
    *, record: CrfRecord, group: type[CrfRow], row_id: uuid.UUID, reason: str, by: User
) -> CrfRow:
    """Take a row out; its number is not used again."""
    record = lock_record(record, by=by)
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    hold_followed(record, group)
    row: CrfRow = group.objects.get(record=record, pk=row_id)
    if row.voided_at is not None:
        raise TransitionError(_("This row has been voided."))
    row.voided_at, row.void_reason = trial_now(), reason
    with because(reason), refusals(group):
        row.save(update_fields=["voided_at", "void_reason"])
        hash_rows(record)
        row.record = record
        follow(row, by)
    reconcile(record=record, findings={}, row_id=row.pk)
    return row


@transaction.atomic
def save_draft(
    *,
    record: CrfRecord,
    texts: dict[str, str],
    by: User,
    base_version: int,
    part: str = "",
    page: str = "",
) -> Draft:
    """Keep what a person has typed so far, field by field; nobody else and no export sees it.

    What a page sends after it has been saved comes too late and is passed over: its text
    is in the casebook, and a draft of it would later stand against somebody's correction.
    """
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if record.is_closed:
        raise TransitionError(_("This record is closed; nothing more can be entered."))
    draft, made = Draft.objects.select_for_update().get_or_create(
        record=record,
        user=by,
        part=part,
        defaults={
            "site_id": record.site_id,
            "subject_id": record.subject_id,
            "fields": texts,
            "base_version": base_version,
        },
    )
    if made or (page and draft.closed_page == page):
        return draft
    if not draft.fields:
        draft.base_version = base_version
    draft.fields = {**draft.fields, **texts}
    draft.save(update_fields=["fields", "base_version", "saved_at"])
    return draft


@transaction.atomic
def close_draft(*, record: CrfRecord, by: User, part: str, page: str) -> None:
    """The page has been saved: its draft is data now, and what it still sends is late."""
    Draft.objects.update_or_create(
        record=record,
        user=by,
        part=part,
        defaults={"fields": {}, "closed_page": page},
        create_defaults={
            "site_id": record.site_id,
            "subject_id": record.subject_id,
            "fields": {},
            "closed_page": page,
            "base_version": record.version,
        },
    )


def discard_draft(*, record: CrfRecord, by: User, part: str = "") -> None:
    """Throw a draft away, as its author asked."""
    Draft.objects.filter(record=record, user=by, part=part).delete()


def judge_record(record: CrfRecord, definition: Form) -> int:
    """Judge every row of a completed record again, as the nightly batch does; rows judged."""
    judged = 0
    for row in rows_of(record, definition.tables):
        ask(record, row, judge(row, record.protocol_version_id), complete=True)
        judged += 1
    return judged
