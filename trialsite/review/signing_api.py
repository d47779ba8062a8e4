"""Signatures and confirmed assumptions in the API."""

from __future__ import annotations

import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.access.signing import SigningBody, prove
from trialsite.casebook.api import ACT, DETAIL, LIST, SEES
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.protocol import Assumption
from trialsite.review.assumptions import (
    confirm_assumptions,
    confirmations_of,
    revoke_confirmation,
)
from trialsite.review.models import ConfirmedAssumption, Sense, Signature
from trialsite.review.signatures import RECORD, content_of, stands

CONFIGURES = Policy(Audience.STAFF, Capability.CONFIGURE_STUDY)


class SignatureAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField(allow_null=True, help_text="Empty: the whole study")
    subject = serializers.UUIDField(allow_null=True)
    record = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField()
    target = serializers.UUIDField(help_text="What is signed")
    printed_name = serializers.CharField()
    role = serializers.CharField()
    sense = serializers.ChoiceField(choices=Sense.choices)
    meaning = serializers.CharField(help_text="The words that were read when signing")
    signed_at = serializers.DateTimeField(help_text="The server's clock, UTC")
    local = serializers.CharField(help_text="Study time on the clock of the site")
    time_zone = serializers.CharField(help_text="IANA name")
    seal = serializers.CharField(help_text="SHA-256 of what was signed")
    stands = serializers.BooleanField(
        allow_null=True, help_text="Records only: whether the record is still as it was signed"
    )
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class AssumptionAnswer(serializers.Serializer[Any]):
    path = serializers.CharField()
    section = serializers.CharField()
    name = serializers.CharField()
    name_zh = serializers.CharField()
    value = serializers.CharField()
    confirmed = serializers.BooleanField()
    confirmation = serializers.UUIDField(allow_null=True)
    signature = SignatureAnswer(allow_null=True)


class AssumptionsAnswer(serializers.Serializer[Any]):
    version = serializers.CharField()
    content_hash = serializers.CharField()
    open = serializers.IntegerField(help_text="How many nobody has confirmed")
    assumptions = AssumptionAnswer(many=True)


class ConfirmBody(SigningBody):
    version = serializers.CharField(max_length=20)
    values = serializers.DictField(
        child=serializers.CharField(max_length=2000, allow_blank=True),
        allow_empty=False,
        help_text="Path -> the value that was read",
    )


class RevokeBody(SigningBody):
    confirmation = serializers.UUIDField()
    reason = serializers.CharField(max_length=500)


def said_signature(signature: Signature) -> dict[str, Any]:
    """A signature as it is shown: name, both times, meaning (21 CFR 11.50)."""
    fields = ("kind", "target", "printed_name", "role", "sense", "meaning", "signed_at",
              "time_zone", "seal", "voided_at", "void_reason")  # fmt: skip
    local = signature.trial_at.astimezone(ZoneInfo(signature.time_zone)).replace(microsecond=0)
    return {
        "id": signature.pk,
        "SITEID": signature.site.code if signature.site else None,
        "subject": signature.subject_id,
        "record": signature.record_id,
        **{name: getattr(signature, name) for name in fields},
        "local": local.isoformat(),
        "stands": _stands(signature),
    }


def _stands(signature: Signature) -> bool | None:
    if signature.record is None or signature.kind != RECORD:
        return None
    return stands(signature, content_of(signature.record))


class Signatures(Endpoint):
    policy = {"GET": SEES}
    serializer_class = SignatureAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("record_id", uuid.UUID),
        "kind": Filter("kind"),
        "target": Filter("target", uuid.UUID),
    }

    def rows(self) -> Any:
        seen = Signature.objects.visible_to(self.request.user)
        return seen.select_related("site", "record").order_by("signed_at", "pk")

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_signature)

    def retrieve(self, request: Request, signature: uuid.UUID) -> Response:
        return Response(said_signature(self.found(self.rows(), pk=signature)))


class Assumptions(Endpoint):
    """What the protocol file only assumes, and what the study has made its own."""

    policy = {"GET": SEES, "POST": CONFIGURES}
    serializer_class = AssumptionsAnswer
    parameters = frozenset({"version"})

    @extend_schema(
        parameters=[OpenApiParameter("version", str, description="Default: the one in force")]
    )
    def retrieve(self, request: Request) -> Response:
        """The assumptions of a protocol version, open and confirmed."""
        asked = request.query_params.get("version")
        versions = ProtocolVersion.objects.all()
        version = current_version() if asked is None else self.found(versions, version=asked)
        return Response(said_assumptions(version))

    @extend_schema(request=ConfirmBody, responses={201: AssumptionsAnswer})
    def create(self, request: Request) -> Response:
        """Confirm values of a version by one signing; all of them or none."""
        self.request.user.require_study_wide(Capability.CONFIGURE_STUDY)
        body = self.body(ConfirmBody)
        version = ProtocolVersion.objects.filter(version=body["version"]).first()
        if version is None:
            raise ValidationError({"version": [_("There is no such version.")]})
        confirm_assumptions(
            version=version,
            paths=body["values"],
            seen=body["values"],
            by=self.request.user,
            proof=prove(self.request, password=body["password"], code=body["code"]),
        )
        return Response(said_assumptions(version), status.HTTP_201_CREATED)


class Revocations(Assumptions):
    policy = {"POST": CONFIGURES}
    parameters = frozenset()

    @extend_schema(request=RevokeBody, responses={201: AssumptionsAnswer})
    def create(self, request: Request) -> Response:
        """Turn a confirmed value back into an assumption, by signature and with reason."""
        self.request.user.require_study_wide(Capability.CONFIGURE_STUDY)
        body = self.body(RevokeBody)
        rows = ConfirmedAssumption.objects.select_related("version")
        confirmation = rows.filter(pk=body["confirmation"]).first()
        if confirmation is None:
            raise ValidationError({"confirmation": [_("There is no such confirmation.")]})
        revoke_confirmation(
            confirmation=confirmation,
            reason=body["reason"],
            by=self.request.user,
            proof=prove(self.request, password=body["password"], code=body["code"]),
        )
        return Response(said_assumptions(confirmation.version), status.HTTP_201_CREATED)


def said_assumptions(version: ProtocolVersion) -> dict[str, Any]:
    confirmed = {each.path: each for each in confirmations_of(version.pk)}
    found = protocol_of(version.pk).assumptions()
    return {
        "version": version.version,
        "content_hash": version.content_hash,
        "open": sum(each.path not in confirmed for each in found),
        "assumptions": [_said(each, confirmed.get(each.path)) for each in found],
    }


def _said(assumption: Assumption, confirmed: ConfirmedAssumption | None) -> dict[str, Any]:
    return {
        "path": assumption.path,
        "section": assumption.section,
        "name": assumption.label.en,
        "name_zh": assumption.label.zh,
        "value": assumption.value,
        "confirmed": confirmed is not None,
        "confirmation": confirmed.pk if confirmed else None,
        "signature": said_signature(confirmed.signature) if confirmed else None,
    }


routes: list[URLPattern] = [
    path("signatures/", Signatures.as_view(LIST)),
    path("signatures/<uuid:signature>/", Signatures.as_view(DETAIL)),
    path("assumptions/", Assumptions.as_view({"get": "retrieve", "post": "create"})),
    path("assumptions/revocations/", Revocations.as_view(ACT)),
]
