"""What follows from voiding a record: whoever stands above is told, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord

Follower = Callable[[CrfRecord, User], None]

_followers: list[Follower] = []


def after_void(follower: Follower) -> Follower:
    """Call this with every record that is voided, and by whom; what it refuses stops the act."""
    _followers.append(follower)
    return follower


def follow_void(record: CrfRecord, by: User) -> None:
    """Tell everybody who asked that this record has just been voided."""
    for follower in _followers:
        follower(record, by)
