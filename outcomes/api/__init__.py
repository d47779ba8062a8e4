"""Outcomes in the API: adverse events and deaths are forms; here is what begins them."""

from __future__ import annotations

from django.urls import URLPattern

from outcomes.api.beginnings import routes as beginnings
from outcomes.api.safety import routes as safety

routes: list[URLPattern] = [*beginnings, *safety]
from outcomes.api.events import routes as events
from outcomes.api.outcome import routes as outcome

routes: list[URLPattern] = [*beginnings, *events, *outcome]
