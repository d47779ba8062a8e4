"""What of a session is proposed as a deviation from the protocol."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Importance

OFF_DURATION = declare_kind(
    "session_duration",
    _("Session shorter or longer than prescribed"),
    category=Category.TREATMENT,
    importance=Importance.MINOR,
)
SHORT_GAP = declare_kind(
    "session_gap",
    _("Session too soon after the one before"),
    category=Category.TREATMENT,
    importance=Importance.MINOR,
)
TOO_MANY = declare_kind(
    "session_count",
    _("More sessions than the protocol plans"),
    category=Category.TREATMENT,
    importance=Importance.MINOR,
)
IN_SPITE = declare_kind(
    "session_in_spite",
    _("Session entered afterwards that could not have been started"),
    category=Category.TREATMENT,
    importance=Importance.MAJOR,
)
