"""Device deficiencies in the API."""

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

from trialsite.access.bodies import Body
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, PreconditionFailed, etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, ENTERS, SEES
from trialsite.casebook.models import Subject
from trialsite.casebook.selectors import sites_of
from trialsite.core.partial_dates import PartialDate
from visits.models import TreatmentSession
from visits.models.deficiencies import Component, DeviceDeficiency, Phase, Whereabouts
from visits.services.deficiencies import (
    DeficiencyFacts,
    change_deficiency,
    report_deficiency,
    void_deficiency,
)


class DeficiencyAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField(allow_null=True)
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField(allow_null=True)
    record = serializers.UUIDField(allow_null=True, help_text="Its companion record")
    session = serializers.UUIDField(allow_null=True)
    component = serializers.ChoiceField(choices=Component.choices)
    product = serializers.CharField(help_text="Model")
    lot = serializers.CharField(help_text="Lot or serial number")
    description = serializers.CharField()
    occurred_on = serializers.CharField(help_text="Partial ISO date")
    phase = serializers.ChoiceField(choices=Phase.choices)
    harm = serializers.BooleanField()
    could_have_led = serializers.BooleanField(help_text="To a serious adverse event")
    whereabouts = serializers.ChoiceField(choices=Whereabouts.choices)
    returned_on = serializers.DateField(allow_null=True)
    reported_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Also the ETag")


class DeficiencyBody(Body):
    component = serializers.ChoiceField(choices=Component.choices)
    product = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    lot = serializers.CharField(required=False, allow_blank=True, default="", max_length=100)
    description = serializers.CharField(max_length=4000)
    occurred_on = serializers.RegexField(r"^\d{4}(-\d\d(-\d\d)?)?$")
    phase = serializers.ChoiceField(choices=Phase.choices)
    harm = serializers.BooleanField()
    could_have_led = serializers.BooleanField()
    whereabouts = serializers.ChoiceField(choices=Whereabouts.choices)
    returned_on = serializers.DateField(required=False, allow_null=True, default=None)


class NewDeficiencyBody(DeficiencyBody):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    subject = serializers.UUIDField(required=False, allow_null=True, default=None)
    session = serializers.UUIDField(required=False, allow_null=True, default=None)


class ChangeDeficiencyBody(DeficiencyBody):
    reason = serializers.CharField(max_length=500)


_SAID = (
    "component",
    "product",
    "lot",
    "description",
    "phase",
    "harm",
    "could_have_led",
    "whereabouts",
    "returned_on",
)


def said_deficiency(found: DeviceDeficiency) -> dict[str, Any]:
    subject = found.subject
    return {
        "id": found.pk,
        "SITEID": found.site.code,
        "SCRNID": subject.screening_number if subject else None,
        "SUBJID": subject.number if subject else None,
        "subject": found.subject_id,
        "record": found.record_id,
        "session": found.session_id,
        "occurred_on": str(found.occurred_on),
        "reported_at": found.reported_at,
        "version": found.version,
        **{name: getattr(found, name) for name in _SAID},
    }


def facts_of(body: dict[str, Any]) -> DeficiencyFacts:
    """The facts of a body; a date that no calendar has is refused at its name."""
    try:
        occurred_on = PartialDate.parse(body["occurred_on"])
    except ValueError as error:
        raise ValidationError({"occurred_on": [_("This is no date of the calendar.")]}) from error
    return DeficiencyFacts(**{name: body[name] for name in _SAID}, occurred_on=occurred_on)


class Deficiencies(Endpoint):
    policy = {"GET": SEES, "POST": ENTERS}
    serializer_class = DeficiencyAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "session": Filter("session_id", uuid.UUID),
        "component": Filter("component", choices=tuple(Component.values)),
    }

    def rows(self) -> Any:
        seen = DeviceDeficiency.objects.visible_to(self.request.user).filter(voided_at=None)
        return seen.select_related("site", "subject", "record").order_by("reported_at", "pk")

    def list(self, request: Request) -> Response:
        """Standing device deficiencies, with or without harm."""
        return self.page(self.rows(), said_deficiency)

    def retrieve(self, request: Request, deficiency: uuid.UUID) -> Response:
        return self.answer(deficiency)

    def answer(self, pk: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=pk)
        return Response(said_deficiency(found), code, headers={"ETag": etag(found.version)})

    @extend_schema(request=NewDeficiencyBody, responses={201: DeficiencyAnswer})
    def create(self, request: Request) -> Response:
        """Report a deficiency, of a session, of a participant or of the site's stock."""
        body = self.body(NewDeficiencyBody)
        site = sites_of(self.request.user).filter(code=body["site"]).first()
        if site is None:
            raise ValidationError({"site": [_("There is no such site for you.")]})
        subject = self._of_site(Subject, "subject", body, site)
        session = self._of_site(TreatmentSession, "session", body, site)
        made = report_deficiency(
            site=site,
            facts=facts_of(body),
            by=self.request.user,
            subject=subject,
            session=session,
        )
        return self.answer(made.pk, status.HTTP_201_CREATED)

    def _of_site(self, model: Any, name: str, body: dict[str, Any], site: Any) -> Any:
        if body[name] is None:
            return None
        found = model.objects.visible_to(self.request.user).filter(site=site, pk=body[name])
        if (row := found.first()) is None:
            raise ValidationError({name: [_("This site has no such row for you.")]})
        return row


class ChangeDeficiency(Deficiencies):
    policy = {"POST": ENTERS}
    matches = True

    @extend_schema(request=ChangeDeficiencyBody, responses=DeficiencyAnswer)
    def create(self, request: Request, deficiency: uuid.UUID) -> Response:  # type: ignore[override]
        """Correct or complete a deficiency, with a reason."""
        found, version = self.found(self.rows(), pk=deficiency), expected_version(request)
        body = self.body(ChangeDeficiencyBody)
        change_deficiency(
            deficiency=found,
            facts=facts_of(body),
            reason=body["reason"],
            by=self.request.user,
            base_version=version,
        )
        return self.answer(deficiency)


class VoidDeficiency(Deficiencies):
    policy = {"POST": ENTERS}
    matches = True

    @extend_schema(request=VoidBody, responses=DeficiencyAnswer)
    def create(self, request: Request, deficiency: uuid.UUID) -> Response:  # type: ignore[override]
        """Take a deficiency out; it stays in the trail."""
        found, version = self.found(self.rows(), pk=deficiency), expected_version(request)
        if found.version != version:
            raise PreconditionFailed(_("Somebody else changed this deficiency. Read it again."))
        reason = self.body(VoidBody)["reason"]
        voided = void_deficiency(deficiency=found, reason=reason, by=self.request.user)
        return Response(said_deficiency(voided), headers={"ETag": etag(voided.version)})


ONE = "device-deficiencies/<uuid:deficiency>/"

deficiency_routes: list[URLPattern] = [
    path("device-deficiencies/", Deficiencies.as_view({"get": "list", "post": "create"})),
    path(ONE, Deficiencies.as_view(DETAIL)),
    path(f"{ONE}change/", ChangeDeficiency.as_view(ACT)),
    path(f"{ONE}void/", VoidDeficiency.as_view(ACT)),
]
