"""The endpoints of the study in the API: the same reading as the page and the files."""

from __future__ import annotations

import datetime as dt

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.api.endpoint_answers import (
    CourseAnswer,
    EndpointsAnswer,
    said_course,
    said_endpoints,
)
from outcomes.endpoints.course import Course
from outcomes.selectors.courses import courses_of
from outcomes.selectors.endpoints import endpoints_of
from trialsite.access.capabilities import Capability
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL, LIST, SEES
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version, sites_of

_PARAMETERS = [
    OpenApiParameter("site", str, description="SITEID; else all sites you may see."),
    OpenApiParameter(
        "on", dt.date, description="Leave out what is dated later; else the present day."
    ),
]


class OfCourses(Endpoint):
    """Base of what is read off the courses of enrolled subjects."""

    policy = {"GET": SEES}
    parameters = frozenset({"site", "on"})

    def site(self) -> str:
        """The site asked for; one that the person may not see does not exist."""
        code: str = self.request.GET.get("site", "")
        if code and not sites_of(self.request.user).filter(code=code).exists():
            raise NotFound
        return code

    def on(self) -> dt.date | None:
        text = self.request.GET.get("on")
        try:
            return dt.date.fromisoformat(text) if text is not None else None
        except ValueError as error:
            raise ValidationError({"on": [_("This value cannot be used here.")]}) from error

    def courses(self) -> list[Course]:
        return courses_of(self.request.user, site=self.site(), on=self.on())


class StudyEndpoints(OfCourses):
    serializer_class = EndpointsAnswer

    @extend_schema(parameters=_PARAMETERS)
    def retrieve(self, request: Request) -> Response:
        """Survival, transplant-free survival, conversion and milestones, with who is behind them.

        Everything is computed from the records. Where there is no estimate, its reason stands.
        """
        user, site = self.request.user, self.site()
        protocol = protocol_of(current_version().pk)
        found = endpoints_of(self.courses(), protocol, self.on())
        codes = [site] if site else sorted(sites_of(user).values_list("code", flat=True))
        study_wide = not site and user.access.study_wide(Capability.VIEW_CASEBOOK)
        return Response(said_endpoints(found, sites=codes, study_wide=study_wide))


class Courses(OfCourses):
    serializer_class = CourseAnswer

    @extend_schema(parameters=_PARAMETERS)
    def list(self, request: Request) -> Response:
        """Every enrolled subject you may see: dates, and time and status of each endpoint."""
        chosen = self.paginate_queryset(self.courses()) or []
        return self.get_paginated_response([said_course(each) for each in chosen])


routes: list[URLPattern] = [
    path("endpoints/", StudyEndpoints.as_view(DETAIL)),
    path("endpoints/courses/", Courses.as_view(LIST)),
]
