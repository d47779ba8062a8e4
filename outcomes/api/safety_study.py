"""Deaths without their event, deputies, and reconciliation in the API."""

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

from outcomes.api.safety import SEES
from outcomes.models import (
    Deputy,
    Found,
    SaeReconciliation,
    SaeReconciliationLine,
    To,
    UnreportedDeath,
)
from outcomes.selectors.people import holders_at
from outcomes.selectors.sae_deaths import clocks_of, open_deaths
from outcomes.services.deputies import end_deputy, name_deputy
from outcomes.services.sae_deaths import settle_death
from outcomes.services.sae_reconciliation import decide_line, reconcile_cases
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site, User
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import ReasonBody
from trialsite.casebook.api import ACT, LIST
from trialsite.core.clock import trial_now

MANAGES = Policy(Audience.STAFF, Capability.MANAGE_SAFETY)


class DeathClockAnswer(serializers.Serializer[Any]):
    recipient = serializers.ChoiceField(choices=To.choices)
    due_at = serializers.DateTimeField()


class DeathAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    record = serializers.UUIDField(help_text="The record of the death")
    known_at = serializers.DateTimeField(help_text="The clocks count from this moment")
    clocks = DeathClockAnswer(many=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_reason = serializers.CharField()


class DeputyAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    person = serializers.CharField(help_text="E-mail of who stands down")
    deputy = serializers.CharField(help_text="E-mail of who stands in")
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    reason = serializers.CharField()
    ended_at = serializers.DateTimeField(allow_null=True)


class DeputyBody(Body):
    site = serializers.CharField(max_length=20)
    person = serializers.EmailField()
    deputy = serializers.EmailField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ReconciliationAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    source = serializers.CharField()  # type: ignore[assignment]
    source_hash = serializers.CharField()
    rows = serializers.IntegerField()
    made_at = serializers.DateTimeField()


class ReconciliationLineAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    position = serializers.IntegerField()
    found = serializers.ChoiceField(choices=Found.choices)
    case = serializers.UUIDField(allow_null=True)
    subject = serializers.UUIDField(allow_null=True)
    here = serializers.DictField()
    there = serializers.DictField()
    differing = serializers.ListField(child=serializers.CharField())
    decision = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)


class ReconciliationBody(Body):
    source = serializers.CharField(max_length=200)  # type: ignore[assignment]
    text = serializers.CharField(
        max_length=2_000_000, trim_whitespace=False, help_text="The list, as CSV"
    )


class DecisionBody(Body):
    decision = serializers.CharField(max_length=500)


def said_death(death: UnreportedDeath) -> dict[str, Any]:
    return {
        "id": death.pk,
        "SITEID": death.site.code,
        "SCRNID": death.subject.screening_number,
        "SUBJID": death.subject.number,
        "subject": death.subject_id,
        "record": death.record_id,
        "known_at": death.known_at,
        "clocks": [
            {"recipient": each.recipient, "due_at": each.due_at}
            for each in clocks_of(death, trial_now())
        ],
        "settled_at": death.settled_at,
        "settled_reason": death.settled_reason,
    }


def said_deputy(deputy: Deputy) -> dict[str, Any]:
    names = ("first_day", "last_day", "reason", "ended_at")
    return {
        "id": deputy.pk,
        "SITEID": deputy.site.code,
        "person": deputy.person.email,
        "deputy": deputy.deputy.email,
        **{name: getattr(deputy, name) for name in names},
    }


def said_run(run: SaeReconciliation) -> dict[str, Any]:
    names = ("source", "source_hash", "rows", "made_at")
    return {"id": run.pk, **{name: getattr(run, name) for name in names}}


def said_line(line: SaeReconciliationLine) -> dict[str, Any]:
    names = ("position", "found", "here", "there", "differing", "decision", "decided_at")
    return {
        "id": line.pk,
        "case": line.case_id,
        "subject": line.subject_id,
        **{name: getattr(line, name) for name in names},
    }


class Deaths(Endpoint):
    policy = {"GET": SEES}
    serializer_class = DeathAnswer
    filters = {"site": Filter("site__code"), "subject": Filter("subject_id", uuid.UUID)}

    def rows(self) -> Any:
        seen = UnreportedDeath.objects.visible_to(self.request.user, Capability.VIEW_SAFETY)
        return seen.select_related("site", "subject", "record").order_by("known_at", "pk")

    def list(self, request: Request) -> Response:
        """Recorded deaths of which no fatal serious adverse event tells."""
        return self.page(self.rows().filter(pk__in=open_deaths().values("pk")), said_death)


class DeathSettlement(Deaths):
    policy = {"POST": SEES}

    @extend_schema(request=ReasonBody, responses=DeathAnswer)
    def create(self, request: Request, death: uuid.UUID) -> Response:
        """Say that of a death no report is owed, and why; the safety officer's word."""
        found = self.found(self.rows(), pk=death)
        body = self.body(ReasonBody)
        settle_death(death=found, reason=body["reason"], by=self.request.user)
        return Response(said_death(self.found(self.rows(), pk=death)))


