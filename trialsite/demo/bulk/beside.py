"""What of a copy the trail cannot tell: who they are, papers, and the notices of the past."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

from outcomes.models import SaeReport, SaeReportPdf
from outcomes.services.sae_reports import keep_papers
from screening.models import ScreeningEntry
from screening.services.identity import keep_identity
from trialsite.access.models import User
from trialsite.demo.bulk.retold import key_of
from trialsite.demo.bulk.trail import Step
from trialsite.demo.log import invented_name


def invent_people(step: Step, copies: Sequence[int]) -> None:
    """Give everybody of the log in every copy identifiers of their own, in the vault."""
    for event in step.events:
        by = User.objects.get(pk=event.actor_id)
        keys = [key_of(event.row_id, copy) for copy in copies]
        numbers = dict(ScreeningEntry.objects.filter(pk__in=keys).values_list("pk", "number"))
        for copy, key in zip(copies, keys, strict=True):
            number = numbers[uuid.UUID(key)]
            chance = random.Random(f"{number} of copy {copy}")  # noqa: S311
            assert event.site_id is not None
            keep_identity(
                entry_id=uuid.UUID(key),
                site=event.site_id,
                name=invented_name(chance),
                phone=f"000 {copy:04d} {chance.randrange(10_000):04d}",
                hospital_number=f"SYNTHETIC-{number}",
                by=by,
            )


def keep_papers_of(step: Step, copies: Sequence[int]) -> None:
    """Make the papers of the copies' reports anew: each prints its own participant."""
    reports = SaeReportPdf.objects.filter(pk__in=[each.row_id for each in step.events])
    for report_id in sorted(set(reports.values_list("report", flat=True))):
        keys = [key_of(report_id, copy) for copy in copies]
        told = SaeReport.objects.filter(pk__in=keys).select_related("signature", "signed_by")
        for report in told.order_by("pk"):
            assert report.signed_by is not None
            keep_papers(report, report.signed_by)
