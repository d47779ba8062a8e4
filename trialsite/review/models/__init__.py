"""Queries, signatures, confirmed assumptions."""

from trialsite.review.models.assumptions import ConfirmedAssumption
from trialsite.review.models.queries import Query, QueryMessage, QueryQuerySet, QueryStatus
from trialsite.review.models.signatures import Sense, Signature

__all__ = [
    "ConfirmedAssumption",
    "Query",
    "QueryMessage",
    "QueryQuerySet",
    "QueryStatus",
    "Sense",
    "Signature",
]
