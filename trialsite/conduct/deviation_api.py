"""Deviations from the protocol: what is proposed, reported, decided."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.bodies import Body
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, etag, expected_version
from trialsite.casebook.api import ACT, DETAIL, ENTERS, SEES
from trialsite.casebook.models import Subject
from trialsite.casebook.selectors import sites_of
from trialsite.conduct.models import Category, Deviation, DeviationStatus, Importance, Origin
from trialsite.conduct.services.deviations import (
    DeviationFacts,
    accept_proposal,
    change_deviation,
    close_deviation,
    dismiss_proposal,
    report_deviation,
)
from trialsite.core.partial_dates import PartialDate


class DeviationAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField(allow_null=True)
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField(allow_null=True)
    record = serializers.UUIDField(allow_null=True, help_text="Its companion record")
    origin = serializers.ChoiceField(choices=Origin.choices)
    kind = serializers.CharField(help_text="The rule that proposes it; empty: a person")
    cause_ended_at = serializers.DateTimeField(
        allow_null=True, help_text="When what it was proposed for was corrected away"
    )
    status = serializers.ChoiceField(choices=DeviationStatus.choices)
    description = serializers.CharField()
    categories = serializers.ListField(child=serializers.ChoiceField(choices=Category.choices))
    importance = serializers.ChoiceField(choices=[("", ""), *Importance.choices])
    occurred_on = serializers.CharField(allow_null=True, help_text="Partial ISO date")
    discovered_on = serializers.DateField()
    measures = serializers.CharField()
    ethics_reported_on = serializers.DateField(allow_null=True)
    dismiss_reason = serializers.CharField()
    version = serializers.IntegerField(help_text="Also the ETag")


class FactsBody(Body):
    description = serializers.CharField(max_length=4000)
    importance = serializers.ChoiceField(choices=Importance.choices)
    categories = serializers.ListField(
        child=serializers.ChoiceField(choices=Category.choices), min_length=1, max_length=20
    )
    occurred_on = serializers.RegexField(
        r"^\d{4}(-\d\d(-\d\d)?)?$", required=False, allow_null=True, default=None
    )
    discovered_on = serializers.DateField()
    measures = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)
    ethics_reported_on = serializers.DateField(required=False, allow_null=True, default=None)


class NewDeviationBody(FactsBody):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    subject = serializers.UUIDField(required=False, allow_null=True, default=None)


class ChangeBody(FactsBody):
    reason = serializers.CharField(max_length=500)


class DismissBody(Body):
    reason = serializers.CharField(max_length=500)


class NoBody(Body):
    """An act that says everything by its address."""


def said_deviation(deviation: Deviation) -> dict[str, Any]:
    subject = deviation.subject
    same = (
        "origin",
        "kind",
        "cause_ended_at",
        "status",
        "description",
        "categories",
        "importance",
        "discovered_on",
        "measures",
        "ethics_reported_on",
        "dismiss_reason",
        "version",
    )
    return {
        "id": deviation.pk,
        "SITEID": deviation.site.code,
        "SCRNID": subject.screening_number if subject else None,
        "SUBJID": subject.number if subject else None,
        "subject": deviation.subject_id,
        "record": deviation.record_id,
        "occurred_on": str(deviation.occurred_on) if deviation.occurred_on else None,
        **{name: getattr(deviation, name) for name in same},
    }


def facts_of(body: dict[str, Any]) -> DeviationFacts:
    """The facts of a body; a date that no calendar has is refused at its name."""
    text = body["occurred_on"]
    try:
        occurred_on = PartialDate.parse(text) if text else None
    except ValueError as error:
        raise ValidationError({"occurred_on": [_("This is no date of the calendar.")]}) from error
    names = ("description", "importance", "categories", "discovered_on", "measures")
    return DeviationFacts(
        **{name: body[name] for name in names},
        occurred_on=occurred_on,
        ethics_reported_on=body["ethics_reported_on"],
    )


class Deviations(Endpoint):
    policy = {"GET": SEES, "POST": ENTERS}
    serializer_class = DeviationAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "status": Filter("status", choices=tuple(DeviationStatus.values)),
        "importance": Filter("importance", choices=tuple(Importance.values)),
        "kind": Filter("kind"),
        "origin": Filter("origin", choices=tuple(Origin.values)),
    }

    def rows(self) -> Any:
        return (
            Deviation.objects.visible_to(self.request.user)
            .filter(record__voided_at=None)
            .select_related("site", "subject")
            .order_by("entered_at", "pk")
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_deviation)

    def retrieve(self, request: Request, deviation: uuid.UUID) -> Response:
        return self.answer(deviation)

    def answer(self, pk: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=pk)
        return Response(said_deviation(found), code, headers={"ETag": etag(found.version)})

    @extend_schema(request=NewDeviationBody, responses={201: DeviationAnswer})
    def create(self, request: Request) -> Response:
        """Report a deviation; it stands accepted."""
        body = self.body(NewDeviationBody)
        site = sites_of(self.request.user).filter(code=body["site"]).first()
        if site is None:
            raise ValidationError({"site": [_("There is no such site for you.")]})
        subject = None
        if body["subject"]:
            mine = Subject.objects.visible_to(self.request.user).filter(site=site)
            subject = mine.filter(pk=body["subject"]).first()
            if subject is None:
                raise ValidationError({"subject": [_("There is no such subject for you.")]})
        made = report_deviation(
            site=site, subject=subject, facts=facts_of(body), by=self.request.user
        )
        return self.answer(made.pk, status.HTTP_201_CREATED)


class DeviationAct(Deviations):
    """An act on a deviation, from the version that was read."""

    policy = {"POST": ENTERS}
    matches = True

    def act(self, pk: uuid.UUID, service: Any, read: Callable[[], dict[str, Any]]) -> Response:
        """Find, then read the body: of what is not there nothing is said."""
        found = self.found(self.rows(), pk=pk)
        version = expected_version(self.request)  # type: ignore[arg-type]
        service(deviation=found, by=self.request.user, base_version=version, **read())
        return self.answer(pk)


class Accept(DeviationAct):
    @extend_schema(request=FactsBody, responses=DeviationAnswer)
    def create(self, request: Request, deviation: uuid.UUID) -> Response:  # type: ignore[override]
        """Accept a proposal in the site's own words."""
        return self.act(
            deviation, accept_proposal, lambda: {"facts": facts_of(self.body(FactsBody))}
        )


