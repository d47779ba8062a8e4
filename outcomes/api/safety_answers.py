"""What the API says of safety reporting, and what it is told."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from outcomes.models import (
    CRITERIA,
    Expedited,
    KnownBy,
    ReportKind,
    SaeCase,
    SaeReceipt,
    SaeReport,
    Standing,
    Suspected,
    To,
    Way,
)
from outcomes.sae_clock import lacking_of
from outcomes.selectors.sae_board import CaseLine, CaseState, Clock, ClockState
from trialsite.access.bodies import Body
from trialsite.access.signing import SigningBody
from trialsite.core.partial_dates import PartialDate


class ClockAnswer(serializers.Serializer[Any]):
    rule = serializers.CharField(help_text="Of the protocol’s safety_reporting")
    recipient = serializers.ChoiceField(choices=To.choices)
    counted_from = serializers.CharField(help_text="Whose awareness: investigator or sponsor")
    since = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    follow_up = serializers.BooleanField()
    answers_from = serializers.IntegerField(help_text="The first report number that answers it")
    provisional = serializers.BooleanField(
        help_text="Counted from the sending to the sponsor, until their receipt is entered"
    )
    state = serializers.ChoiceField(choices=[(each.value, each.value) for each in ClockState])
    kept_because = serializers.CharField(
        help_text="Why it was declined that this deadline ends or lies later; else empty"
    )
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
    by_recipient = serializers.BooleanField(help_text="The receipt was entered by the sponsor")
    evidence = serializers.UUIDField(
        allow_null=True, help_text="The document of the subject that was sent on paper"
    )


class ReportAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ReportKind.choices)
    content_hash = serializers.CharField()
    made_at = serializers.DateTimeField()
    signed_at = serializers.DateTimeField(
        allow_null=True, help_text="Empty: sent on paper, the signature is owed"
    )
    record_version = serializers.IntegerField()


class KnewAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    known_at = serializers.DateTimeField()
    source = serializers.ChoiceField(choices=KnownBy.choices)  # type: ignore[assignment]
    told = serializers.CharField()
    grave = serializers.BooleanField()
    suspected = serializers.BooleanField()


class WordAnswer(serializers.Serializer[Any]):
    term = serializers.CharField()
    reporter = serializers.CharField()
    suspected = serializers.ChoiceField(choices=Suspected.choices)
    aware_at = serializers.DateTimeField()


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
    narrative = serializers.CharField()
    standing = serializers.ChoiceField(choices=Standing.choices)
    standing_since = serializers.DateTimeField()
    standing_reason = serializers.CharField()
    agreed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the safety officer agreed to what is taken back"
    )
    agreed_reason = serializers.CharField()
    eases_since = serializers.DateTimeField(
        allow_null=True, help_text="A running deadline would end or lie later: waits to be agreed"
    )
    eases_reason = serializers.CharField()
    eased_at = serializers.DateTimeField(allow_null=True)
    eased_reason = serializers.CharField()
    version = serializers.IntegerField(help_text="For If-Match")
    closed_at = serializers.DateTimeField(allow_null=True)
    close_reason = serializers.CharField()
    clocks = ClockAnswer(many=True)
    reports = ReportAnswer(many=True)
    receipts = ReceiptAnswer(many=True)
    sponsor_awareness = KnewAnswer(many=True)
    further_words = WordAnswer(many=True)


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


class DescriptionBody(Body):
    reporter = serializers.CharField(max_length=200, allow_blank=True)
    suspected = serializers.ChoiceField(choices=Suspected.choices)
    narrative = serializers.CharField(max_length=20000, allow_blank=True)


class ConfirmationBody(Body):
    expedited = serializers.ChoiceField(choices=Expedited.choices)
    reason = serializers.CharField(max_length=500)


class AwarenessBody(Body):
    aware_at = serializers.RegexField(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", help_text="The clock at the site"
    )
    reason = serializers.CharField(max_length=500)


class DraftAnswer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=ReportKind.choices)
    number = serializers.IntegerField()
    content_hash = serializers.CharField(help_text="Send it back as `seen` when signing")
    content = serializers.DictField(help_text="The whole report: `facts`, `en`, `zh-hans`")


class SignBody(SigningBody):
    kind = serializers.ChoiceField(choices=ReportKind.choices)
    seen = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="`content_hash` of what was read")


class SignSentBody(SigningBody):
    seen = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="`content_hash` of the report")


class SendingBody(Body):
    recipient = serializers.ChoiceField(choices=To.choices)
    submitted_at = serializers.DateTimeField()
    way = serializers.ChoiceField(choices=Way.choices)


class CarriedBody(serializers.Serializer[Any]):
    grave = serializers.BooleanField(help_text="It calls the event fatal or life-threatening")
    suspected = serializers.BooleanField(help_text="It suspects the treatment")


class PaperBody(Body):
    recipients = serializers.ListField(
        child=serializers.ChoiceField(choices=To.choices), allow_empty=False, max_length=4
    )
    submitted_at = serializers.DateTimeField()
    way = serializers.ChoiceField(choices=Way.choices)
    filename = serializers.CharField(max_length=200)
    content = serializers.CharField(help_text="The paper that was sent, PDF or picture, base64")
    carried = CarriedBody(
        required=False,
        allow_null=True,
        default=None,
        help_text="What the paper says; needed where the case has changed since or was entered "
        "later",
    )


class ReceivedBody(Body):
    received_at = serializers.DateTimeField()
    receipt_number = serializers.CharField(
        max_length=100, required=False, allow_blank=True, default=""
    )
    filename = serializers.CharField(max_length=200, required=False, default="receipt")
    content = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        help_text="The receipt, PDF or picture, base64; the sponsor’s needs it unless the "
        "sponsor’s safety officer enters it",
    )


class KnewBody(Body):
    known_at = serializers.DateTimeField()
    source = serializers.ChoiceField(choices=KnownBy.choices)  # type: ignore[assignment]
    told = serializers.CharField(max_length=500, help_text="Who told whom what")
    grave = serializers.BooleanField(
        required=False, default=False, help_text="Known as fatal or life-threatening"
    )
    suspected = serializers.BooleanField(
        required=False, default=False, help_text="Known as suspected of the treatment"
    )


def said_clock(clock: Clock) -> dict[str, Any]:
    deadline = clock.deadline
    names = ("rule", "recipient", "counted_from", "since", "due_at", "follow_up")
    return {
        **{name: getattr(deadline, name) for name in names},
        "answers_from": deadline.answers_from,
        "provisional": clock.provisional,
        "state": clock.state.value,
        "kept_because": clock.kept_because,
        "submitted_at": clock.receipt.submitted_at if clock.receipt else None,
    }


def said_receipt(receipt: SaeReceipt) -> dict[str, Any]:
    names = (
        "recipient", "due_at", "submitted_at", "way", "received_at", "receipt_number",
        "by_recipient",
    )  # fmt: skip
    said = {name: getattr(receipt, name) for name in names}
    return {
        "id": receipt.pk,
        "report": receipt.report_id,
        "evidence": receipt.evidence_id,
        **said,
    }


def said_report(report: SaeReport) -> dict[str, Any]:
    names = ("number", "kind", "content_hash", "made_at", "signed_at", "record_version")
    return {"id": report.pk, **{name: getattr(report, name) for name in names}}


def said_knowledge(case: SaeCase) -> dict[str, Any]:
    """What is known beside the event's form."""
    knew = ("known_at", "source", "told", "grave", "suspected")
    word = ("term", "reporter", "suspected", "aware_at")
    return {
        "sponsor_awareness": [
            {"id": each.pk, **{name: getattr(each, name) for name in knew}}
            for each in case.sponsor_awareness.all()
        ],
        "further_words": [
            {name: getattr(each, name) for name in word} for each in case.further_words.all()
        ],
    }


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
        "narrative": case.narrative,
        "standing": case.standing,
        "standing_since": case.standing_since,
        "standing_reason": case.standing_reason,
        "agreed_at": case.agreed_at,
        "agreed_reason": case.agreed_reason,
        "eases_since": case.eases_since,
        "eases_reason": case.eases_reason,
        "eased_at": case.eased_at,
        "eased_reason": case.eased_reason,
        "version": case.version,
        "closed_at": case.closed_at,
        "close_reason": case.close_reason,
        "clocks": [said_clock(clock) for clock in line.clocks],
        "reports": [said_report(report) for report in line.reports],
        "receipts": [said_receipt(receipt) for receipt in line.receipts],
        **said_knowledge(case),
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
