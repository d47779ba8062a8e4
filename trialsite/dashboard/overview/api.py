"""The overview through the API: the same numbers as on the page, each with its rows."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL
from trialsite.core.clock import trial_now
from trialsite.dashboard.overview.board import Board, board_of
from trialsite.dashboard.overview.figures import FIGURES
from trialsite.dashboard.overview.scope import Scope, scope_of


class NumberAnswer(serializers.Serializer[Any]):
    """One count; the address `rows` lists as many rows as it says."""

    figure = serializers.ChoiceField(choices=[*FIGURES])
    part = serializers.CharField(allow_blank=True, help_text="Which part; empty: all of it.")
    site = serializers.CharField(allow_null=True, help_text="SITEID; null: all of `sites`.")
    title = serializers.CharField(help_text="In the language of the request.")
    count = serializers.IntegerField()
    rows = serializers.CharField(
        allow_null=True, help_text="The page of the rows; null for who may not read them."
    )


class OverviewAnswer(serializers.Serializer[Any]):
    """The study at a glance, of the sites named."""

    as_of = serializers.DateTimeField()
    anchor = serializers.CharField(
        allow_null=True, help_text="What day zero is; every milestone is counted from it."
    )
    target_enrolment = serializers.IntegerField(allow_null=True)
    sites = serializers.ListField(child=serializers.CharField())
    numbers = NumberAnswer(many=True)


def said_overview(board: Board, scope: Scope) -> dict[str, Any]:
    """The board as the API answers it."""
    answer = OverviewAnswer(
        {
            "as_of": board.now,
            "anchor": board.outcomes.anchor if board.outcomes else None,
            "target_enrolment": board.enrolled.target,
            "sites": scope.codes,
            "numbers": [
                {
                    "figure": each.figure,
                    "part": each.part,
                    "site": each.site or None,
                    "title": each.label,
                    "count": each.count,
                    "rows": each.href or None,
                }
                for each in board.numbers
            ],
        }
    )
    return dict(answer.data)


class Overview(Endpoint):
    policy = {"GET": Policy(Audience.STAFF, Capability.VIEW_OVERVIEW)}
    one_moment = True
    serializer_class = OverviewAnswer
    parameters = frozenset({"site"})

    @extend_schema(
        operation_id="overview_retrieve",
        parameters=[OpenApiParameter("site", str, description="SITEID; else all your sites.")],
    )
    def retrieve(self, request: Request) -> Response:
        """Enrolment, flow, screening, visits, sessions, endpoints, safety and samples in counts."""
        scope: Scope | None = scope_of(self.request.user, now=trial_now())
        code = self.request.GET.get("site", "")
        if code and scope is not None:
            scope = scope.at(code)
        if scope is None:
            raise NotFound
        return Response(said_overview(board_of(scope), scope))


routes: list[URLPattern] = [path("overview/", Overview.as_view(DETAIL))]
