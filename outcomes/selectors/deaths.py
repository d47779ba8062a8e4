"""Reading about deaths."""

from __future__ import annotations

from outcomes.models import Death
from trialsite.casebook.models import CrfRecord, Subject


def death_record(subject: Subject) -> CrfRecord | None:
    """The standing record of a subject's death, filled in or not."""
    records = CrfRecord.objects.standing().filter(subject=subject, form_oid=Death.form_oid)
    return records.order_by("-repeat_key").first()
