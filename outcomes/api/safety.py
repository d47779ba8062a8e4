"""Safety reporting in the API: the board, a case, the first word, sending and receipts."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.models import (
    CRITERIA,
    Expedited,
    ReportKind,
    SaeReceipt,
    SaeReport,
    Suspected,
    To,
    Way,
)
from outcomes.sae_clock import lacking_of
from outcomes.selectors.sae_board import (
    CaseLine,
    CaseState,
    Clock,
    ClockState,
    case_lines,
    cases_seen,
)
from outcomes.services.sae_cases import correct_awareness
from outcomes.services.sae_entry import FirstWord, SameEventError, report_event
from outcomes.services.sae_reports import Sending, record_receipt, record_submission, void_receipt
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate
from visits.models import Complication

SEES = Policy(Audience.STAFF, Capability.VIEW_SAFETY)
REPORTS = Policy(Audience.STAFF, Capability.REPORT_SAE)


class ClockAnswer(serializers.Serializer[Any]):
    rule = serializers.CharField(help_text="Of the protocol’s safety_reporting")
    recipient = serializers.ChoiceField(choices=To.choices)
    counted_from = serializers.CharField(help_text="Whose awareness: investigator or sponsor")
    since = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    follow_up = serializers.BooleanField()
    state = serializers.ChoiceField(choices=[(each.value, each.value) for each in ClockState])
    submitted_at = serializers.DateTimeField(allow_null=True)


class ReceiptAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    report = serializers.UUIDField()
    recipient = serializers.ChoiceField(choices=To.choices)
    due_at = serializers.DateTimeField(allow_null=True)
    submitted_at = serializers.DateTimeField()
    way = serializers.ChoiceField(choices=Way.choices)
    received_at = serializers.DateTimeField(allow_null=True)
    receipt_number = serializers.CharField()


class ReportAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ReportKind.choices)
    content_hash = serializers.CharField()
    signed_at = serializers.DateTimeField()
    record_version = serializers.IntegerField()


class CaseAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    case = serializers.CharField(help_text="Number of the case")
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    record = serializers.UUIDField(help_text="The adverse event’s record")
    term = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=CaseState.choices)
    aware_at = serializers.DateTimeField()
    aware_said = serializers.BooleanField(help_text="False: counted from the entry")
    reporter = serializers.CharField()
    suspected = serializers.ChoiceField(choices=Suspected.choices)
    computed = serializers.ChoiceField(choices=Expedited.choices, allow_null=True)
    confirmed = serializers.ChoiceField(choices=Expedited.choices, allow_null=True)
    lacking = serializers.ListField(child=serializers.CharField())
    closed_at = serializers.DateTimeField(allow_null=True)
    close_reason = serializers.CharField()
    clocks = ClockAnswer(many=True)
    reports = ReportAnswer(many=True)
    receipts = ReceiptAnswer(many=True)


class FirstWordBody(Body):
    subject = serializers.UUIDField()
    term = serializers.CharField(max_length=200)
    reporter = serializers.CharField(max_length=200)
    suspected = serializers.ChoiceField(choices=Suspected.choices)
    criterion = serializers.ChoiceField(choices=[(name, name) for name in CRITERIA])
    aware_at = serializers.RegexField(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", help_text="The clock at the site"
    )
    started_on = serializers.RegexField(
        r"^\d{4}(-\d\d(-\d\d)?)?$", required=False, allow_null=True, default=None
    )
    started_time = serializers.TimeField(required=False, allow_null=True, default=None)
    complication = serializers.UUIDField(required=False, allow_null=True, default=None)
    another = serializers.BooleanField(
        required=False, default=False, help_text="It is not the same as an event already there"
    )


class AwarenessBody(Body):
    aware_at = serializers.RegexField(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", help_text="The clock at the site"
    )
    reason = serializers.CharField(max_length=500)


class SendingBody(Body):
    recipient = serializers.ChoiceField(choices=To.choices)
    submitted_at = serializers.DateTimeField()
    way = serializers.ChoiceField(choices=Way.choices)


class ReceivedBody(Body):
    received_at = serializers.DateTimeField()
    receipt_number = serializers.CharField(
        max_length=100, required=False, allow_blank=True, default=""
    )


def said_clock(clock: Clock) -> dict[str, Any]:
    deadline = clock.deadline
    names = ("rule", "recipient", "counted_from", "since", "due_at", "follow_up")
    return {
        **{name: getattr(deadline, name) for name in names},
        "state": clock.state.value,
        "submitted_at": clock.receipt.submitted_at if clock.receipt else None,
    }


def said_receipt(receipt: SaeReceipt) -> dict[str, Any]:
    names = (
        "recipient", "due_at", "submitted_at", "way", "received_at", "receipt_number",
    )  # fmt: skip
    said = {name: getattr(receipt, name) for name in names}
    return {"id": receipt.pk, "report": receipt.report_id, **said}


def said_report(report: SaeReport) -> dict[str, Any]:
    names = ("number", "kind", "content_hash", "signed_at", "record_version")
    return {"id": report.pk, **{name: getattr(report, name) for name in names}}


def said_case(line: CaseLine) -> dict[str, Any]:
    case = line.case
    return {
        "id": case.pk,
        "case": line.number,
        "SITEID": case.site.code,
        "SCRNID": case.subject.screening_number,
        "SUBJID": case.subject.number,
        "subject": case.subject_id,
        "record": case.record_id,
        "term": line.event.term,
        "state": line.state.value,
        "aware_at": case.aware_at,
        "aware_said": case.aware_said,
        "reporter": case.reporter,
        "suspected": case.suspected,
        "computed": line.expedited,
        "confirmed": case.expedited or None,
        "lacking": lacking_of(line.event, case),
        "closed_at": case.closed_at,
        "close_reason": case.close_reason,
        "clocks": [said_clock(clock) for clock in line.clocks],
        "reports": [said_report(report) for report in line.reports],
        "receipts": [said_receipt(receipt) for receipt in line.receipts],
    }


def wall_of(body: dict[str, Any], name: str) -> Any:
    """The clock at the site as it was written; what no calendar has is refused at its name."""
    field = serializers.DateTimeField(input_formats=["%Y-%m-%dT%H:%M"])
    return field.run_validation(body[name]).replace(tzinfo=None)


def day_of(body: dict[str, Any]) -> PartialDate | None:
    if body["started_on"] is None:
        return None
    try:
        return PartialDate.parse(body["started_on"])
    except ValueError as error:
        raise ValidationError({"started_on": [_("This is no date of the calendar.")]}) from error


class Cases(Endpoint):
    policy = {"GET": SEES, "POST": REPORTS}
    serializer_class = CaseAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("record_id", uuid.UUID),
    }

    def rows(self) -> Any:
        return cases_seen(self.request.user).order_by("aware_at", "pk")

    def list(self, request: Request) -> Response:
        """The cases of serious adverse events with their clocks, reports and receipts."""
        chosen = self.paginate_queryset(self.narrow(self.rows())) or []
        lines = case_lines(chosen, trial_now())
        return self.get_paginated_response([said_case(line) for line in lines])

    def retrieve(self, request: Request, case: uuid.UUID) -> Response:
        return self.answer(case)

    def answer(self, pk: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=pk)
        return Response(said_case(case_lines([found], trial_now())[0]), code)

    @extend_schema(request=FirstWordBody, responses={201: CaseAnswer})
    def create(self, request: Request) -> Response:
        """Report a serious adverse event with the least that makes a report."""
        body = self.body(FirstWordBody)
        subject = self._mine(Subject, "subject", body)
        complication = self._mine(Complication, "complication", body)
        if complication is not None and complication.subject_id != subject.pk:
            raise ValidationError({"complication": [_("It is another participant’s.")]})
        word = FirstWord(
            term=body["term"],
            reporter=body["reporter"],
            suspected=body["suspected"],
            criterion=body["criterion"],
            aware_at=wall_of(body, "aware_at"),
            started_on=day_of(body),
            started_time=body["started_time"],
        )
        try:
            made = report_event(
                subject=subject,
                word=word,
                by=self.request.user,
                complication=complication,
                another=body["another"],
            )
        except SameEventError as asked:
            raise ValidationError({"another": [str(asked)]}) from asked
        return self.answer(made.pk, status.HTTP_201_CREATED)

    def _mine(self, model: Any, name: str, body: dict[str, Any]) -> Any:
        if body[name] is None:
            return None
        rows = model.objects.visible_to(self.request.user, Capability.REPORT_SAE)
        if (row := rows.filter(pk=body[name]).first()) is None:
            raise ValidationError({name: [_("There is no such row for you.")]})
        return row


class CaseAwareness(Cases):
    policy = {"POST": REPORTS}

    @extend_schema(request=AwarenessBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Correct when the site first knew; the deadlines that stood are kept."""
        found, body = self.found(self.rows(), pk=case), self.body(AwarenessBody)
        correct_awareness(
            case=found,
            aware_at=wall_of(body, "aware_at"),
            reason=body["reason"],
            by=self.request.user,
        )
        return self.answer(case)


