"""The datasets: what there is, and each as a file."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from django.http import FileResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable, NotFound, ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL, LIST
from trialsite.crf.catalogue import CodeAnswer, TextAnswer
from trialsite.exports.explaining import said_dataset
from trialsite.exports.registry import Dataset, datasets
from trialsite.exports.writing import Format, Written, write

EXPORTS = Policy(Audience.STAFF, Capability.EXPORT)


class ColumnAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    labels = TextAnswer()
    type = serializers.CharField()
    unit = serializers.CharField()
    codes = CodeAnswer(many=True)
    sdtm = serializers.CharField()


class DatasetAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = TextAnswer()
    columns = ColumnAnswer(many=True)


class Datasets(Endpoint):
    policy = {"GET": EXPORTS}
    serializer_class = DatasetAnswer

    def list(self, request: Request) -> Response:
        """Every dataset you may export, with its columns."""
        mine = [each for each in datasets().values() if self.request.user.can(each.needs)]
        chosen = self.paginate_queryset(mine) or []
        return self.get_paginated_response([said_dataset(each) for each in chosen])


class AnyAccept(BaseContentNegotiation):
    """The file's format is chosen by the endpoint; refusals are JSON whatever is asked for."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


class DatasetFile(Endpoint):
    policy = {"GET": EXPORTS}
    one_moment = True
    parameters = frozenset({"format", "bom"})
    content_negotiation_class = AnyAccept

    @extend_schema(
        parameters=[
            OpenApiParameter("format", str, enum=list(Format), description="Else by Accept."),
            OpenApiParameter("bom", str, enum=["1"], description="CSV for a spreadsheet program."),
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "application/json"): OpenApiTypes.OBJECT,
        },
    )
    def retrieve(self, request: Request, name: str) -> FileResponse:
        """The whole dataset as one file, with its SHA-256 and number of rows in the headers.

        In CSV, text that a spreadsheet would run as a formula starts with an apostrophe;
        numbers are untouched.
        """
        dataset = datasets().get(name)
        if dataset is None or not self.request.user.can(dataset.needs):
            raise NotFound
        bom = self.request.GET.get("bom", "")
        if bom not in {"", "1"}:
            raise ValidationError({"bom": [_("This value cannot be used here.")]})
        as_ = self.chosen()
        written = write(dataset, by=self.request.user, as_=as_, bom=bool(bom))
        return file_answer(written, dataset, as_)

    def chosen(self) -> Format:
        asked = self.request.GET.get("format")
        if asked is not None:
            if asked not in list(Format):
                raise ValidationError({"format": [_("This value cannot be used here.")]})
            return Format(asked)
        for each in Format:
            if self.request._request.accepts(each.media_type.split(";")[0]):  # type: ignore[attr-defined]
                return each
        raise NotAcceptable


def file_answer(written: Written, dataset: Dataset, as_: Format) -> FileResponse:
    digest = b64encode(bytes.fromhex(written.sha256)).decode()
    return FileResponse(
        written.file,
        as_attachment=True,
        filename=f"{dataset.name}.{as_}",
        content_type=as_.media_type,
        headers={
            "Repr-Digest": f"sha-256=:{digest}:",
            "X-Content-SHA256": written.sha256,
            "X-Row-Count": str(written.rows),
        },
    )


routes: list[URLPattern] = [
    path("datasets/", Datasets.as_view(LIST)),
    path("datasets/<slug:name>/", DatasetFile.as_view(DETAIL)),
]
