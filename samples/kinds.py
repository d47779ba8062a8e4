"""What of samples is proposed as a deviation from the protocol."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Importance

FROZEN_LATE = declare_kind(
    "sample_frozen_late",
    _("Sample frozen later than planned"),
    category=Category.SAMPLE,
    importance=Importance.MINOR,
)
NOT_COLLECTED = declare_kind(
    "sample_not_collected",
    _("Planned sample not collected"),
    category=Category.SAMPLE,
    importance=Importance.MINOR,
)
WARM_STORAGE = declare_kind(
    "sample_storage_warm",
    _("Samples kept warmer than planned"),
    category=Category.SAMPLE,
    importance=Importance.MINOR,
)
