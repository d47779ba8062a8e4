"""What items and allergens that the criteria speak of are called in the present language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from zoneinfo import ZoneInfo

from screening.eligibility.words import Speaker
from screening.models.forms import Allergies
from screening.models.forms.allergies import AGENTS
from trialsite.access.models import Site
from trialsite.crf.items import Item, all_items_of
from trialsite.crf.registry import items_by_oid
from trialsite.protocol import Protocol


def speaker_for(protocol: Protocol, site: Site) -> Speaker:
    """Says verdicts in the present language, with the clock of the site."""
    zone: dt.tzinfo = ZoneInfo(site.time_zone)
    return Speaker(protocol, names=LABELS, zone=zone)


@cache
def _named() -> dict[str, Item]:
    """What the criteria may speak of: items by their OID, allergens by their name."""
    agents = all_items_of(Allergies)
    return {
        **{oid: item for oid, (_table, item) in items_by_oid().items()},
        **{agent: agents[agent] for agent in AGENTS},
    }


class _Labels(Mapping[str, str]):
    """Item OID and allergen -> label in the language of whoever asks, said when it is asked."""

    def __getitem__(self, name: str) -> str:
        return _named()[name].label

    def __iter__(self) -> Iterator[str]:
        return iter(_named())

    def __len__(self) -> int:
        return len(_named())


LABELS = _Labels()
