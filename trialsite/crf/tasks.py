"""The nightly batch: every completed record is judged again by the same checks as at save.

Rules and limits may have changed since; a check that is broken now gets its query, one
that holds again closes its own.
"""

from __future__ import annotations

from celery import shared_task

from trialsite.access.context import system_context
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.core.context import Channel, acting
from trialsite.crf.registry import forms
from trialsite.crf.services import judge_record

BATCH = 200


@shared_task  # type: ignore[untyped-decorator]  # Celery ships no types
def judge_all_records(after: str = "") -> int:
    """Judge a batch of records and ring for the next; the number judged in this batch."""
    with acting(system_context("edit checks", Channel.TASK)):
        records = CrfRecord.objects.standing().filter(
            status=RecordStatus.COMPLETE, lock_state=LockState.OPEN, form_oid__in=forms()
        )
        if after:
            records = records.filter(pk__gt=after)
        batch = list(records.order_by("pk")[:BATCH])
        for record in batch:
            judge_record(record, forms()[record.form_oid])
    if len(batch) == BATCH:
        judge_all_records.delay(str(batch[-1].pk))
    return len(batch)
