"""Usual and plausible ranges of items: protocol data of the version a record is under."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from trialsite.casebook.protocols import protocol_of
from trialsite.crf.items import Item
from trialsite.protocol import Interval


@dataclass(frozen=True, slots=True)
class Limits:
    """Outside `usual` a value is asked about; outside `plausible` it must be confirmed."""

    usual: Interval | None = None
    plausible: Interval | None = None


NO_LIMITS = Limits()


@lru_cache(maxsize=16)
def _table(version_id: int) -> dict[str, Limits]:
    return {
        each.item: Limits(usual=each.soft, plausible=each.hard)
        for each in protocol_of(version_id).item_limits
    }


def limits_of(item: Item, version_id: int) -> Limits:
    """The limits of an item under a protocol version."""
    return _table(version_id).get(item.limits, NO_LIMITS) if item.limits else NO_LIMITS


def required_by(version_id: int) -> frozenset[str]:
    """Item OIDs that a protocol version requires beyond what the forms do."""
    plan = protocol_of(version_id).sessions
    return frozenset(plan.required_items) if plan is not None else frozenset()


def text_of(interval: Interval) -> str:
    """The interval as a person reads it: `90–160`, `≥ 5`."""
    low = "" if interval.low is None else f"{interval.low.normalize():f}"
    high = "" if interval.high is None else f"{interval.high.normalize():f}"
    if low and high:
        return f"{low}–{high}"
    return f"≥ {low}" if low else f"≤ {high}"
