"""What signatures and hashes of the story are bound to, so that a copy's are true of the copy."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache

from outcomes.models import SaeReport
from outcomes.services.sae_reports import SIGNED as SAE_REPORT
from screening.models import EligibilityEvaluation
from screening.selectors.eligibility import SIGNED as ELIGIBILITY
from screening.selectors.eligibility import content_of as content_of_evaluation
from trialsite.demo.bulk.retold import MOST, Retold, key_of
from trialsite.review.models import Signature
from trialsite.review.signatures import SEALED, canonical, is_sealed, seal_of
from visits.models import LotDecision
from visits.services.products.lots import RELEASED, content_of_release


def _evaluation(target: uuid.UUID) -> str:
    found = EligibilityEvaluation.objects.select_related("protocol_version")
    return content_of_evaluation(found.prefetch_related("answers").get(pk=target))


def _report(target: uuid.UUID) -> str:
    return SaeReport.objects.values_list("content_hash", flat=True).get(pk=target)


def _release(target: uuid.UUID) -> str:
    decision = LotDecision.objects.select_related("lot").get(pk=target)
    return content_of_release(decision.lot, decision)


#: Kind of signature -> what was signed, by what stands under it.
CONTENTS: dict[str, Callable[[uuid.UUID], str]] = {
    ELIGIBILITY: _evaluation,
    SAE_REPORT: _report,
    RELEASED: _release,
}


def texts() -> Iterator[str]:
    """Every text whose hash the story keeps, what is within another before that one."""
    for evaluation in EligibilityEvaluation.objects.order_by("pk"):
        yield evaluation.facts
        yield evaluation.verdicts
        yield _evaluation(evaluation.pk)
    for content in SaeReport.objects.order_by("pk").values_list("content", flat=True):
        yield canonical(content)


def bind(retold: Retold) -> None:
    """Let each copy's hashes and seals be those of what the copy says."""
    for text in texts():
        retold.hashed(text)
    for signature in Signature.objects.order_by("pk"):
        if str(signature.target) in retold.keys:
            retold.values[signature.seal] = _resealed(retold, signature)


def _resealed(retold: Retold, signature: Signature) -> Callable[[int], str]:
    content = CONTENTS[signature.kind](signature.target)
    seal, *bound = (getattr(signature, name) for name in SEALED)
    if not is_sealed(content, seal, *bound):
        raise LookupError(f"Nobody can say what {signature.kind} {signature.target} is bound to.")
    kind, target, signer, sense, meaning = bound
    say_content, say_meaning = retold.telling(content), retold.telling(meaning)

    def tell(copy: int) -> str:
        own = uuid.UUID(key_of(target, copy))
        return seal_of(kind, own, signer, sense, say_meaning(copy), say_content(copy))

    return lru_cache(MOST)(tell)
