"""Laboratory results one by one, each with its draw: for programs that follow an analyte."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import keys_of, said_number
from trialsite.casebook.api import DETAIL, LIST, SEES
from trialsite.labs.answers import ResultAnswer, said_result
from trialsite.labs.codes import ResultFlag
from trialsite.labs.models import LabResult


class LabResultAnswer(ResultAnswer):
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    record = serializers.UUIDField(help_text="The draw: `lab-panels/{record}/`")
    visit = serializers.UUIDField(allow_null=True)
    STUDYEVENT = serializers.CharField(allow_null=True)
    VISITNUM = serializers.CharField(allow_null=True)
    laboratory = serializers.CharField(allow_null=True, help_text="Code")
    collected_at = serializers.CharField(allow_null=True, help_text="The clock at the site")
    time_zone = serializers.CharField(allow_null=True)
    status = serializers.CharField(help_text="Of the draw")


def said_lab_result(row: LabResult) -> dict[str, Any]:
    """A result with what its draw says of it."""
    panel, record = row.panel, row.panel.record
    visit, laboratory = record.visit, panel.laboratory
    return {
        **said_result(row),
        **keys_of(record.subject),
        "subject": record.subject_id,
        "record": record.pk,
        "visit": record.visit_id,
        "STUDYEVENT": visit.event_oid if visit else None,
        "VISITNUM": said_number(visit.visit_number) if visit else None,
        "laboratory": laboratory.code if laboratory else None,
        "collected_at": panel.collected_at.isoformat(timespec="minutes")
        if panel.collected_at
        else None,
        "time_zone": panel.time_zone or None,
        "status": record.status,
    }


class LabResults(Endpoint):
    """Standing results of standing draws; entered and corrected with their draw."""

    policy = {"GET": SEES}
    serializer_class = LabResultAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "visit": Filter("panel__record__visit_id", uuid.UUID),
        "record": Filter("panel_id", uuid.UUID),
        "analyte": Filter("analyte"),
        "flag": Filter("flag", choices=tuple(ResultFlag.values)),
    }

    def rows(self) -> Any:
        seen = LabResult.objects.visible_to(self.request.user)
        return (
            seen.filter(voided_at=None, panel__record__voided_at=None)
            .select_related("panel__record__subject__site", "panel__record__visit")
            .select_related("panel__laboratory")
            .order_by("site__code", "subject__screening_number", "panel_id", "analyte")
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_lab_result)

    def retrieve(self, request: Request, result: uuid.UUID) -> Response:
        return Response(said_lab_result(self.found(self.rows(), pk=result)))


routes: list[URLPattern] = [
    path("lab-results/", LabResults.as_view(LIST)),
    path("lab-results/<uuid:result>/", LabResults.as_view(DETAIL)),
]
