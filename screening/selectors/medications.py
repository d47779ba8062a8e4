"""Reading about concomitant medication."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from screening.models.forms.medication import Category, Medication
from trialsite.crf.models import stored
from trialsite.labs.background import Period


def anticoagulant_periods(
    subjects: Collection[uuid.UUID],
) -> Mapping[uuid.UUID, Sequence[Period]]:
    """When subjects were given an anticoagulant as a medication; one query.

    The anticoagulant of a circuit is no medication: it stands with its session.
    """
    found: dict[uuid.UUID, list[Period]] = defaultdict(list)
    rows = stored(Medication).filter(
        subject_id__in=list(subjects),
        record__voided_at=None,
        category=Category.ANTICOAGULANT,
    )
    for row in rows:
        found[row.subject_id].append(
            Period(start=row.started_on, end=row.ended_on, ongoing=bool(row.ongoing))
        )
    return found
