"""What the API says of consent, and what it takes: the shapes of its schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from screening.models import (
    CapacityAssessment,
    Consent,
    ConsentDocument,
    Withdrawal,
)
from screening.models.consent import (
    OPTIONS,
    CapacityOutcome,
    ConsentKind,
    ConsentLanguage,
    ConsentPart,
    HeGrade,
    Scope,
    Signer,
)
from screening.selectors.consent import ApprovalState, Offered
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Role
from trialsite.casebook.answers import keys_of
from trialsite.casebook.models import RecordStatus

_WALL = "The clock on the wall at the site, such as 2026-03-05T14:30"


class PartAnswer(serializers.Serializer[Any]):
    """What consents, assessments and withdrawals all say."""

    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    record = serializers.UUIDField()
    status = serializers.ChoiceField(choices=RecordStatus.choices)
    version = serializers.IntegerField(help_text="Of the record; also the ETag")
    time_zone = serializers.CharField(help_text="IANA name")
    comment = serializers.CharField()
    recorded_by = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class ConsentAnswer(PartAnswer):
    kind = serializers.ChoiceField(choices=ConsentKind.choices)
    document_version = serializers.CharField()
    document_language = serializers.ChoiceField(choices=ConsentLanguage.choices)
    signed_at = serializers.CharField(help_text=_WALL)
    signer = serializers.ChoiceField(choices=Signer.choices)
    relation = serializers.CharField()
    explained_by = serializers.CharField()
    explained_role = serializers.ChoiceField(choices=Role.choices)
    witness = serializers.CharField()
    named_representative = serializers.CharField()
    copy_given = serializers.BooleanField()
    future_use = serializers.BooleanField(allow_null=True)
    genetic_analysis = serializers.BooleanField(allow_null=True)
    later_contact = serializers.BooleanField(allow_null=True)
    data_sharing = serializers.BooleanField(allow_null=True)
    resumes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))


class CapacityAnswer(PartAnswer):
    assessed_at = serializers.CharField(help_text=_WALL)
    assessor = serializers.CharField()
    he_grade = serializers.ChoiceField(choices=HeGrade.choices)
    outcome = serializers.ChoiceField(choices=CapacityOutcome.choices)
    method = serializers.CharField()


class WithdrawalAnswer(PartAnswer):
    withdrawn_at = serializers.CharField(help_text=_WALL)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    stated_by = serializers.ChoiceField(choices=Signer.choices)
    relation = serializers.CharField()
    reason = serializers.CharField()


class DocumentAnswer(serializers.Serializer[Any]):
    version = serializers.CharField()
    language = serializers.ChoiceField(choices=ConsentLanguage.choices)
    title = serializers.CharField()
    change_note = serializers.CharField()
    reconsent_required = serializers.BooleanField()


class ConsentApprovalAnswer(serializers.Serializer[Any]):
    SITEID = serializers.CharField()
    document_version = serializers.CharField()
    document_language = serializers.ChoiceField(choices=ConsentLanguage.choices)
    committee = serializers.CharField()
    reference = serializers.CharField()
    approved_on = serializers.DateField()
    effective_on = serializers.DateField()
    withdrawn_on = serializers.DateField(allow_null=True)
    withdrawal_reason = serializers.CharField()
    state = serializers.ChoiceField(choices=ApprovalState.choices, help_text="Today at the site")


class OfSubject(Body):
    subject = serializers.UUIDField()
    comment = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)


class NewConsent(Body):
    subject = serializers.UUIDField(required=False, help_text="Or else `entry`")
    entry = serializers.UUIDField(
        required=False, help_text="Entry of the screening log; the subject appears with it"
    )
    kind = serializers.ChoiceField(choices=ConsentKind.choices)
    document_version = serializers.CharField(max_length=40)
    document_language = serializers.ChoiceField(choices=ConsentLanguage.choices)
    signed_at = serializers.CharField(max_length=30, help_text=_WALL)
    signer = serializers.ChoiceField(choices=Signer.choices)
    relation = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    explained_by = serializers.EmailField(help_text="An investigator's account")
    witness = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    named_representative = serializers.CharField(
        max_length=100, required=False, default="", allow_blank=True
    )
    copy_given = serializers.BooleanField(required=False, default=False)
    future_use = serializers.BooleanField(required=False, default=None, allow_null=True)
    genetic_analysis = serializers.BooleanField(required=False, default=None, allow_null=True)
    later_contact = serializers.BooleanField(required=False, default=None, allow_null=True)
    data_sharing = serializers.BooleanField(required=False, default=None, allow_null=True)
    resumes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), required=False, default=list
    )
    comment = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)


class MissingBody(Body):
    copy_given = serializers.BooleanField(required=False, default=False)
    future_use = serializers.BooleanField(required=False, default=None, allow_null=True)
    genetic_analysis = serializers.BooleanField(required=False, default=None, allow_null=True)
    later_contact = serializers.BooleanField(required=False, default=None, allow_null=True)
    data_sharing = serializers.BooleanField(required=False, default=None, allow_null=True)


class NewCapacity(OfSubject):
    assessed_at = serializers.CharField(max_length=30, help_text=_WALL)
    assessor = serializers.EmailField(help_text="An investigator's account")
    he_grade = serializers.ChoiceField(choices=HeGrade.choices)
    outcome = serializers.ChoiceField(choices=CapacityOutcome.choices)
    method = serializers.CharField(max_length=200)


class NewWithdrawal(OfSubject):
    withdrawn_at = serializers.CharField(max_length=30, help_text=_WALL)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False
    )
    stated_by = serializers.ChoiceField(choices=Signer.choices)
    relation = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    reason = serializers.CharField(max_length=1000, required=False, default="", allow_blank=True)


class NewDocument(Body):
    version = serializers.CharField(max_length=40)
    language = serializers.ChoiceField(choices=ConsentLanguage.choices)
    title = serializers.CharField(max_length=200)
    change_note = serializers.CharField(
        max_length=1000, required=False, default="", allow_blank=True
    )
    reconsent_required = serializers.BooleanField()
    reference = serializers.CharField(max_length=200, help_text="Where it is filed")


class OfDocument(Body):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    document_version = serializers.CharField(max_length=40)
    document_language = serializers.ChoiceField(choices=ConsentLanguage.choices)


class NewApproval(OfDocument):
    committee = serializers.CharField(max_length=200)
    reference = serializers.CharField(max_length=100)
    approved_on = serializers.DateField()
    effective_on = serializers.DateField()


class ApprovalWithdrawn(OfDocument):
    on = serializers.DateField()
    reason = serializers.CharField(max_length=500)


def _said_part(part: ConsentPart) -> dict[str, Any]:
    record = part.record
    return {
        "id": part.pk,
        **keys_of(part.subject),
        "subject": part.subject_id,
        "record": record.pk,
        "status": record.status,
        "version": record.version,
        "time_zone": part.time_zone,
        "comment": part.comment,
        "recorded_by": part.recorded_by.full_name,
        "recorded_at": part.recorded_at,
        "voided_at": record.voided_at,
        "void_reason": record.void_reason,
    }


def said_consent(consent: Consent) -> dict[str, Any]:
    return {
        **_said_part(consent),
        "kind": consent.kind,
        "document_version": consent.document.version,
        "document_language": consent.document.language,
        "signed_at": consent.wall.isoformat(timespec="minutes"),
        "signer": consent.signer,
        "relation": consent.relation,
        "explained_by": consent.explained_by.full_name,
        "explained_role": consent.explained_role,
        "witness": consent.witness,
        "named_representative": consent.named_representative,
        "copy_given": consent.copy_given,
        **{name: getattr(consent, name) for name in OPTIONS},
        "resumes": consent.resumes,
    }


def said_capacity(assessment: CapacityAssessment) -> dict[str, Any]:
    return {
        **_said_part(assessment),
        "assessed_at": assessment.wall.isoformat(timespec="minutes"),
        "assessor": assessment.assessor.full_name,
        "he_grade": assessment.he_grade,
        "outcome": assessment.outcome,
        "method": assessment.method,
    }


def said_withdrawal(withdrawal: Withdrawal) -> dict[str, Any]:
    return {
        **_said_part(withdrawal),
        "withdrawn_at": withdrawal.wall.isoformat(timespec="minutes"),
        "scopes": withdrawal.scopes,
        "stated_by": withdrawal.stated_by,
        "relation": withdrawal.relation,
        "reason": withdrawal.reason,
    }


def said_document(document: ConsentDocument) -> dict[str, Any]:
    fields = ("version", "language", "title", "change_note", "reconsent_required")
    return {name: getattr(document, name) for name in fields}


def said_approval(offered: Offered) -> dict[str, Any]:
    approval = offered.approval
    fields = (
        "committee",
        "reference",
        "approved_on",
        "effective_on",
        "withdrawn_on",
        "withdrawal_reason",
    )
    return {
        "SITEID": approval.site.code,
        "document_version": approval.document.version,
        "document_language": approval.document.language,
        **{name: getattr(approval, name) for name in fields},
        "state": offered.state,
    }
