"""Complete one form of a subject with what its nurse wrote."""

from __future__ import annotations

from tests.api.filling import texts_for
from tests.factories import Cast, as_person, make_record, make_subject
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import Saved, save_crf


def completed(cast: Cast, table: type[CrfData], **texts: str) -> Saved:
    """A record of the form with plausible texts, changed by these; an empty text empties."""
    record = make_record(make_subject(cast.site), form_oid=table.form_oid)
    entry = read_texts(table, texts_for(table) | texts)
    assert not entry.errors
    with as_person(cast.nurse):
        return save_crf(record=record, entry=entry, by=cast.nurse, base_version=0, complete=True)
