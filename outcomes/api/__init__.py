"""Outcomes in the API: what is a form has its endpoints by itself; here is the rest."""

from __future__ import annotations

from django.urls import URLPattern

from outcomes.api.beginnings import routes as beginnings
from outcomes.api.changes import routes as changes
from outcomes.api.endpoints import routes as endpoints
from outcomes.api.events import routes as events
from outcomes.api.outcome import routes as outcome
from outcomes.api.safety import routes as safety
from outcomes.api.safety_reports import routes as safety_reports
from outcomes.api.safety_study import routes as safety_study

routes: list[URLPattern] = [
    *beginnings,
    *changes,
    *endpoints,
    *events,
    *outcome,
    *safety,
    *safety_reports,
    *safety_study,
]
