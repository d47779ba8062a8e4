"""Changes from baseline and trends of markers in the API: the same reading as page and files."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.api.endpoints import OfCourses
from outcomes.changes.change import Box
from outcomes.selectors.biomarkers import biomarkers_of
from outcomes.selectors.change_rows import change_rows, summary_rows, trend_rows
from outcomes.selectors.changes import Changes, changes_of
from trialsite.casebook.api import LIST
from trialsite.casebook.selectors import current_version
from trialsite.protocol import Protocol
from trialsite.review.assumptions import confirmed_protocol

PARAMETERS = [
    OpenApiParameter("site", str, description="SITEID; else all sites you may see."),
    OpenApiParameter(
        "on", dt.date, description="Leave out what is dated later; else the present day."
    ),
]
_BOXES = [box.value for box in Box]


def _number(help_text: str = "") -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=None,
        decimal_places=None,
        allow_null=True,
        normalize_output=True,
        help_text=help_text,
    )


class WhoseAnswer(serializers.Serializer[Any]):
    site = serializers.CharField()
    subject = serializers.UUIDField()
    number = serializers.CharField()
    day_zero = serializers.DateField(allow_null=True)
    data_up_to = serializers.DateField(help_text="What is dated later is left out.")


class MeasuredAnswer(serializers.Serializer[Any]):
    measure = serializers.CharField(help_text="HEGRADE (0 to 4), MELD, PTA or BILI.")
    version = serializers.CharField(allow_null=True, help_text="Of a score.")
    version_confirmed = serializers.BooleanField()
    for_comparison = serializers.BooleanField(
        help_text="Shown because the protocol's version is an assumption nobody has confirmed."
    )
    unit = serializers.CharField(allow_null=True)
    day = serializers.IntegerField(help_text="The protocol's day, from day zero.")
    event = serializers.CharField()


class ChangeAnswer(WhoseAnswer, MeasuredAnswer):
    """A subject at a milestone; `change` = `value` - `baseline` where `box` is counted."""

    box = serializers.ChoiceField(choices=_BOXES)
    baseline = _number()
    baseline_text = serializers.CharField(allow_null=True)
    baseline_at = serializers.DateTimeField(allow_null=True)
    baseline_record = serializers.UUIDField(allow_null=True)
    baseline_soon_after_purification = serializers.BooleanField()
    value = _number()
    value_text = serializers.CharField(allow_null=True)
    value_at = serializers.DateTimeField(allow_null=True)
    value_record = serializers.UUIDField(allow_null=True)
    soon_after_purification = serializers.BooleanField()
    change = _number()


class SpreadAnswer(serializers.Serializer[Any]):
    median = _number()
    low = _number()
    high = _number()


class BoxCountAnswer(serializers.Serializer[Any]):
    box = serializers.ChoiceField(choices=_BOXES)
    count = serializers.IntegerField()


class ChangeSummaryAnswer(MeasuredAnswer):
    """A milestone: medians and ranges are of the counted; the boxes add up to `subjects`."""

    subjects = serializers.IntegerField()
    counted = serializers.IntegerField()
    boxes = BoxCountAnswer(many=True)
    baseline = SpreadAnswer(allow_null=True)
    value = SpreadAnswer(allow_null=True)
    change = SpreadAnswer(allow_null=True)
    lower = serializers.IntegerField()
    same = serializers.IntegerField()
    higher = serializers.IntegerField()


class TrendAnswer(WhoseAnswer):
    """One value of a marker: `value`, or `limit` where only that is known."""

    analyte = serializers.CharField()
    unit = serializers.CharField()
    event = serializers.CharField(allow_null=True)
    study_day = serializers.IntegerField(allow_null=True)
    drawn_at = serializers.DateTimeField()
    text = serializers.CharField(help_text="As printed.")
    comparator = serializers.CharField(allow_null=True)
    value = _number("In the protocol's unit.")
    limit = _number("In the protocol's unit; never a number to compute with.")
    is_baseline = serializers.BooleanField()
    baseline = _number()
    baseline_limit = _number()
    ratio = _number("Value / baseline, both numbers, to nine decimals.")
    ratio_limit = _number("Limit / baseline.")
    hours_since_purification = _number()
    soon_after_purification = serializers.BooleanField()
    laboratory = serializers.CharField(allow_null=True)
    other_laboratory = serializers.BooleanField(
        help_text="Another than of the value before, where two laboratories do not compare."
    )
    routine_care = serializers.BooleanField()
    record = serializers.UUIDField()


class Rows(OfCourses):
    """Base of these lists."""

    def protocol(self) -> Protocol:
        return confirmed_protocol(current_version().pk)

    def changes(self) -> Changes:
        return changes_of(self.courses(), self.protocol())

    def answer(self, rows: Any) -> Response:
        chosen = self.paginate_queryset(list(rows)) or []
        return self.get_paginated_response(self.get_serializer(chosen, many=True).data)


class ChangesOfSubjects(Rows):
    serializer_class = ChangeAnswer

    @extend_schema(operation_id="changes_list", parameters=PARAMETERS)
    def list(self, request: Request) -> Response:
        """Change from baseline of each subject, measure and milestone."""
        return self.answer(change_rows(self.changes()))


class ChangeSummaries(Rows):
    serializer_class = ChangeSummaryAnswer

    @extend_schema(operation_id="changes_summary_list", parameters=PARAMETERS)
    def list(self, request: Request) -> Response:
        """Change from baseline of each measure and milestone, together."""
        return self.answer(summary_rows(self.changes()))


class Trends(Rows):
    serializer_class = TrendAnswer

    @extend_schema(operation_id="biomarkers_list", parameters=PARAMETERS)
    def list(self, request: Request) -> Response:
        """Every value of the protocol's markers, absolute and times the baseline."""
        return self.answer(trend_rows(biomarkers_of(self.courses(), self.protocol())))


routes: list[URLPattern] = [
    path("changes/", ChangesOfSubjects.as_view(LIST)),
    path("changes/summary/", ChangeSummaries.as_view(LIST)),
    path("biomarkers/", Trends.as_view(LIST)),
]
