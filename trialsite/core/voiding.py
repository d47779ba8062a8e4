"""Nothing is deleted: what was entered by mistake is voided, with its reason (decisions H4)."""

from __future__ import annotations

from django.db.models import Q

#: Of a table whose voiding says when and why; who did it stands in the trail.
VOIDED_WITH_REASON = Q(voided_at=None, void_reason="") | (
    Q(voided_at__isnull=False) & ~Q(void_reason="")
)
#: Of a table that also says by whom.
VOIDED_IFF_REASON = Q(voided_at=None, voided_by=None, void_reason="") | (
    Q(voided_at__isnull=False, voided_by__isnull=False) & ~Q(void_reason="")
)
