"""The codebook: every item of every form as one row, for who analyses the data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from django.http import HttpResponse
from django.urls import URLPattern, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL, SEES
from trialsite.casebook.selectors import current_version
from trialsite.core.spreadsheets import neutralise
from trialsite.crf.api import slug_of
from trialsite.crf.catalogue import said_item
from trialsite.crf.items import MissingReason, all_items_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import Form, form, forms

COLUMNS = (
    "dataset",
    "column",
    "oid",
    "label_en",
    "label_zh",
    "type",
    "unit",
    "codes",
    "usual",
    "plausible",
    "required",
    "derived",
    "missing_codes",
    "sdtm",
)


def dataset_name(table: type[ItemData]) -> str:
    """The name of a table's dataset: the form's short name, and the group's."""
    slug = form(table.form_oid).slug
    return f"{slug}_{slug_of(table)}".replace("-", "_") if issubclass(table, CrfRow) else slug


def rows(version_id: int) -> Iterator[dict[str, str]]:
    """One row an item, with the limits of a protocol version."""
    for each in forms().values():
        yield from _of_form(each, version_id)


def _of_form(each: Form, version_id: int) -> Iterator[dict[str, str]]:
    missing = " | ".join(MissingReason.values)
    for table in each.tables:
        for name, item in all_items_of(table).items():
            said = said_item(name, item, version_id)
            yield {
                "dataset": dataset_name(table),
                "column": name,
                "oid": item.oid,
                "label_en": said["labels"]["en"],
                "label_zh": said["labels"]["zh"],
                "type": item.data_type,
                "unit": item.unit,
                "codes": " | ".join(
                    f"{code['code']} = {code['text']['en']} / {code['text']['zh']}"
                    for code in said["choices"]
                ),
                "usual": _range(said["usual"]),
                "plausible": _range(said["plausible"]),
                "required": "yes" if item.required else "no",
                "derived": "yes" if item.derived else "no",
                "missing_codes": "" if item.derived else missing,
                "sdtm": item.sdtm,
            }


def _range(said: dict[str, str | None] | None) -> str:
    """Written with words: a range that starts with a minus would look like a formula."""
    if said is None:
        return ""
    low, high = said["low"], said["high"]
    return " ".join(
        part for part in (f"from {low}" if low else "", f"to {high}" if high else "") if part
    )


def as_csv(found: Iterator[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in found:
        writer.writerow({name: neutralise(value) for name, value in row.items()})
    return text.getvalue()


CodebookRow = type(
    "CodebookRow", (serializers.Serializer,), {name: serializers.CharField() for name in COLUMNS}
)


class Codebook(Endpoint):
    policy = {"GET": SEES}

    @extend_schema(responses=CodebookRow(many=True))
    def retrieve(self, request: Request) -> Response:
        """Every item: where it stands, what it means, its unit, codes, limits and SDTM name."""
        return Response(list(rows(current_version().pk)))


class CodebookFile(Endpoint):
    policy = {"GET": SEES}

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def retrieve(self, request: Request) -> HttpResponse:
        """The same as CSV."""
        return HttpResponse(
            as_csv(rows(current_version().pk)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="codebook.csv"'},
        )


routes: list[URLPattern] = [
    path("metadata/codebook/", Codebook.as_view(DETAIL)),
    path("metadata/codebook.csv", CodebookFile.as_view(DETAIL)),
]
