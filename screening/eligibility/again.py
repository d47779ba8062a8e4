"""Making a kept evaluation again, to prove that it was what the data said."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.protocol import load_text

from .engine import evaluate
from .frozen import canonical_json, content_hash, thawed_facts
from .verdicts import Evaluation


def frozen(evaluation: Evaluation) -> str:
    """The evaluation as the canonical text that is kept and signed."""
    return canonical_json(evaluation)


def frozen_hash(evaluation: Evaluation) -> str:
    """What a signature binds."""
    return content_hash(frozen(evaluation))


def evaluation_of(facts_json: str, protocol_text: str, confirmed: Iterable[str] = ()) -> Evaluation:
    """The evaluation of kept facts under a kept protocol text with these confirmations."""
    protocol = load_text(protocol_text).with_confirmed(confirmed)
    return evaluate(protocol, thawed_facts(facts_json))
