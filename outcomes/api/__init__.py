"""Outcomes in the API: adverse events and deaths are forms; here is what begins them, what
tells of them, and their reporting."""

from __future__ import annotations

from django.urls import URLPattern

from outcomes.api.beginnings import routes as beginnings
from outcomes.api.events import routes as events
from outcomes.api.outcome import routes as outcome
from outcomes.api.safety import routes as safety

routes: list[URLPattern] = [*beginnings, *events, *outcome, *safety]
