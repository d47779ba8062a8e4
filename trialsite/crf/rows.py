"""Many rows of one group at once: what was written on paper for hours, typed in one go.

As `services.save_row` for each, but the record is locked once and hashed once: a sheet of
readings costs what one of them did (docs/benchmarks.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import nullcontext

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError
from trialsite.crf.entry import Entry
from trialsite.crf.judging import Judgement
from trialsite.crf.loading import next_row_number
from trialsite.crf.models import CrfRow
from trialsite.crf.moments import expect_possible
from trialsite.crf.registry import follow, form
from trialsite.crf.services import (
    ReasonRequiredError,
    Saved,
    ask,
    assign,
    hash_rows,
    lock_record,
    refusals,
    touch,
    write,
)


@transaction.atomic
def add_rows(
    *,
    record: CrfRecord,
    group: type[CrfRow],
    entries: Sequence[Entry],
    by: User,
    reason: str = "",
) -> list[Saved]:
    """Add rows to a repeating item group, in their order; all of them or none.

    Raises what `save_row` raises; nothing is then added.
    """
    if not entries:
        return []
    record = lock_record(record, by=by)
    if group not in form(record.form_oid).groups:
        raise DomainError(_("This form has no such rows."))
    completed = record.status in {RecordStatus.COMPLETE, RecordStatus.NOT_DONE}
    if completed and not reason.strip():
        raise ReasonRequiredError(_("Say why you change completed data."))
    first = next_row_number(record, group)
    added: list[tuple[CrfRow, frozenset[str], Judgement]] = []
    with because(reason) if reason else nullcontext(), refusals(group):
        for number, entry in enumerate(entries, start=first):
            row = _row(record, group, number)
            changed = assign(row, entry, record)
            expect_possible(row, changed)
            judgement = write(row, changed, record.protocol_version_id, made=True)
            added.append((row, changed, judgement))
        touch(record)
        hash_rows(record)
        for row, _changed, _judgement in added:
            follow(row, by)
    return [
        Saved(record, row, changed, ask(record, row, judgement, complete=completed))
        for row, changed, judgement in added
    ]


def _row(record: CrfRecord, group: type[CrfRow], number: int) -> CrfRow:
    return group(
        id=uuid.uuid4(),
        record=record,
        site_id=record.site_id,
        subject_id=record.subject_id,
        number=number,
        version=1,
    )
