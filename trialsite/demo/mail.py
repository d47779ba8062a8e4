"""The reminders of the demonstration's past, by the planners and the dispatcher people use.

They are planned and sent on the days they fell due, but leave the house by no server: a
mail of last month must not arrive today.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from trialsite.core.clock import trial_now
from trialsite.notify.delivery import deliver_due
from trialsite.notify.planning import plan_notices

_NOWHERE = "django.core.mail.backends.dummy.EmailBackend"


@contextmanager
def _no_way_out() -> Iterator[None]:
    """Let mails go nowhere and the gateway be none, in this process only."""
    before = settings.NOTIFY_DELIVERY_BACKEND, settings.NOTIFY_WEBHOOK_URL
    settings.NOTIFY_DELIVERY_BACKEND, settings.NOTIFY_WEBHOOK_URL = _NOWHERE, ""
    try:
        yield
    finally:
        settings.NOTIFY_DELIVERY_BACKEND, settings.NOTIFY_WEBHOOK_URL = before


def send_what_is_due() -> None:
    """What the worker would have done by this hour of this day."""
    now = trial_now()
    with _no_way_out():
        plan_notices(now)
        while deliver_due(now):
            pass
