"""The endpoints of imports: how files are read, prepare, look, choose, take, put away."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL, ENTERS, SEES
from trialsite.exports.reading.mappings import MappingError
from trialsite.labs.import_answers import (
    ImportAcceptance,
    ImportAnswer,
    ImportChoices,
    ImportDiscard,
    ImportInBrief,
    MappingAnswer,
    NewImport,
    NewMapping,
    said_import,
    said_mapping,
)
from trialsite.labs.importing.models import ImportState, LabFileMapping, LabImport
from trialsite.labs.importing.reporting import basis_of, report_of
from trialsite.labs.models import Laboratory
from trialsite.labs.services.imports import (
    AT_ONCE,
    choose,
    discard_import,
    is_current,
    plan_now,
    prepare_import,
)
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.services.taking import accept_import, take_back

KEEPS = Policy(Audience.STAFF, Capability.MANAGE_LABS)


class LabFileMappings(Endpoint):
    policy = {"GET": SEES, "POST": KEEPS}
    serializer_class = MappingAnswer
    filters = {"site": Filter("site__code"), "laboratory": Filter("laboratory_id", uuid.UUID)}

    def rows(self) -> Any:
        seen = LabFileMapping.objects.visible_to(self.request.user).select_related("site")
        return seen.order_by("site__code", "laboratory__code", "-version", "pk")

    def list(self, request: Request) -> Response:
        """How laboratories' files are read, every version, the present one first."""
        return self.page(self.rows(), said_mapping)

    def retrieve(self, request: Request, mapping: uuid.UUID) -> Response:
        return Response(said_mapping(self.found(self.rows(), pk=mapping)))

    @extend_schema(request=NewMapping, responses={201: MappingAnswer})
    def create(self, request: Request) -> Response:
        """State how files of a laboratory are read: one more version."""
        body = self.body(NewMapping)
        own = Laboratory.objects.visible_to(self.request.user, Capability.MANAGE_LABS)
        laboratory = own.filter(pk=body["laboratory"]).first()
        if laboratory is None:
            raise ValidationError({"laboratory": [_("There is no such laboratory for you.")]})
        try:
            made = keep_mapping(laboratory=laboratory, text=body["text"], by=self.request.user)
        except MappingError as error:
            said = [f"{e.line}:{e.column}: {e.path}: {e.message}" for e in error.problems]
            raise ValidationError({"text": said}) from error
        return Response(said_mapping(made), status.HTTP_201_CREATED)


class ImportRows(Endpoint):
    """Base of the endpoints of imports."""

    serializer_class = ImportAnswer

    def rows(self) -> Any:
        seen = LabImport.objects.visible_to(self.request.user)
        return seen.select_related("site", "laboratory__site", "mapping").order_by(
            "-prepared_at", "pk"
        )

    def answer(self, found: LabImport, code: int = 200) -> Response:
        """The import with its comparison: made anew where the casebook has changed since,
        unless the file is too large for that."""
        found = self.found(self.rows(), pk=found.pk)
        if found.is_open and found.report["lines"] <= AT_ONCE and not is_current(found):
            plan = plan_now(found)
            report = report_of(basis_of(plan), plan.choices)
            return Response(said_import(found, report, plan.digest), status=code)
        return Response(said_import(found), status=code)