class Submissions(Cases):
    policy = {"POST": SEES}

    @extend_schema(request=SendingBody, responses={201: CaseAnswer})
    def create(self, request: Request, report: uuid.UUID) -> Response:  # type: ignore[override]
        """Say that a signed report was sent to one recipient."""
        seen = SaeReport.objects.visible_to(self.request.user, Capability.VIEW_SAFETY)
        found = self.found(seen.select_related("case"), pk=report)
        body = self.body(SendingBody)
        record_submission(report=found, sending=Sending(**body), by=self.request.user)
        return self.answer(found.case_id, status.HTTP_201_CREATED)


class Receipts(Cases):
    policy = {"POST": SEES}

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


routes: list[URLPattern] = [
    path("sae-cases/", Cases.as_view({"get": "list", "post": "create"})),
    path("sae-cases/<uuid:case>/", Cases.as_view(DETAIL)),
    path("sae-cases/<uuid:case>/awareness/", CaseAwareness.as_view(ACT)),
    path("sae-reports/<uuid:report>/submissions/", Submissions.as_view(ACT)),
    path("sae-receipts/<uuid:receipt>/received/", Receipts.as_view(ACT)),
    path("sae-receipts/<uuid:receipt>/void/", VoidReceipt.as_view(ACT)),
]
