"""What items and allergens that the criteria speak of are called in the present language."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from screening.eligibility.words import Speaker
from screening.models.forms import Allergies
from screening.models.forms.allergies import AGENTS
from trialsite.access.models import Site
from trialsite.crf.items import all_items_of
from trialsite.crf.registry import items_by_oid
from trialsite.protocol import Protocol


def speaker_for(protocol: Protocol, site: Site) -> Speaker:
    """Says verdicts in the present language, with the clock of the site."""
    zone: dt.tzinfo = ZoneInfo(site.time_zone)
    return Speaker(protocol, names=names(), zone=zone)


def names() -> dict[str, str]:
    """Item OID and allergen -> label."""
    agents = all_items_of(Allergies)
    return {
        **{oid: item.label for oid, (_table, item) in items_by_oid().items()},
        **{agent: agents[agent].label for agent in AGENTS},
    }