class LabImports(ImportRows):
    policy = {"GET": SEES, "POST": SEES}
    filters = {
        "site": Filter("site__code"),
        "laboratory": Filter("laboratory_id", uuid.UUID),
        "state": Filter("state", choices=tuple(ImportState.values)),
        "sha256": Filter("sha256"),
    }
    #: Base64 of some 3.6 MB, which is more than is taken at once.
    max_body_bytes = 5_000_000

    @extend_schema(responses=ImportInBrief(many=True))
    def list(self, request: Request) -> Response:
        """Imports of the person's sites; lines stand at an import's own address."""
        return self.page(self.rows(), _brief)

    def retrieve(self, request: Request, lab_import: uuid.UUID) -> Response:
        """One import with what it would do, or did."""
        return self.answer(self.found(self.rows(), pk=lab_import))

    @extend_schema(request=NewImport, responses={201: ImportAnswer})
    def create(self, request: Request) -> Response:
        """Read and compare a file; nothing of it is written before it is taken."""
        body = self.body(NewImport)
        own = Laboratory.objects.visible_to(self.request.user).select_related("site")
        laboratory = own.filter(pk=body["laboratory"], active=True).first()
        if laboratory is None:
            raise ValidationError({"laboratory": [_("There is no such laboratory for you.")]})
        try:
            content = base64.b64decode(body["content"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValidationError({"content": [_("This is not base64.")]}) from error
        made = prepare_import(
            laboratory=laboratory,
            content=content,
            filename=body["filename"],
            by=self.request.user,
        )
        return self.answer(made, status.HTTP_201_CREATED)


def _brief(found: LabImport) -> dict[str, Any]:
    said = said_import(found)
    return {name: text for name, text in said.items() if name not in {"digest", "items"}}


class LabImportChoices(ImportRows):
    policy = {"POST": ENTERS}

    @extend_schema(request=ImportChoices, responses=ImportAnswer)
    def create(self, request: Request, lab_import: uuid.UUID) -> Response:
        """Say what becomes of single lines."""
        found, body = self.found(self.rows(), pk=lab_import), self.body(ImportChoices)
        kept = choose(
            found=found,
            choices=body["choices"],
            leave_all=body["leave_all"],
            by=self.request.user,
        )
        return self.answer(kept)


class LabImportAcceptance(ImportRows):
    policy = {"POST": ENTERS}

    @extend_schema(request=ImportAcceptance, responses=ImportAnswer)
    def create(self, request: Request, lab_import: uuid.UUID) -> Response:
        """Take everything that is settled into the casebook, or nothing.

        A large import is handed to the worker: its state tells when it is done.
        """
        found, body = self.found(self.rows(), pk=lab_import), self.body(ImportAcceptance)
        taken = accept_import(
            found=found,
            digest=body["digest"],
            reason=body["reason"],
            at_once=False,
            by=self.request.user,
        )
        return self.answer(taken)


class LabImportReturn(ImportRows):
    policy = {"POST": ENTERS}

    @extend_schema(request=None, responses=ImportAnswer)
    def create(self, request: Request, lab_import: uuid.UUID) -> Response:
        """Take an import back from the worker that has not begun with it."""
        found = self.found(self.rows(), pk=lab_import)
        return self.answer(take_back(found=found, by=self.request.user))


class LabImportDiscard(ImportRows):
    policy = {"POST": SEES}

    @extend_schema(request=ImportDiscard, responses=ImportAnswer)
    def create(self, request: Request, lab_import: uuid.UUID) -> Response:
        """Put an import away that waits for the site or the worker; nothing of it was written."""
        found, body = self.found(self.rows(), pk=lab_import), self.body(ImportDiscard)
        return self.answer(discard_import(found=found, reason=body["reason"], by=self.request.user))


ROWS: dict[str, Any] = {"get": "list", "post": "create"}
ACT: dict[str, Any] = {"post": "create"}

routes: list[URLPattern] = [
    path("lab-file-mappings/", LabFileMappings.as_view(ROWS)),
    path("lab-file-mappings/<uuid:mapping>/", LabFileMappings.as_view(DETAIL)),
    path("lab-imports/", LabImports.as_view(ROWS)),
    path("lab-imports/<uuid:lab_import>/", LabImports.as_view(DETAIL)),
    path("lab-imports/<uuid:lab_import>/choices/", LabImportChoices.as_view(ACT)),
    path("lab-imports/<uuid:lab_import>/accept/", LabImportAcceptance.as_view(ACT)),
    path("lab-imports/<uuid:lab_import>/return/", LabImportReturn.as_view(ACT)),
    path("lab-imports/<uuid:lab_import>/discard/", LabImportDiscard.as_view(ACT)),
]
