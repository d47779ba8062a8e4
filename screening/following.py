"""What apps above do when a withdrawal is recorded, taken back or voided."""

from __future__ import annotations

from collections.abc import Callable

from trialsite.access.models import User
from trialsite.casebook.models import Subject

Follower = Callable[[Subject, User], object]

_followers: list[Follower] = []


def after_withdrawals(follower: Follower) -> Follower:
    """Call this with every subject whose withdrawals have changed, and by whom.

    It runs inside the transaction of the act; named in `AppConfig.ready` of the app above.
    """
    _followers.append(follower)
    return follower


def tell(subject: Subject, by: User) -> None:
    """Tell everybody who asked that the withdrawals of this subject stand as they do now."""
    for follower in _followers:
        follower(subject, by)
