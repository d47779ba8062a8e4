"""What the system knows already is put before a person as a draft, never into the casebook."""

from __future__ import annotations

from collections.abc import Mapping

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.crf.models import Draft
from trialsite.crf.services import save_draft


def propose_draft(record: CrfRecord, texts: Mapping[str, str], *, by: User) -> None:
    """Fill the person's draft of an untouched record; a draft they have begun stays theirs."""
    begun = Draft.objects.filter(record=record, user=by, part="").exclude(fields={})
    if record.version or begun.exists():
        return
    save_draft(record=record, texts=dict(texts), by=by, base_version=record.version)