class Deputies(Endpoint):
    policy = {"GET": SEES, "POST": SEES}
    serializer_class = DeputyAnswer
    filters = {"site": Filter("site__code")}

    def rows(self) -> Any:
        seen = Deputy.objects.visible_to(self.request.user, Capability.VIEW_SAFETY)
        return seen.select_related("site", "person", "deputy").order_by("first_day", "pk")

    def list(self, request: Request) -> Response:
        """Who stands in for whom with the reports of a site."""
        return self.page(self.rows(), said_deputy)

    @extend_schema(request=DeputyBody, responses={201: DeputyAnswer})
    def create(self, request: Request) -> Response:
        """Name a deputy, whom the reminders reach too."""
        body = self.body(DeputyBody)
        code = body.pop("site")
        seen = Site.objects.filter(pk__in=self.request.user.access.sites(Capability.VIEW_SAFETY))
        site = seen.filter(code=code).first()
        if site is None:
            raise ValidationError({"site": [_("There is no such site for you.")]})
        body["person"] = _one_of(site, Capability.SIGN_FORM, body, "person")
        body["deputy"] = _one_of(site, Capability.REPORT_SAE, body, "deputy")
        made = name_deputy(site=site, by=self.request.user, **body)
        return Response(said_deputy(self.found(self.rows(), pk=made.pk)), status.HTTP_201_CREATED)


def _one_of(site: Site, capability: Capability, body: dict[str, Any], name: str) -> User:
    """The person of that address among those who hold the right at the site."""
    for person in holders_at(site, capability):
        if person.email.casefold() == body[name].casefold():
            return person
    raise ValidationError({name: [_("Nobody of this address has the right at this site.")]})


class DeputyEnd(Deputies):
    policy = {"POST": SEES}

    @extend_schema(request=None, responses=DeputyAnswer)
    def create(self, request: Request, deputy: uuid.UUID) -> Response:  # type: ignore[override]
        """End a deputy's time before its last day."""
        end_deputy(deputy=self.found(self.rows(), pk=deputy), by=self.request.user)
        return Response(said_deputy(self.found(self.rows(), pk=deputy)))


class Reconciliations(Endpoint):
    policy = {"GET": MANAGES, "POST": MANAGES}
    serializer_class = ReconciliationAnswer
    max_body_bytes = 3_000_000

    def rows(self) -> Any:
        """The comparisons are the study's: who manages one site only sees none."""
        if not self.request.user.access.study_wide(Capability.MANAGE_SAFETY):
            return SaeReconciliation.objects.none()
        return SaeReconciliation.objects.order_by("-made_at", "pk")

    def list(self, request: Request) -> Response:
        """The comparisons with lists of a safety database."""
        self.request.user.require_study_wide(Capability.MANAGE_SAFETY)
        return self.page(self.rows(), said_run)

    @extend_schema(request=ReconciliationBody, responses={201: ReconciliationAnswer})
    def create(self, request: Request) -> Response:
        """Compare the study's serious events with a list."""
        body = self.body(ReconciliationBody)
        made = reconcile_cases(by=self.request.user, **body)
        return Response(said_run(made), status.HTTP_201_CREATED)


class ReconciliationLines(Reconciliations):
    policy = {"GET": SEES}
    serializer_class = ReconciliationLineAnswer  # type: ignore[assignment]
    filters = {"found": Filter("found", choices=tuple(Found.values))}

    def list(self, request: Request, reconciliation: uuid.UUID) -> Response:  # type: ignore[override]
        """What one comparison found, line by line."""
        run = self.found(self.rows(), pk=reconciliation)
        seen = SaeReconciliationLine.objects.visible_to(self.request.user, Capability.MANAGE_SAFETY)
        return self.page(seen.filter(reconciliation=run).order_by("position"), said_line)


class LineDecision(Endpoint):
    policy = {"POST": SEES}
    serializer_class = ReconciliationLineAnswer

    @extend_schema(request=DecisionBody, responses=ReconciliationLineAnswer)
    def create(self, request: Request, difference: uuid.UUID) -> Response:
        """Say what is to be done about one difference."""
        seen = SaeReconciliationLine.objects.visible_to(self.request.user, Capability.MANAGE_SAFETY)
        found = self.found(seen, pk=difference)
        body = self.body(DecisionBody)
        return Response(said_line(decide_line(line=found, by=self.request.user, **body)))


routes: list[URLPattern] = [
    path("sae-deaths/", Deaths.as_view(LIST)),
    path("sae-deaths/<uuid:death>/settlement/", DeathSettlement.as_view(ACT)),
    path("sae-deputies/", Deputies.as_view({**LIST, **ACT})),
    path("sae-deputies/<uuid:deputy>/end/", DeputyEnd.as_view(ACT)),
    path("sae-reconciliations/", Reconciliations.as_view({**LIST, **ACT})),
    path("sae-reconciliations/<uuid:reconciliation>/lines/", ReconciliationLines.as_view(LIST)),
    path("sae-reconciliation-lines/<uuid:difference>/decision/", LineDecision.as_view(ACT)),
]
