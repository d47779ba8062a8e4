"""Specimens in the API: labelled, collected, processed, described, ended."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import SpecimenAnswer, said_specimen
from samples.api.bodies import (
    HANDLES,
    FactsBody,
    SampleEndBody,
    SpinFacts,
    TimedBody,
    TimedReasonBody,
    UnsaidBody,
    facts_of,
    moment_of,
    of_body,
    text,
    witness_of,
)
from samples.models import CustodyKind, Specimen, SpecimenState
from samples.services.specimen_ends import end_specimen, find_specimen, void_specimen
from samples.services.specimens import (
    centrifuge_specimen,
    collect_specimen,
    describe_specimen,
    prepare_specimens,
    receive_specimen,
)
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter
from trialsite.access.rest import PreconditionFailed, etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, SEES
from trialsite.casebook.models import Visit
from visits.models import TreatmentSession

_NAMED = ("site", "subject__site", "visit")


class PrepareBody(Body):
    visit = serializers.UUIDField()
    kind = serializers.CharField(max_length=20, help_text="Of the protocol's sample plan")
    count = serializers.IntegerField(min_value=1, max_value=50, default=1)
    session = serializers.UUIDField(required=False, default=None, allow_null=True)
    extra_reason = text(300, "Needed where the protocol plans fewer")


class CollectBody(FactsBody, TimedBody):
    pass


class SpinBody(SpinFacts, TimedBody):
    pass


class DescribeBody(FactsBody, SpinFacts, UnsaidBody, VoidBody):
    pass


class SpecimenRows(SampleEndpoint):
    """Base of the endpoints of specimens."""

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = Specimen.objects.visible_to(self.request.user, capability)
        return seen.select_related(*_NAMED).order_by("code")

    def answer(self, specimen: uuid.UUID) -> Response:
        found: Specimen = self.found(self.rows(), pk=specimen)
        return Response(said_specimen(found), headers={"ETag": etag(found.version)})


class Specimens(SpecimenRows):
    policy = {"GET": SEES, "POST": HANDLES}
    serializer_class = SpecimenAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject", uuid.UUID),
        "visit": Filter("visit", uuid.UUID),
        "session": Filter("session", uuid.UUID),
        "kind": Filter("kind"),
        "state": Filter("state", choices=tuple(SpecimenState.values)),
        "code": Filter("code"),
    }

    def list(self, request: Request) -> Response:
        """Standing specimens; voided ones are found by their id."""
        return self.page(self.rows().filter(voided_at=None), said_specimen)

    def retrieve(self, request: Request, specimen: uuid.UUID) -> Response:
        return self.answer(specimen)

    @extend_schema(request=PrepareBody, responses={201: SpecimenAnswer(many=True)})
    def create(self, request: Request) -> Response:
        """Give numbers to tubes that are about to be collected, so that labels are printed."""
        body, by = self.body(PrepareBody), self.request.user
        visits = Visit.objects.visible_to(by, Capability.HANDLE_SAMPLES)
        visit = of_body(visits, "visit", body["visit"], "subject__site", "site")
        sessions = TreatmentSession.objects.visible_to(by, Capability.HANDLE_SAMPLES)
        assert visit is not None
        with self.acting():
            made = prepare_specimens(
                visit=visit,
                kind=body["kind"],
                count=body["count"],
                session=of_body(sessions, "session", body["session"]),
                extra_reason=body["extra_reason"],
                by=by,
            )
        rows = self.rows().filter(pk__in=[each.pk for each in made])
        return Response([said_specimen(each) for each in rows], status.HTTP_201_CREATED)


class SpecimenAct(SpecimenRows):
    """Base of the acts on one specimen; the same act again changes nothing."""

    policy = {"POST": HANDLES}

    def one(self, specimen: uuid.UUID) -> Specimen:
        found: Specimen = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=specimen)
        return found

    def done(self, specimen: Specimen, act: Callable[..., object], **said: Any) -> Response:
        with self.acting():
            act(specimen=specimen, by=self.request.user, **said)
        return self.answer(specimen.pk)


class Collected(SpecimenAct):
    @extend_schema(request=CollectBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """The tube was filled; refused without consent, after a withdrawal, after death."""
        found, body = self.one(specimen), self.body(CollectBody)
        return self.done(found, collect_specimen, at=moment_of(body), facts=facts_of(body))


class Received(SpecimenAct):
    @extend_schema(request=TimedBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """The laboratory has the tube."""
        found, body = self.one(specimen), self.body(TimedBody)
        return self.done(found, receive_specimen, at=moment_of(body))


class Spun(SpecimenAct):
    @extend_schema(request=SpinBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """The tube was centrifuged."""
        found, body = self.one(specimen), self.body(SpinBody)
        return self.done(found, centrifuge_specimen, at=moment_of(body), facts=facts_of(body))


class Described(SpecimenAct):
    matches = True

    @extend_schema(request=DescribeBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """Add or correct what is said of a collected specimen, with the reason."""
        found, version = self.one(specimen), expected_version(request)
        body = self.body(DescribeBody)
        said = {"facts": facts_of(body), "reason": body["reason"], "base_version": version}
        return self.done(found, describe_specimen, **said)


class Ended(SpecimenAct):
    @extend_schema(request=SampleEndBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """The specimen was discarded, destroyed or lost before it was aliquoted."""
        found, body = self.one(specimen), self.body(SampleEndBody)
        said = {
            "kind": CustodyKind(body["kind"]),
            "reason": body["reason"],
            "witness": witness_of(body["witness"], found.site),
        }
        return self.done(found, end_specimen, at=moment_of(body), **said)


class SpecimenFound(SpecimenAct):
    @extend_schema(request=TimedReasonBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """A lost one was found again; it is as far as it was when it was lost."""
        found, body = self.one(specimen), self.body(TimedReasonBody)
        return self.done(found, find_specimen, at=moment_of(body), reason=body["reason"])


class Voided(SpecimenAct):
    matches = True

    @extend_schema(request=VoidBody, responses=SpecimenAnswer)
    def create(self, request: Request, specimen: uuid.UUID) -> Response:
        """Take out a specimen that was never so; it keeps its number."""
        found, version = self.one(specimen), expected_version(request)
        if found.version != version:
            raise PreconditionFailed(_("Somebody else changed this specimen. Read it again."))
        return self.done(found, void_specimen, reason=self.body(VoidBody)["reason"])


specimen_routes: list[URLPattern] = [
    path("samples/", Specimens.as_view({"get": "list", "post": "create"})),
    path("samples/<uuid:specimen>/", Specimens.as_view(DETAIL)),
    path("samples/<uuid:specimen>/collect/", Collected.as_view(ACT)),
    path("samples/<uuid:specimen>/receive/", Received.as_view(ACT)),
    path("samples/<uuid:specimen>/centrifuge/", Spun.as_view(ACT)),
    path("samples/<uuid:specimen>/describe/", Described.as_view(ACT)),
    path("samples/<uuid:specimen>/end/", Ended.as_view(ACT)),
    path("samples/<uuid:specimen>/found/", SpecimenFound.as_view(ACT)),
    path("samples/<uuid:specimen>/void/", Voided.as_view(ACT)),
]
