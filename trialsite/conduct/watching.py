"""What a rule looks at now: the apps above conduct say it for the rules they feed.

Nothing here decides anything. The figures are of the whole study and are made only for
whoever sees every site (decisions C7, D6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trialsite.conduct.models import ProposedHold
from trialsite.protocol.proposals import HoldProposal, HoldTrigger, MonitorProposal

#: The event of a monitor's proposals; triggers of hold rules have names of their own.
MONITOR = "monitor"

Watchable = HoldProposal | MonitorProposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A rule's inputs as they are now, and whether they meet it.

    `met` is None where the rule does not say enough to be judged; `says` is in words.
    """

    inputs: tuple[tuple[str, str], ...] = ()
    met: bool | None = False
    says: str = ""
    #: What else a page may show of the rule: for a monitor, its boundaries.
    more: Mapping[str, Any] | None = None


Watcher = Callable[[Any], Watched]

_watchers: dict[str, Watcher] = {}


def watch(kind: HoldTrigger | str, watcher: Watcher) -> None:
    """Register who knows what the rules of a trigger, or the monitors, look at."""
    _watchers[str(kind)] = watcher


def watched(rule: Watchable) -> Watched:
    """A rule's inputs now. A rule on single events nobody counts shows what it proposed."""
    kind = str(rule.trigger) if isinstance(rule, HoldProposal) else MONITOR
    watcher = _watchers.get(kind)
    return watcher(rule) if watcher is not None else _by_proposals(rule)


Counts = Callable[[], list[tuple[str, str]]]

_counts: list[Counts] = []


def tell_counts(teller: Counts) -> None:
    """Register who knows figures of the whole study that a safety committee reads."""
    _counts.append(teller)


def counts_now() -> list[tuple[str, str]]:
    """Those figures, by label, in the present language."""
    return [pair for teller in _counts for pair in teller()]


def _by_proposals(rule: Watchable) -> Watched:
    counted = ProposedHold.objects.filter(rule=rule.key).aggregate(
        standing=Count("pk", filter=Q(cause_ended_at=None)), every=Count("pk")
    )
    standing, ended = counted["standing"], counted["every"] - counted["standing"]
    inputs = [(_("Events that stand"), str(standing))]
    if ended:
        inputs.append((_("Taken back"), str(ended)))
    says = ngettext("%(n)d such event stands.", "%(n)d such events stand.", standing)
    return Watched(
        inputs=tuple(inputs),
        met=standing > 0,
        says=says % {"n": standing} if standing else _("No such event."),
    )
