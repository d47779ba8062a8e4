"""Deviations to test with: a rule that proposes, facts, one proposed and one reported."""

from __future__ import annotations

import datetime as dt
from typing import Any

from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Deviation, Importance
from trialsite.conduct.services.deviations import DeviationFacts, propose_deviation
from trialsite.core.context import Channel, acting
from trialsite.core.partial_dates import PartialDate

WINDOW = declare_kind(
    "tests.window", "Visit outside its window", category=Category.VISIT, importance=Importance.MINOR
)
LIST = "/deviations/"
TODAY = dt.date(2026, 3, 1)


def facts(**changes) -> DeviationFacts:
    stated: dict[str, Any] = {
        "description": "Blood drawn two days late",
        "importance": Importance.MINOR,
        "categories": [Category.VISIT],
        "occurred_on": PartialDate(2026, 2),
        "discovered_on": TODAY,
    }
    return DeviationFacts(**stated | changes)


def propose(site: Site, key: str = "visit/1", **fields) -> Deviation:
    with acting(system_context("windows", Channel.COMMAND)):
        return propose_deviation(
            site=site, kind=WINDOW.code, key=key, description="Day 7 on day 10", **fields
        )
