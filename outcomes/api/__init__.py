"""Outcomes in the API: adverse events and deaths are forms; here is what begins them."""

from __future__ import annotations

from django.urls import URLPattern

from outcomes.api.beginnings import routes as beginnings
from outcomes.api.safety import routes as safety

routes: list[URLPattern] = [*beginnings, *safety]
