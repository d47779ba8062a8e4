"""What apps above do when the times of a treatment session change."""

from __future__ import annotations

from collections.abc import Callable

from trialsite.access.models import User
from visits.models import TreatmentSession

Follower = Callable[[TreatmentSession, User], None]

_followers: list[Follower] = []


def after_times(follower: Follower) -> Follower:
    """Call this with every session whose times were stored or that was voided, and by whom.

    It runs inside the transaction of the act; named in `AppConfig.ready` of the app above.
    """
    _followers.append(follower)
    return follower


def tell(session: TreatmentSession, by: User) -> None:
    """Tell everybody who asked that the times of this session stand as they do now."""
    for follower in _followers:
        follower(session, by)
