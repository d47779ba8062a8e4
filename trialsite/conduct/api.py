"""The study's conduct in the API: holds, rules, reviews, deviations."""

from __future__ import annotations

from django.urls import URLPattern

from trialsite.conduct.deviation_api import routes as deviations
from trialsite.conduct.hold_api import routes as holds
from trialsite.conduct.proposal_api import routes as proposals
from trialsite.conduct.snapshot_api import routes as snapshots

routes: list[URLPattern] = [*holds, *proposals, *snapshots, *deviations]
