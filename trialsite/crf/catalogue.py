"""The definitions of the forms: what a client needs to read, enter and analyse their data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, path
from django.utils import translation
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL, LIST, SEES
from trialsite.casebook.selectors import current_version
from trialsite.crf.api import slug_of
from trialsite.crf.items import Conversion, Item, MissingReason, all_items_of
from trialsite.crf.limits import limits_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import Form, forms
from trialsite.protocol import Interval


def in_both(text: Any) -> dict[str, str]:
    """A translatable text in the study's two languages."""
    with translation.override("en"):
        english = str(text)
    with translation.override("zh-hans"):
        return {"en": english, "zh": str(text)}


class TextAnswer(serializers.Serializer[Any]):
    en = serializers.CharField()
    zh = serializers.CharField()


class CodeAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = TextAnswer()


class UnitAnswer(serializers.Serializer[Any]):
    unit = serializers.CharField(help_text="UCUM")
    factor = serializers.CharField(help_text="Exact: canonical = (reported - offset) x factor")
    offset = serializers.CharField()


class RangeAnswer(serializers.Serializer[Any]):
    low = serializers.CharField(allow_null=True)
    high = serializers.CharField(allow_null=True)


class ItemAnswer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The column")
    oid = serializers.CharField()
    labels = TextAnswer()
    type = serializers.CharField(help_text="ODM DataType")
    unit = serializers.CharField(help_text="UCUM, canonical")
    units = UnitAnswer(many=True)
    choices = CodeAnswer(many=True)
    required = serializers.BooleanField()  # type: ignore[assignment]
    derived = serializers.BooleanField(help_text="Computed from other items, never entered")
    places = serializers.IntegerField()
    usual = RangeAnswer(allow_null=True, help_text="Outside, a query asks")
    plausible = RangeAnswer(allow_null=True, help_text="Outside, completion needs a comment")
    sdtm = serializers.CharField()


class SectionAnswer(serializers.Serializer[Any]):
    title = TextAnswer()
    items = serializers.ListField(child=serializers.CharField())


class TableAnswer(serializers.Serializer[Any]):
    oid = serializers.CharField()
    slug = serializers.CharField()
    title = TextAnswer()
    items = ItemAnswer(many=True)
    sections = SectionAnswer(many=True)


class FormInBrief(serializers.Serializer[Any]):
    oid = serializers.CharField()
    slug = serializers.CharField()
    title = TextAnswer()
    version = serializers.IntegerField()
    repeating = serializers.BooleanField()


class FormAnswer(FormInBrief):
    protocol_version = serializers.CharField()
    data = TableAnswer(allow_null=True)  # type: ignore[assignment]
    groups = TableAnswer(many=True)
    missing_reasons = CodeAnswer(many=True)


class FormDefinitions(Endpoint):
    policy = {"GET": SEES}
    serializer_class = FormInBrief

    def list(self, request: Request) -> Response:
        """Every form, in the order in which they were registered."""
        chosen = self.paginate_queryset(list_of_forms()) or []
        return self.get_paginated_response([said_form_in_brief(each) for each in chosen])


class FormDefinition(Endpoint):
    policy = {"GET": SEES}
    serializer_class = FormAnswer

    def retrieve(self, request: Request, slug: str) -> Response:
        """One form: items with labels, units, choices and the limits of the present protocol."""
        for each in forms().values():
            if each.slug == slug:
                return Response(said_form(each))
        raise NotFound


def list_of_forms() -> Any:
    return list(forms().values())


def said_form_in_brief(form: Form) -> dict[str, Any]:
    return {
        "oid": form.oid,
        "slug": form.slug,
        "title": in_both(form.title),
        "version": form.version,
        "repeating": form.repeating,
    }


def said_form(form: Form) -> dict[str, Any]:
    version = current_version()
    return {
        **said_form_in_brief(form),
        "protocol_version": version.version,
        "data": said_table(form.data, version.pk) if form.data else None,
        "groups": [said_table(group, version.pk) for group in form.groups],
        "missing_reasons": list(said_codes(MissingReason.choices)),
    }


def said_table(table: type[ItemData], version_id: int) -> dict[str, Any]:
    is_group = issubclass(table, CrfRow)
    return {
        "oid": table.group_oid if issubclass(table, CrfRow) else table.form_oid,
        "slug": slug_of(table) if issubclass(table, CrfRow) else "",
        "title": in_both(table.title),
        "items": [said_item(name, each, version_id) for name, each in all_items_of(table).items()],
        "sections": []
        if is_group
        else [{"title": in_both(s.title), "items": list(s.items)} for s in table.sections],
    }


def said_item(name: str, item: Item, version_id: int) -> dict[str, Any]:
    assert item.field is not None
    limits = limits_of(item, version_id)
    return {
        "name": name,
        "oid": item.oid,
        "labels": in_both(item.field.verbose_name),
        "type": item.data_type,
        "unit": item.unit,
        "units": [said_unit(unit, conversion) for unit, conversion in item.units.items()],
        "choices": list(said_codes(item.choices)),
        "required": item.required,
        "derived": item.derived,
        "places": item.places,
        "usual": said_range(limits.usual),
        "plausible": said_range(limits.plausible),
        "sdtm": item.sdtm,
    }


def said_unit(unit: str, conversion: Conversion) -> dict[str, str]:
    return {"unit": unit, "factor": str(conversion.factor), "offset": str(conversion.offset)}


def said_codes(choices: Any) -> Iterator[dict[str, Any]]:
    for code, text in choices:
        yield {"code": str(code), "text": in_both(text)}


def said_range(interval: Interval | None) -> dict[str, str | None] | None:
    if interval is None:
        return None
    return {"low": said_bound(interval.low), "high": said_bound(interval.high)}


def said_bound(bound: Any) -> str | None:
    return None if bound is None else f"{bound.normalize():f}"


routes: list[URLPattern] = [
    path("forms/", FormDefinitions.as_view(LIST)),
    path("forms/<slug:slug>/", FormDefinition.as_view(DETAIL)),
]