class Dismiss(DeviationAct):
    @extend_schema(request=DismissBody, responses=DeviationAnswer)
    def create(self, request: Request, deviation: uuid.UUID) -> Response:  # type: ignore[override]
        """Dismiss a proposal; it is not made again."""
        return self.act(deviation, dismiss_proposal, lambda: self.body(DismissBody))


class Change(DeviationAct):
    @extend_schema(request=ChangeBody, responses=DeviationAnswer)
    def create(self, request: Request, deviation: uuid.UUID) -> Response:  # type: ignore[override]
        """Correct or complete an accepted deviation."""
        return self.act(deviation, change_deviation, self._change)

    def _change(self) -> dict[str, Any]:
        body = self.body(ChangeBody)
        return {"facts": facts_of(body), "reason": body["reason"]}


class Close(DeviationAct):
    @extend_schema(request=NoBody, responses=DeviationAnswer)
    def create(self, request: Request, deviation: uuid.UUID) -> Response:  # type: ignore[override]
        """Close a deviation that is answered."""
        return self.act(deviation, close_deviation, lambda: self.body(NoBody))


ONE = "deviations/<uuid:deviation>/"

routes: list[URLPattern] = [
    path("deviations/", Deviations.as_view({"get": "list", "post": "create"})),
    path(ONE, Deviations.as_view(DETAIL)),
    path(f"{ONE}accept/", Accept.as_view(ACT)),
    path(f"{ONE}dismiss/", Dismiss.as_view(ACT)),
    path(f"{ONE}change/", Change.as_view(ACT)),
    path(f"{ONE}close/", Close.as_view(ACT)),
]
