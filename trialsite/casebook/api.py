"""Sites, subjects, the headers of records, and the protocol in brief."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter, moment
from trialsite.access.rest import Endpoint, PreconditionFailed, etag, expected_version
from trialsite.casebook.answers import (
    ProtocolAnswer,
    ReasonBody,
    RecordAnswer,
    SiteAnswer,
    StudyAnswer,
    SubjectAnswer,
    VoidBody,
    said_record,
    said_site,
    said_subject,
)
from trialsite.casebook.models import (
    CrfRecord,
    LockState,
    ProtocolVersion,
    RecordStatus,
    Subject,
    SubjectStatus,
)
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import approvals_of, current_version, records_of, sites_of
from trialsite.casebook.services import mark_not_done, void_record
from trialsite.protocol import StudyEventDef

SEES = Policy(Audience.STAFF, Capability.VIEW_CASEBOOK)
ENTERS = Policy(Audience.STAFF, Capability.ENTER_DATA)


class Sites(Endpoint):
    policy = {"GET": SEES}
    serializer_class = SiteAnswer

    def list(self, request: Request) -> Response:
        return self.page(sites_of(self.request.user).order_by("code"), said_site)

    def retrieve(self, request: Request, code: str) -> Response:
        return Response(said_site(self.found(sites_of(self.request.user), code=code)))


class Subjects(Endpoint):
    policy = {"GET": SEES}
    serializer_class = SubjectAnswer
    filters = {
        "site": Filter("site__code"),
        "status": Filter("status", choices=tuple(SubjectStatus.values)),
        "number": Filter("number"),
        "screening_number": Filter("screening_number"),
        "lock": Filter("lock_state", choices=tuple(LockState.values)),
    }

    def rows(self) -> Any:
        return (
            Subject.objects.visible_to(self.request.user)
            .select_related("site", "protocol_version")
            .order_by("site__code", "screening_number")
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_subject)

    def retrieve(self, request: Request, subject: uuid.UUID) -> Response:
        return Response(said_subject(self.found(self.rows(), pk=subject)))


class Records(Endpoint):
    """One expected or entered form of a subject: its header. Its data stand under `crf/`."""

    policy = {"GET": SEES}
    serializer_class = RecordAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "visit": Filter("visit_id", uuid.UUID),
        "form": Filter("form_oid"),
        "status": Filter("status", choices=tuple(RecordStatus.values)),
        "updated_since": Filter("updated_at__gte", moment),
    }

    def list(self, request: Request) -> Response:
        return self.page(records_of(self.request.user), said_record)

    def retrieve(self, request: Request, record: uuid.UUID) -> Response:
        return self.answer(record)

    def answer(self, record: uuid.UUID) -> Response:
        found = self.found(records_of(self.request.user), pk=record)
        return Response(said_record(found), headers={"ETag": etag(found.version)})


class RecordAct(Records):
    """An act on a whole record, from the version that was read."""

    policy = {"POST": ENTERS}
    matches = True

    def act(self, record: uuid.UUID, service: Callable[..., Any], reason: str) -> Response:
        seen = CrfRecord.objects.visible_to(self.request.user).select_for_update(no_key=True)
        found: CrfRecord = self.found(seen, pk=record)
        if found.version != expected_version(self.request):  # type: ignore[arg-type]
            raise PreconditionFailed(_("Somebody else changed this record. Read it again."))
        service(record=found, reason=reason, by=self.request.user)
        return self.answer(record)


class NotDone(RecordAct):
    @extend_schema(request=ReasonBody, responses=RecordAnswer)
    def create(self, request: Request, record: uuid.UUID) -> Response:
        """State that a form was not done, and why."""
        return self.act(record, mark_not_done, self.body(ReasonBody)["reason"])


class Void(RecordAct):
    @extend_schema(request=VoidBody, responses=RecordAnswer)
    def create(self, request: Request, record: uuid.UUID) -> Response:
        """Take a record out of the casebook; it stays in the trail, its number is not reused."""
        return self.act(record, void_record, self.body(VoidBody)["reason"])


class ProtocolInBrief(Endpoint):
    policy = {"GET": Policy(Audience.STAFF)}
    serializer_class = ProtocolAnswer

    def retrieve(self, request: Request) -> Response:
        """The protocol version now in force: identity, schedule, and where since when."""
        version = current_version()
        study = protocol_of(version.pk)
        approvals = approvals_of(version, self.request.user)
        return Response(
            {
                **_said_identity(version),
                "events": [_said_event(event) for event in study.schedule.events],
                "approvals": [
                    {"site": each.site.code, "effective_on": each.effective_on}
                    for each in approvals
                ],
            }
        )


class Study(Endpoint):
    policy = {"GET": SEES}
    serializer_class = StudyAnswer

    def retrieve(self, request: Request) -> Response:
        """The study this installation holds, by the protocol version now in force."""
        return Response(_said_identity(current_version()))


def _said_identity(version: ProtocolVersion) -> dict[str, Any]:
    protocol = protocol_of(version.pk)
    study = protocol.study
    return {
        "study_id": study.study_id,
        "short_name": study.short_name.en,
        "title": study.title.en,
        "title_zh": study.title.zh,
        "version": version.version,
        "content_hash": version.content_hash,
        "target_enrolment": study.target_enrolment,
        "anchor": protocol.anchor.kind,
        "synthetic": settings.DEMO,
    }


def _said_event(event: StudyEventDef) -> dict[str, Any]:
    return {
        "oid": event.oid,
        "name": event.name.en,
        "name_zh": event.name.zh,
        "visitnum": event.visitnum,
        "repeating": event.repeating,
        "target_day": event.target_day,
        "window": [event.window.first, event.window.last] if event.window else None,
        "forms": list(event.forms),
        "optional_forms": list(event.optional_forms),
    }


LIST: dict[str, Any] = {"get": "list"}
DETAIL: dict[str, Any] = {"get": "retrieve"}
ACT: dict[str, Any] = {"post": "create"}

routes: list[URLPattern] = [
    path("study/", Study.as_view(DETAIL)),
    path("protocol/", ProtocolInBrief.as_view(DETAIL)),
    path("sites/", Sites.as_view(LIST)),
    path("sites/<str:code>/", Sites.as_view(DETAIL)),
    path("subjects/", Subjects.as_view(LIST)),
    path("subjects/<uuid:subject>/", Subjects.as_view(DETAIL)),
    path("records/", Records.as_view(LIST)),
    path("records/<uuid:record>/", Records.as_view(DETAIL)),
    path("records/<uuid:record>/not-done/", NotDone.as_view(ACT)),
    path("records/<uuid:record>/void/", Void.as_view(ACT)),
]
