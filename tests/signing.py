"""Signing in tests: a proof made on the spot, and what a page or an endpoint must be sent."""

from __future__ import annotations

from django.utils import timezone

from tests.access.browser import code_of
from tests.factories import PASSWORD
from trialsite.access.models import User
from trialsite.access.signing import SigningProof


def proof_of(user: User) -> SigningProof:
    """As if the person had just shown both factors."""
    return SigningProof(user_id=user.pk, at=timezone.now(), method="command")


def factors_of(user: User, *, later: int = 0) -> dict[str, str]:
    """What the person types to sign; a second signature needs a later code."""
    return {"password": PASSWORD, "code": code_of(user, later=later)}
