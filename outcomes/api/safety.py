"""Safety reporting in the API: the board, a case, the first word, and what is decided."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.api.safety_answers import (
    AwarenessBody,
    CaseAnswer,
    ConfirmationBody,
    DescriptionBody,
    FirstWordBody,
    KnewBody,
    day_of,
    said_case,
    wall_of,
)
from outcomes.models import SponsorAwareness
from outcomes.selectors.sae_board import case_lines, cases_seen
from outcomes.services.sae_awareness import (
    Knowledge,
    record_sponsor_awareness,
    void_sponsor_awareness,
)
from outcomes.services.sae_cases import correct_awareness, describe_case
from outcomes.services.sae_decisions import (
    agree_easing,
    agree_taken_back,
    close_case,
    confirm_expedited,
    decline_easing,
    reopen_case,
)
from outcomes.services.sae_entry import FirstWord, SameEventError, report_event
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, etag, expected_version
from trialsite.casebook.answers import ReasonBody, VoidBody
from trialsite.casebook.api import ACT, DETAIL
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from visits.models import Complication

SEES = Policy(Audience.STAFF, Capability.VIEW_SAFETY)
MANAGES = Policy(Audience.STAFF, Capability.MANAGE_SAFETY)
REPORTS = Policy(Audience.STAFF, Capability.REPORT_SAE)


class Cases(Endpoint):
    policy = {"GET": SEES, "POST": REPORTS}
    serializer_class = CaseAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("record_id", uuid.UUID),
    }

    def rows(self) -> Any:
        return cases_seen(self.request.user).order_by("aware_at", "pk")

    def list(self, request: Request) -> Response:
        """The cases of serious adverse events with their clocks, reports and receipts."""
        chosen = self.paginate_queryset(self.narrow(self.rows())) or []
        lines = case_lines(chosen, trial_now())
        return self.get_paginated_response([said_case(line) for line in lines])

    def retrieve(self, request: Request, case: uuid.UUID) -> Response:
        return self.answer(case)

    def answer(self, pk: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=pk)
        said = said_case(case_lines([found], trial_now())[0])
        return Response(said, code, headers={"ETag": etag(found.version)})

    @extend_schema(request=FirstWordBody, responses={201: CaseAnswer})
    def create(self, request: Request) -> Response:
        """Report a serious adverse event with the least that makes a report."""
        body = self.body(FirstWordBody)
        subject = self._mine(Subject, "subject", body)
        complication = self._mine(Complication, "complication", body)
        if complication is not None and complication.subject_id != subject.pk:
            raise ValidationError({"complication": [_("It is another participant’s.")]})
        word = FirstWord(
            term=body["term"],
            reporter=body["reporter"],
            suspected=body["suspected"],
            criterion=body["criterion"],
            aware_at=wall_of(body, "aware_at"),
            started_on=day_of(body),
            started_time=body["started_time"],
        )
        try:
            made = report_event(
                subject=subject,
                word=word,
                by=self.request.user,
                complication=complication,
                another=body["another"],
            )
        except SameEventError as asked:
            raise ValidationError({"another": [str(asked)]}) from asked
        return self.answer(made.pk, status.HTTP_201_CREATED)

    def _mine(self, model: Any, name: str, body: dict[str, Any]) -> Any:
        if body[name] is None:
            return None
        rows = model.objects.visible_to(self.request.user, Capability.REPORT_SAE)
        if (row := rows.filter(pk=body[name]).first()) is None:
            raise ValidationError({name: [_("There is no such row for you.")]})
        return row


class CaseAct(Cases):
    """An act on a case, from the version that was read."""

    policy = {"POST": SEES}
    matches = True

    def act(
        self, pk: uuid.UUID, service: Callable[..., object], read: Callable[[], dict[str, Any]]
    ) -> Response:
        """Find, then read the body: of what is not there nothing is said."""
        found = self.found(self.rows(), pk=pk)
        version = expected_version(self.request)  # type: ignore[arg-type]
        service(case=found, by=self.request.user, seen_version=version, **read())
        return self.answer(pk)


class CaseAwareness(CaseAct):
    policy = {"POST": REPORTS}

    @extend_schema(request=AwarenessBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Correct when the site first knew; the deadlines that stood are kept."""

        def read() -> dict[str, Any]:
            body = self.body(AwarenessBody)
            return {"aware_at": wall_of(body, "aware_at"), "reason": body["reason"]}

        return self.act(case, correct_awareness, read)


