"""What visits lack of samples, in the API: missing, not collected and why, not yet frozen."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import (
    FreezingAnswer,
    MissingAnswer,
    NotCollectedAnswer,
    said_freezing,
    said_missing,
    said_not_collected,
)
from samples.api.bodies import HANDLES, of_body, text
from samples.models import NotCollected, WhyNot
from samples.selectors.plan import missing_samples
from samples.selectors.waiting import to_freeze
from samples.services.expectations import state_not_collected, take_back_statement
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter, Pages
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, LIST, SEES
from trialsite.casebook.models import Visit
from trialsite.casebook.selectors import sites_of
from trialsite.core.clock import trial_now

#: The oldest come first; whoever has more than these to explain begins with them.
_MOST = 10_000
_SITE = OpenApiParameter("site", str, description="SITEID; else all sites you may see.")


class NewStatementBody(Body):
    visit = serializers.UUIDField()
    kind = serializers.CharField(max_length=20, help_text="Of the protocol's sample plan")
    reason = serializers.ChoiceField(choices=WhyNot.choices)
    comment = text(500, "Needed where the reason is another")


class OfSites(Endpoint):
    """Base of the lists that are computed over sites."""

    policy = {"GET": SEES}
    parameters = frozenset({"site", *Pages.parameters})

    def sites(self) -> list[int]:
        seen, code = sites_of(self.request.user), self.request.GET.get("site")
        if code is not None:
            seen = seen.filter(code=code[:10])
        return list(seen.values_list("pk", flat=True))

    def answer(self, lines: Any, said: Any) -> Response:
        chosen = self.paginate_queryset(lines) or []
        return self.get_paginated_response([said(each) for each in chosen])


class Reconciliation(OfSites):
    serializer_class = MissingAnswer

    @extend_schema(parameters=[_SITE])
    def list(self, request: Request) -> Response:
        """Planned samples of attended visits that were not collected, without a reason; the
        oldest visit first."""
        return self.answer(missing_samples(self.sites(), limit=_MOST), said_missing)


class Freezings(OfSites):
    serializer_class = FreezingAnswer

    @extend_schema(parameters=[_SITE])
    def list(self, request: Request) -> Response:
        """Specimens on their way to the freezer, with the minutes that are left."""
        own = set(self.sites())
        lines = to_freeze(self.request.user, now=trial_now(), limit=_MOST)
        return self.answer([each for each in lines if each.specimen.site_id in own], said_freezing)


class Statements(SampleEndpoint):
    policy = {"GET": SEES, "POST": HANDLES}
    serializer_class = NotCollectedAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject", uuid.UUID),
        "visit": Filter("visit", uuid.UUID),
        "kind": Filter("kind"),
        "reason": Filter("reason", choices=tuple(WhyNot.values)),
    }

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = NotCollected.objects.visible_to(self.request.user, capability)
        named = seen.select_related("site", "subject", "stated_by")
        return named.order_by("stated_at", "pk")

    def list(self, request: Request) -> Response:
        """Standing statements that a planned specimen was not collected."""
        return self.page(self.rows().filter(voided_at=None), said_not_collected)

    @extend_schema(request=NewStatementBody, responses={201: NotCollectedAnswer})
    def create(self, request: Request) -> Response:
        """State why a planned specimen was not collected, or not all of it."""
        body, by = self.body(NewStatementBody), self.request.user
        visits = Visit.objects.visible_to(by, Capability.HANDLE_SAMPLES)
        visit = of_body(visits, "visit", body.pop("visit"), "subject__site", "site")
        assert visit is not None
        with self.acting():
            made = state_not_collected(visit=visit, by=by, **body)
        said = said_not_collected(self.found(self.rows(), pk=made.pk))
        return Response(said, status.HTTP_201_CREATED)


class StatementTakenBack(Statements):
    policy = {"POST": HANDLES}

    @extend_schema(request=VoidBody, responses=NotCollectedAnswer)
    def create(self, request: Request, statement: uuid.UUID) -> Response:  # type: ignore[override]
        """Take back a statement that was never so."""
        found = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=statement)
        reason = self.body(VoidBody)["reason"]
        with self.acting():
            take_back_statement(statement=found, reason=reason, by=self.request.user)
        return Response(said_not_collected(self.found(self.rows(), pk=statement)))


visit_routes: list[URLPattern] = [
    path("sample-reconciliation/", Reconciliation.as_view(LIST)),
    path("samples-to-freeze/", Freezings.as_view(LIST)),
    path("samples-not-collected/", Statements.as_view({"get": "list", "post": "create"})),
    path("samples-not-collected/<uuid:statement>/take-back/", StatementTakenBack.as_view(ACT)),
]
