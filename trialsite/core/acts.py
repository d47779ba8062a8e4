"""Acts that leave no changed row behind, noted in the trail."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import connection


def note_act(
    act: str,
    *,
    site_id: int | None = None,
    subject_id: uuid.UUID | None = None,
    record_id: uuid.UUID | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Enter an act into the trail under the present context."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.note_act(%s, %s, %s, %s, %s::jsonb)",
            [act, site_id, subject_id, record_id, json.dumps(details or {})],
        )
