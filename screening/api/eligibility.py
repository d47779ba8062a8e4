"""Eligibility through the API: the present data judged, the signed evaluations, signing."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Exists, OuterRef
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from screening.api.eligibility_answers import (
    EvaluationAnswer,
    LiveAnswer,
    NewEvaluation,
    said_evaluation,
    said_live,
)
from screening.models import EligibilityEvaluation
from screening.models.eligibility import Decided
from screening.selectors.eligibility import live_evaluation, signatures_of, signed_decision
from screening.services.consent_records import FieldsError
from screening.services.eligibility import refusals_to_sign, sign_eligibility
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, etag
from trialsite.access.signing import prove
from trialsite.casebook.api import DETAIL, LIST, SEES
from trialsite.casebook.models import Subject

SIGNS = Policy(Audience.STAFF, Capability.SIGN_FORM)


class EligibilityNow(Endpoint):
    """The criteria of the version in force, judged on the present data of a subject."""

    policy = {"GET": SEES}
    serializer_class = LiveAnswer

    def retrieve(self, request: Request, subject: uuid.UUID) -> Response:
        mine = Subject.objects.visible_to(self.request.user).select_related("site")
        found: Subject = self.found(mine, pk=subject)
        return Response(said_live(live_evaluation(found), signed_decision(found)))


class Evaluations(Endpoint):
    """Signed evaluations; a voided one stays in the list and says so."""

    policy = {"GET": SEES, "POST": SIGNS}
    serializer_class = EvaluationAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "decision": Filter("decision", choices=tuple(Decided.values)),
    }

    def rows(self) -> Any:
        return (
            EligibilityEvaluation.objects.visible_to(self.request.user)
            .select_related("subject__site", "record", "protocol_version")
            .prefetch_related("answers")
            .order_by("subject__site__code", "subject__screening_number", "number")
        )

    def list(self, request: Request) -> Response:
        chosen = self.paginate_queryset(self.narrow(self.rows())) or []
        signatures = signatures_of(chosen)
        return self.get_paginated_response(
            [said_evaluation(each, signatures.get(each.pk)) for each in chosen]
        )

    def retrieve(self, request: Request, evaluation: uuid.UUID) -> Response:
        return self.one(evaluation)

    def one(self, key: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=key)
        said = said_evaluation(found, signatures_of([found]).get(found.pk))
        return Response(said, code, headers={"ETag": etag(found.record.version)})

    @extend_schema(request=NewEvaluation, responses={201: EvaluationAnswer})
    def create(self, request: Request) -> Response:
        """Sign the decision that follows from the present data and these answers."""
        body = self.body(NewEvaluation)
        mine = Subject.objects.visible_to(self.request.user, Capability.SIGN_FORM)
        subject = mine.select_related("site").filter(pk=body["subject"]).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        said = {"answers": body["answers"], "notes": body["notes"]}
        # What the data refuse is said before a code is spent.
        refused = refusals_to_sign(subject=subject, by=self.request.user, **said)
        if refused:
            raise FieldsError(refused)
        made = sign_eligibility(
            subject=subject,
            by=self.request.user,
            proof=prove(self.request, password=body["password"], code=body["code"]),
            **said,
        )
        return self.one(made.pk, status.HTTP_201_CREATED)


class Decisions(Evaluations):
    """The latest unvoided decision of each subject; judged anew at `eligibility/{subject}/`."""

    policy = {"GET": SEES}

    def rows(self) -> Any:
        mine = EligibilityEvaluation.objects.visible_to(self.request.user)
        later = mine.filter(
            subject=OuterRef("subject"), number__gt=OuterRef("number"), record__voided_at=None
        )
        return super().rows().filter(~Exists(later), record__voided_at=None)


routes: list[URLPattern] = [
    path("eligibility/", Decisions.as_view(LIST)),
    path("eligibility/<uuid:subject>/", EligibilityNow.as_view(DETAIL)),
    path("eligibility-evaluations/", Evaluations.as_view({"get": "list", "post": "create"})),
    path("eligibility-evaluations/<uuid:evaluation>/", Evaluations.as_view(DETAIL)),
]
