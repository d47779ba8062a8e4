"""Window compliance through the API: the same figures as on the page."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import LIST
from trialsite.casebook.models import Visit
from trialsite.core.clock import trial_now
from trialsite.dashboard.compliance import Kept, Line, lines_of


class ComplianceAnswer(serializers.Serializer[Any]):
    """One site and event; `due` = in_window + out_of_window + missed + overdue."""

    site = serializers.CharField()
    event = serializers.CharField()
    due = serializers.IntegerField()
    in_window = serializers.IntegerField()
    out_of_window = serializers.IntegerField()
    days_out_median = serializers.DecimalField(
        max_digits=8, decimal_places=1, allow_null=True, help_text="Days to the nearest window day."
    )
    days_out_extreme = serializers.IntegerField(
        allow_null=True, help_text="The farthest; positive for late, negative for early."
    )
    missed = serializers.IntegerField()
    overdue = serializers.IntegerField()
    not_yet_due = serializers.IntegerField()
    not_required = serializers.IntegerField()
    percent_in_window = serializers.DecimalField(
        max_digits=4, decimal_places=1, allow_null=True, help_text="100 x in_window / due."
    )


def said_line(line: Line) -> dict[str, Any]:
    figures = line.figures
    assert line.site is not None
    answer = ComplianceAnswer(
        {
            "site": line.site.code,
            "event": line.event_oid,
            "due": figures.due,
            "days_out_median": figures.days_median,
            "days_out_extreme": figures.days_extreme,
            "percent_in_window": figures.percent,
            **{kept.value: figures.counts[kept] for kept in Kept},
        }
    )
    return dict(answer.data)


class Compliance(Endpoint):
    policy = {"GET": Policy(Audience.STAFF, Capability.VIEW_CASEBOOK)}
    serializer_class = ComplianceAnswer
    filters = {"site": Filter("site__code"), "event": Filter("event_oid")}

    @extend_schema(operation_id="compliance_list")
    def list(self, request: Request) -> Response:
        """How the visits keep their windows: one line for each site and event."""
        user = self.request.user
        sites = Site.objects.filter(pk__in=user.access.sites(Capability.VIEW_CASEBOOK))
        visits = self.narrow(Visit.objects.visible_to(user))
        lines = lines_of(visits, now=trial_now(), sites=sites)
        chosen = self.paginate_queryset(lines) or []
        return self.get_paginated_response([said_line(line) for line in chosen])


routes: list[URLPattern] = [path("compliance/", Compliance.as_view(LIST))]
