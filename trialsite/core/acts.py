"""Acts that leave no changed row behind, noted in the trail."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
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
    note_acts(act, [details or {}], site_id=site_id, subject_id=subject_id, record_id=record_id)


def note_acts(
    act: str,
    each: Sequence[dict[str, Any]],
    *,
    site_id: int | None = None,
    subject_id: uuid.UUID | None = None,
    record_id: uuid.UUID | None = None,
) -> None:
    """Enter one act after the other into the trail, each with its details, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trialsite.note_act(%s, %s, %s, %s, act.details::jsonb) "
            "FROM unnest(%s::text[]) WITH ORDINALITY AS act (details, place) ORDER BY act.place",
            [act, site_id, subject_id, record_id, [json.dumps(details) for details in each]],
        )
