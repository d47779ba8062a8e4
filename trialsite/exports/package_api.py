"""Packages: ask for one, see how it stands, take the file."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import FileResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import ApiToken
from trialsite.access.rest import Endpoint
from trialsite.core.exceptions import NotPermittedError
from trialsite.exports.api import AnyAccept
from trialsite.exports.models import PackageState
from trialsite.exports.packages import packages_of, request_package, take_package

EXPORTS = Policy(Audience.STAFF, Capability.EXPORT)


class PackageFileAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class PackageManifestAnswer(serializers.Serializer[Any]):
    synthetic = serializers.BooleanField()
    software = serializers.CharField()
    as_of = serializers.DateTimeField()
    requested_by = serializers.CharField()
    sites = serializers.ListField(child=serializers.CharField())
    rules = serializers.ListField(child=serializers.CharField())
    study = serializers.CharField()
    protocol_version = serializers.CharField()
    files = PackageFileAnswer(many=True)


class PackageAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    requested_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=PackageState.choices)
    attempts = serializers.IntegerField()
    finished_at = serializers.DateTimeField(allow_null=True)
    sha256 = serializers.CharField()
    size = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    manifest = PackageManifestAnswer(allow_null=True)


class NoBody(serializers.Serializer[Any]):
    """Nothing needs to be said."""


class WholeRights(Endpoint):
    """A package is made with all the rights of its person: a narrowed token has no part in it."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        token: ApiToken | None = self.request._request.api_token  # type: ignore[attr-defined]
        if token is not None and (token.site_id or token.role):
            raise NotPermittedError(_("A package needs a token that no site or role narrows."))


class Packages(WholeRights):
    policy = {"GET": EXPORTS, "POST": EXPORTS}
    serializer_class = PackageAnswer

    def list(self, request: Request) -> Response:
        """The packages you have asked for, the newest first."""
        rows = packages_of(self.request.user)
        return self.page(rows, lambda each: PackageAnswer(each).data)

    @extend_schema(request=NoBody, responses={202: PackageAnswer})
    def create(self, request: Request) -> Response:
        """Ask for one archive of every dataset you may export, all of one moment."""
        self.body(NoBody)
        made = request_package(by=self.request.user)
        return Response(PackageAnswer(made).data, status=status.HTTP_202_ACCEPTED)


class OnePackage(WholeRights):
    policy = {"GET": EXPORTS}
    serializer_class = PackageAnswer

    def retrieve(self, request: Request, package: uuid.UUID) -> Response:
        """How a package of yours stands, with its manifest once it is ready."""
        mine = packages_of(self.request.user)
        return Response(PackageAnswer(self.found(mine, pk=package)).data)


class PackageFile(WholeRights):
    policy = {"GET": EXPORTS}
    content_negotiation_class = AnyAccept

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def retrieve(self, request: Request, package: uuid.UUID) -> FileResponse:
        """The archive of a package of yours that is ready."""
        found = self.found(packages_of(self.request.user), pk=package)
        return FileResponse(
            take_package(found, by=self.request.user).open("rb"),
            as_attachment=True,
            filename=f"trialsite-{found.finished_at:%Y%m%d-%H%M%S}.zip",
            content_type="application/zip",
            headers={"X-Content-SHA256": found.sha256},
        )


routes: list[URLPattern] = [
    path("packages/", Packages.as_view({"get": "list", "post": "create"})),
    path("packages/<uuid:package>/", OnePackage.as_view({"get": "retrieve"})),
    path("packages/<uuid:package>/file/", PackageFile.as_view({"get": "retrieve"})),
]
