from __future__ import annotations

from django.urls import URLPattern

from screening.api.consent import routes as consent
from screening.api.eligibility import routes as eligibility
from screening.api.identity import routes as identity
from screening.api.log import routes as log

routes: list[URLPattern] = [*log, *identity, *consent, *eligibility]
