"""Reports of a serious adverse event in the API: read, signed, sent, received."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any

from django.core.files.base import ContentFile
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.api.safety import REPORTS, SEES, Cases
from outcomes.api.safety_answers import (
    CaseAnswer,
    DraftAnswer,
    PaperBody,
    ReceivedBody,
    SendingBody,
    SignBody,
    SignSentBody,
)
from outcomes.models import ReportKind, SaeReceipt, SaeReport
from outcomes.services.sae_deadlines import event_of_case
from outcomes.services.sae_papers import Carried
from outcomes.services.sae_receipts import record_receipt, void_acknowledgement, void_receipt
from outcomes.services.sae_reports import reading_of, sign_report, sign_sent_report
from outcomes.services.sae_sending import Sending, record_paper_report, record_submission
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.signing import prove
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL

SIGNS = Policy(Audience.STAFF, Capability.SIGN_FORM)


class Draft(Cases):
    policy = {"GET": SEES}
    parameters = frozenset({"kind"})

    @extend_schema(
        responses=DraftAnswer,
        parameters=[OpenApiParameter("kind", str, enum=ReportKind.values, required=True)],
    )
    def retrieve(self, request: Request, case: uuid.UUID) -> Response:
        """The next report as it would be signed now, with the hash that says what was read."""
        found = self.found(self.rows(), pk=case)
        kind = request.query_params.get("kind", "")
        if kind not in ReportKind.values:
            raise ValidationError({"kind": [_("This is no kind of report.")]})
        read, digest = reading_of(found, event_of_case(found), kind)
        number = found.reports.count()
        return Response({"kind": kind, "number": number, "content_hash": digest, "content": read})


class Reports(Cases):
    policy = {"POST": SIGNS}

    @extend_schema(request=SignBody, responses={201: CaseAnswer})
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Sign the next report; refused where any of it has changed since it was read."""
        found, body, by = self.found(self.rows(), pk=case), self.body(SignBody), self.request.user
        by.require(Capability.SIGN_FORM, site=found.site_id)
        proof = prove(self.request, password=body["password"], code=body["code"])
        sign_report(case=found, kind=body["kind"], seen=body["seen"], by=by, proof=proof)
        return self.answer(case, status.HTTP_201_CREATED)


def _file(body: dict[str, Any]) -> ContentFile[bytes]:
    """The document in a body."""
    try:
        content = base64.b64decode(body["content"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({"content": [_("This is not base64.")]}) from error
    return ContentFile(content, name=body["filename"])


class PaperReports(Cases):
    policy = {"POST": REPORTS}
    max_body_bytes = 15_000_000

    @extend_schema(request=PaperBody, responses={201: CaseAnswer})
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Keep a report that left on paper before it was signed here; its signature is owed."""
        found, body = self.found(self.rows(), pk=case), self.body(PaperBody)
        said = body["carried"]
        record_paper_report(
            case=found,
            sendings=[
                Sending(recipient=to, submitted_at=body["submitted_at"], way=body["way"])
                for to in dict.fromkeys(body["recipients"])
            ],
            evidence=_file(body),
            carried=Carried(**said) if said is not None else None,
            by=self.request.user,
        )
        return self.answer(case, status.HTTP_201_CREATED)


class OfReport(Cases):
    """What is done about one report."""

    def report(self, pk: uuid.UUID) -> SaeReport:
        seen = SaeReport.objects.visible_to(self.request.user, Capability.VIEW_SAFETY)
        found: SaeReport = self.found(seen.select_related("case"), pk=pk)
        return found


class SentSignature(OfReport):
    policy = {"POST": SIGNS}

    @extend_schema(request=SignSentBody, responses=CaseAnswer)
    def create(self, request: Request, report: uuid.UUID) -> Response:  # type: ignore[override]
        """Sign a report that left on paper, as it was kept then."""
        found, body, by = self.report(report), self.body(SignSentBody), self.request.user
        by.require(Capability.SIGN_FORM, site=found.site_id)
        proof = prove(self.request, password=body["password"], code=body["code"])
        sign_sent_report(report=found, seen=body["seen"], by=by, proof=proof)
        return self.answer(found.case_id)


class Submissions(OfReport):
    policy = {"POST": SEES}

    @extend_schema(request=SendingBody, responses={201: CaseAnswer})
    def create(self, request: Request, report: uuid.UUID) -> Response:  # type: ignore[override]
        """Say that a report was sent to one recipient."""
        found, body = self.report(report), self.body(SendingBody)
        record_submission(report=found, sending=Sending(**body), by=self.request.user)
        return self.answer(found.case_id, status.HTTP_201_CREATED)


class Receipts(Cases):
    policy = {"POST": SEES}
    max_body_bytes = 15_000_000

    def receipt(self, pk: uuid.UUID) -> SaeReceipt:
        seen = SaeReceipt.objects.visible_to(self.request.user, Capability.VIEW_SAFETY)
        found: SaeReceipt = self.found(seen.select_related("case", "report"), pk=pk)
        return found

    @extend_schema(request=ReceivedBody, responses=CaseAnswer)
    def create(self, request: Request, receipt: uuid.UUID) -> Response:  # type: ignore[override]
        """Keep the receipt that one recipient gave."""
        found, body = self.receipt(receipt), self.body(ReceivedBody)
        record_receipt(
            receipt=found,
            received_at=body["received_at"],
            number=body["receipt_number"],
            file=_file(body) if body["content"] else None,
            by=self.request.user,
        )
        return self.answer(found.case_id)


class VoidReceipt(Receipts):
    @extend_schema(request=VoidBody, responses=CaseAnswer)
    def create(self, request: Request, receipt: uuid.UUID) -> Response:  # type: ignore[override]
        """Take back a sending that was entered by mistake; its clock runs again."""
        found = self.receipt(receipt)
        void_receipt(receipt=found, reason=self.body(VoidBody)["reason"], by=self.request.user)
        return self.answer(found.case_id)


class VoidAcknowledgement(Receipts):
    @extend_schema(request=VoidBody, responses=CaseAnswer)
    def create(self, request: Request, receipt: uuid.UUID) -> Response:  # type: ignore[override]
        """Take back a receipt that was entered by mistake; that it was sent stays."""
        found = self.receipt(receipt)
        reason = self.body(VoidBody)["reason"]
        void_acknowledgement(receipt=found, reason=reason, by=self.request.user)
        return self.answer(found.case_id)


routes: list[URLPattern] = [
    path("sae-cases/<uuid:case>/draft/", Draft.as_view(DETAIL)),
    path("sae-cases/<uuid:case>/reports/", Reports.as_view(ACT)),
    path("sae-cases/<uuid:case>/paper-reports/", PaperReports.as_view(ACT)),
    path("sae-reports/<uuid:report>/signature/", SentSignature.as_view(ACT)),
    path("sae-reports/<uuid:report>/submissions/", Submissions.as_view(ACT)),
    path("sae-receipts/<uuid:receipt>/received/", Receipts.as_view(ACT)),
    path("sae-receipts/<uuid:receipt>/received/void/", VoidAcknowledgement.as_view(ACT)),
    path("sae-receipts/<uuid:receipt>/void/", VoidReceipt.as_view(ACT)),
]
