"""The rules a protocol proposes for safety: what each says, and whether it is in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from trialsite.conduct.models import RuleActivation, RuleKind
from trialsite.protocol import Protocol
from trialsite.protocol.proposals import GateProposal, HoldProposal, MonitorProposal
from trialsite.protocol.values import Label
from trialsite.review.signatures import canonical, stands

Proposal = HoldProposal | GateProposal | MonitorProposal

ACTIVATED = "rule_decided"


class Standing(StrEnum):
    """Whether a rule is in force."""

    OFF = "off"
    ACTIVE = "active"
    #: Switched on for other parameters than the protocol has now: to be signed anew.
    CHANGED = "changed"


STANDINGS = {
    Standing.OFF: gettext_lazy("Not active"),
    Standing.ACTIVE: gettext_lazy("Active"),
    Standing.CHANGED: gettext_lazy("Changed since it was signed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One proposal of a protocol with the last decision about it."""

    kind: RuleKind
    proposal: Proposal
    decision: RuleActivation | None

    @property
    def key(self) -> str:
        return self.proposal.key

    @property
    def name(self) -> str:
        return self.proposal.name.in_language(get_language() or "en")

    @property
    def standing(self) -> Standing:
        """A decision counts while its signature stands; nothing is on by default (C7)."""
        decision = self.decision
        if decision is None or not decision.active:
            return Standing.OFF
        if not stands(decision.signature, content_of_decision(decision)):
            return Standing.OFF
        return (
            Standing.ACTIVE if decision.content == content_of(self.proposal) else Standing.CHANGED
        )

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """What the file says of it, by label, for a page."""
        language = get_language() or "en"
        return [
            (label.in_language(language), _in_words(value))
            for label, value in _labelled(self.proposal)
            if value is not None
        ]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def content_of(proposal: Proposal) -> str:
    """The rule as it is signed: its parameters, not the wording of its name."""
    values = {name: value for name, value in asdict(proposal).items() if name not in _WORDS}
    return canonical(values)


_WORDS = frozenset({"name", "active"})


def content_of_decision(decision: RuleActivation) -> str:
    """What the principal investigator signs with a decision."""
    return canonical(
        {
            "kind": decision.kind,
            "rule": decision.rule,
            "number": decision.number,
            "parameters": decision.content,
            "active": decision.active,
            "reason": decision.reason,
        }
    )


def _labelled(proposal: Proposal) -> Iterator[tuple[Any, Any]]:
    """The labels stand with the fields of the proposal itself."""
    hints = type(proposal).__annotations__
    for field in fields(proposal):
        for value in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(value, Label):
                yield value.text, getattr(proposal, field.name)


def proposals_of(protocol: Protocol) -> Iterator[tuple[RuleKind, Proposal]]:
    """Every proposal of a protocol, in the order of its file."""
    proposed = protocol.proposals
    for each in proposed.holds:
        yield RuleKind.HOLD, each
    for gate in proposed.gates:
        yield RuleKind.GATE, gate
    for monitor in proposed.monitors:
        yield RuleKind.MONITOR, monitor


def rules_of(protocol: Protocol) -> list[Rule]:
    """Every proposed rule with the last decision about it; one query."""
    last: dict[tuple[str, str], RuleActivation] = {}
    for decision in RuleActivation.objects.select_related("signature", "decided_by", "version"):
        last[decision.kind, decision.rule] = decision
    return [
        Rule(kind=kind, proposal=proposal, decision=last.get((str(kind), proposal.key)))
        for kind, proposal in proposals_of(protocol)
    ]
