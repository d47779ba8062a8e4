"""The reviews at a gate that stand: what was signed, and whom they let pass."""

from __future__ import annotations

import uuid

from trialsite.conduct.models import OPENING, GateReview
from trialsite.review.signatures import canonical, stands


def content_of_review(review: GateReview) -> str:
    """What is signed with a review; of the snapshot also what it holds."""
    names = ("gate", "number", "decision", "meeting_on", "document", "comment", "enrolled")
    more = ("with_data", "next_after", "next_on", "version_id", "snapshot_id")
    frozen = review.snapshot.sha256 if review.snapshot is not None else ""
    covers = sorted(str(each) for each in review.covers)
    said = {name: getattr(review, name) for name in (*names, *more)}
    return canonical(said | {"snapshot_sha256": frozen, "covers": covers})


def standing_reviews(gate: str) -> list[GateReview]:
    """The reviews of a gate whose signatures stand, the last one first."""
    rows = GateReview.objects.filter(gate=gate).order_by("-number")
    found = rows.select_related("signature", "recorded_by", "snapshot")
    return [each for each in found if stands(each.signature, content_of_review(each))]


def last_review(gate: str) -> GateReview | None:
    """The review in force at a gate: the last one whose signature stands."""
    return next(iter(standing_reviews(gate)), None)


def released_by(reviews: list[GateReview]) -> list[uuid.UUID]:
    """The subjects whom standing reviews let pass a sentinel gate without their data."""
    return sorted({each for one in reviews if one.decision in OPENING for each in one.covers})
