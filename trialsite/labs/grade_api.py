"""The CTCAE grades of results in the API: computed when asked, never sent."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import keys_of
from trialsite.casebook.api import LIST, SEES
from trialsite.labs.grades import Graded, graded_results
from trialsite.labs.grading import Based, Direction, Why
from trialsite.labs.models import LabResult, digits


class LabGradeAnswer(serializers.Serializer[Any]):
    result = serializers.UUIDField()
    record = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    analyte = serializers.CharField()
    drawn_at = serializers.DateTimeField()
    before_treatment = serializers.BooleanField()
    grade = serializers.IntegerField(allow_null=True, help_text="Empty: not gradable, see why")
    at_least = serializers.BooleanField(help_text="What no number shows may make it higher")
    direction = serializers.ChoiceField(
        choices=[each.value for each in Direction], allow_null=True, help_text="Of the term"
    )
    term = serializers.CharField(help_text="The CTCAE term of a grade above 0")
    based = serializers.ChoiceField(choices=[each.value for each in Based])
    why = serializers.ChoiceField(choices=["", *(each.value for each in Why if each.value)])
    version = serializers.CharField()
    baseline = serializers.CharField(allow_null=True, help_text="In the protocol's unit")
    baseline_result = serializers.UUIDField(allow_null=True)
    baseline_grade = serializers.IntegerField(allow_null=True)


def said_grade(graded: Graded) -> dict[str, Any]:
    """A graded result as the API and the dataset say it."""
    row, grade, before = graded.result, graded.grade, graded.baseline
    return {
        "analyte": row.analyte,
        "drawn_at": row.drawn,
        "before_treatment": graded.before,
        **{name: getattr(grade, name) for name in ("grade", "at_least", "direction", "term")},
        **{name: getattr(grade, name) for name in ("based", "why", "version")},
        "baseline": digits(before.canonical) if before is not None else None,
        "baseline_result": before.pk if before is not None else None,
        "baseline_grade": graded.baseline_grade.grade if graded.baseline_grade else None,
    }


class LabGrades(Endpoint):
    policy = {"GET": SEES}
    serializer_class = LabGradeAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "analyte": Filter("analyte"),
    }

    def list(self, request: Request) -> Response:
        """Standing, dated results with a value, each with its grade and its baseline's."""
        seen = LabResult.objects.visible_to(self.request.user).filter(
            voided_at=None, panel__record__voided_at=None, panel__collected_at__isnull=False
        )
        rows = seen.exclude(value=None).select_related("subject__site")
        ordered = rows.order_by(
            "site__code", "subject__screening_number", "panel__collected_at", "analyte", "pk"
        )
        chosen: Any = self.paginate_queryset(self.narrow(ordered)) or []
        grades = {
            each.result.pk: each
            for found in graded_results({row.subject_id for row in chosen}).values()
            for each in found
        }
        return self.get_paginated_response(
            [
                {
                    "result": row.pk,
                    "record": row.panel_id,
                    **keys_of(row.subject),
                    "subject": row.subject_id,
                    **said_grade(grades[row.pk]),
                }
                for row in chosen
            ]
        )


routes: list[URLPattern] = [path("lab-grades/", LabGrades.as_view(LIST))]