class CaseDescription(CaseAct):
    policy = {"POST": REPORTS}

    @extend_schema(request=DescriptionBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Say reporter, suspicion and narrative of the next report."""
        return self.act(case, describe_case, lambda: self.body(DescriptionBody))


class CaseConfirmation(CaseAct):
    @extend_schema(request=ConfirmationBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """The sponsor's word whether it is a SUSAR or a UADE."""
        return self.act(case, confirm_expedited, lambda: self.body(ConfirmationBody))


class CaseAgreement(CaseAct):
    @extend_schema(request=ReasonBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Agree to what the site has taken back: not serious, or entered by mistake."""
        return self.act(case, agree_taken_back, lambda: self.body(ReasonBody))


class CaseClosing(CaseAct):
    @extend_schema(request=ReasonBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """End the reporting, when every report has been sent, signed and received."""
        return self.act(case, close_case, lambda: self.body(ReasonBody))


class CaseReopening(CaseAct):
    @extend_schema(request=ReasonBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Take a closed case up again."""
        return self.act(case, reopen_case, lambda: self.body(ReasonBody))


class CaseEasing(CaseAct):
    @extend_schema(request=ReasonBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Agree that a running deadline ends or lies later by what was changed."""
        return self.act(case, agree_easing, lambda: self.body(ReasonBody))


class CaseEasingRefusal(CaseAct):
    @extend_schema(request=ReasonBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Decline it: the stricter deadline stands."""
        return self.act(case, decline_easing, lambda: self.body(ReasonBody))


class CaseSponsorAwareness(CaseAct):
    @extend_schema(request=KnewBody, responses=CaseAnswer)
    def create(self, request: Request, case: uuid.UUID) -> Response:  # type: ignore[override]
        """Enter that the sponsor knew otherwise than by a report sent from here."""

        def read() -> dict[str, Any]:
            return {"knowledge": Knowledge(**self.body(KnewBody))}

        return self.act(case, record_sponsor_awareness, read)


class VoidSponsorAwareness(Cases):
    policy = {"POST": MANAGES}

    @extend_schema(request=VoidBody, responses=CaseAnswer)
    def create(self, request: Request, awareness: uuid.UUID) -> Response:  # type: ignore[override]
        """Take back what the sponsor was said to have known; the safety officer alone."""
        seen = SponsorAwareness.objects.visible_to(self.request.user, Capability.MANAGE_SAFETY)
        found: SponsorAwareness = self.found(seen.select_related("case"), pk=awareness)
        reason = self.body(VoidBody)["reason"]
        void_sponsor_awareness(awareness=found, reason=reason, by=self.request.user)
        return self.answer(found.case_id)


routes: list[URLPattern] = [
    path("sae-cases/", Cases.as_view({"get": "list", "post": "create"})),
    path("sae-cases/<uuid:case>/", Cases.as_view(DETAIL)),
    path("sae-cases/<uuid:case>/awareness/", CaseAwareness.as_view(ACT)),
    path("sae-cases/<uuid:case>/description/", CaseDescription.as_view(ACT)),
    path("sae-cases/<uuid:case>/confirmation/", CaseConfirmation.as_view(ACT)),
    path("sae-cases/<uuid:case>/agreement/", CaseAgreement.as_view(ACT)),
    path("sae-cases/<uuid:case>/easing/", CaseEasing.as_view(ACT)),
    path("sae-cases/<uuid:case>/easing-refusal/", CaseEasingRefusal.as_view(ACT)),
    path("sae-cases/<uuid:case>/sponsor-awareness/", CaseSponsorAwareness.as_view(ACT)),
    path("sae-sponsor-awareness/<uuid:awareness>/void/", VoidSponsorAwareness.as_view(ACT)),
    path("sae-cases/<uuid:case>/closing/", CaseClosing.as_view(ACT)),
    path("sae-cases/<uuid:case>/reopening/", CaseReopening.as_view(ACT)),
]
