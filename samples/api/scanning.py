"""A scanned code in the API: what it is, what is next, and the step done with it."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import (
    AliquotAnswer,
    SpecimenAnswer,
    said_aliquot,
    said_specimen,
)
from samples.api.bodies import HANDLES, SpinFacts, TimedBody, amount, facts_of, moment_of, of_body
from samples.api.storage_answers import BoxAnswer, said_box
from samples.models import Aliquot, AliquotState, Box, Shipment, Specimen, SpecimenState
from samples.selectors.codes import Named, find
from samples.services.aliquots import fresh
from samples.services.scanning import Setting, Step, scan
from trialsite.access.capabilities import Capability
from trialsite.casebook.api import SEES
from trialsite.casebook.models import Visit

_STEPS = [(each.value, each.label) for each in Step if each is not Step.FIND]


class NamedAnswer(serializers.Serializer[Any]):
    """What a code names: one of `specimen`, `aliquot`, `box`, `shipment`, and the next step."""

    code = serializers.CharField(help_text="As it is printed")
    names = serializers.ChoiceField(choices=["specimen", "aliquot", "box", "shipment"])
    next = serializers.ChoiceField(
        choices=_STEPS, allow_null=True, help_text="The usual step from here"
    )
    specimen = SpecimenAnswer(allow_null=True)
    aliquot = AliquotAnswer(allow_null=True)
    box = BoxAnswer(allow_null=True)
    shipment = serializers.CharField(allow_null=True, help_text="Its code")


class ScannedAnswer(NamedAnswer):
    """What came of a step: `done`, `already` (nothing changed) or `chosen` (a box)."""

    tone = serializers.ChoiceField(choices=["done", "already", "chosen"])
    headline = serializers.CharField()
    message = serializers.CharField(allow_blank=True)
    made = serializers.ListField(child=serializers.CharField(), help_text="Codes of aliquots")


class ScanBody(SpinFacts, TimedBody):
    code = serializers.CharField(max_length=60)
    step = serializers.ChoiceField(choices=_STEPS)
    visit = serializers.UUIDField(
        required=False,
        default=None,
        allow_null=True,
        help_text="A tube of another visit or participant is then refused",
    )
    box = serializers.UUIDField(required=False, default=None, allow_null=True)
    volume = amount()


_AFTER: dict[str, Step] = {
    SpecimenState.PREPARED: Step.COLLECT,
    SpecimenState.COLLECTED: Step.RECEIVE,
    SpecimenState.PROCESSED: Step.ALIQUOT,
    AliquotState.MADE: Step.FREEZE,
    AliquotState.HELD: Step.FREEZE,
    AliquotState.THAWED: Step.FREEZE,
}


def next_step(named: Named) -> Step | None:
    """The usual step of a sample in its state; None where nothing waits to be done with it."""
    if isinstance(named, Specimen):
        if named.voided_at is not None:
            return None
        if named.state == SpecimenState.RECEIVED:
            return Step.SPIN if named.matrix == "blood" else Step.ALIQUOT
    return _AFTER.get(named.state) if isinstance(named, Specimen | Aliquot) else None


def said_code(code: str, named: Named) -> dict[str, Any]:
    return {
        "code": code,
        "names": type(named).__name__.lower(),
        "next": next_step(named),
        "specimen": said_specimen(named) if isinstance(named, Specimen) else None,
        "aliquot": said_aliquot(named) if isinstance(named, Aliquot) else None,
        "box": said_box(named) if isinstance(named, Box) else None,
        "shipment": named.code if isinstance(named, Shipment) else None,
    }


class Scans(SampleEndpoint):
    policy = {"GET": SEES, "POST": HANDLES}
    parameters = frozenset({"code"})

    @extend_schema(parameters=[OpenApiParameter("code", str, required=True)], responses=NamedAnswer)
    def retrieve(self, request: Request) -> Response:
        """What a scanned or typed code names, and the step that is next."""
        by, text = self.request.user, self.request.GET.get("code", "")[:100]
        found = find(text, by)
        if found.named is None:
            with self.acting():
                scan(text=text, setting=Setting(step=Step.FIND), by=by)
            raise ValidationError({"code": []})
        return Response(said_code(found.text, found.named))

    @extend_schema(request=ScanBody, responses=ScannedAnswer)
    def create(self, request: Request) -> Response:
        """Do the step with what the code names; the same scan again changes nothing."""
        body, by = self.body(ScanBody), self.request.user
        with self.acting():
            answer = scan(text=body["code"], setting=self.setting(body), by=by)
        named: Any = answer.sample or answer.setting.box
        named = fresh(named) if isinstance(named, Aliquot) else named
        said = {
            "tone": answer.tone,
            "headline": answer.headline,
            "message": answer.message,
            "made": [each.code for each in answer.made],
        }
        return Response(said_code(named.code, self.whole(named)) | said)

    def setting(self, body: dict[str, Any]) -> Setting:
        by, capability = self.request.user, Capability.HANDLE_SAMPLES
        visits = Visit.objects.visible_to(by, capability)
        boxes = Box.objects.visible_to(by, capability)
        return Setting(
            step=Step(body["step"]),
            visit=of_body(visits, "visit", body["visit"], "subject__site", "site"),
            box=of_body(boxes, "box", body["box"], "site", "rack__freezer"),
            spun=facts_of({k: v for k, v in body.items() if k.startswith("centrifuge")}),
            volume=body["volume"],
            at=moment_of(body),
        )

    def whole(self, named: Named) -> Named:
        """The row as it stands after the step."""
        if isinstance(named, Specimen):
            kept = Specimen.objects.visible_to(self.request.user)
            return kept.select_related("site", "subject__site", "visit").get(pk=named.pk)
        return named


scan_routes: list[URLPattern] = [
    path("scan/", Scans.as_view({"get": "retrieve", "post": "create"})),
]
