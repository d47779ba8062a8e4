"""What the demonstration's safety committee will look at."""

from __future__ import annotations

from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.selectors import current_version
from trialsite.conduct.models import SafetySnapshot
from trialsite.conduct.services.snapshots import take_snapshot
from trialsite.core.context import Channel, acting


def prepare_meeting(by: User) -> SafetySnapshot:
    """The data cut for the committee's next meeting, taken today."""
    with acting(context_of(by, Channel.COMMAND)):
        return take_snapshot(
            version=current_version(), purpose="Safety committee, first meeting (SYNTHETIC)", by=by
        )
