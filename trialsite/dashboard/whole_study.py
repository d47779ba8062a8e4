"""The part of a casebook that belongs to no visit: forms with many records over the study."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from trialsite.casebook.models import CrfRecord
from trialsite.crf.items import items_of
from trialsite.crf.models import stored
from trialsite.crf.registry import forms
from trialsite.dashboard.casebook import FormRow


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, and what it is about."""

    record: CrfRecord
    caption: str


@dataclass(frozen=True, slots=True)
class StudyForm:
    """A form and its records outside visits; with a slug, one more can be opened."""

    title: str
    slug: str
    entries: list[Entry]


def whole_study(loose: Iterable[FormRow], *, may_enter: bool) -> list[StudyForm]:
    """Forms outside visits, in the order of the rows, then those nobody has begun.

    One query for each form whose records are told apart by an item of theirs.
    """
    rows = {row.form_oid: row for row in loose}
    addable = [oid for oid, form in forms().items() if form.startable and may_enter]
    return [
        StudyForm(
            title=rows[oid].title if oid in rows else str(forms()[oid].title),
            slug=forms()[oid].slug if oid in addable else "",
            entries=_entries(oid, rows[oid].cells[0]) if oid in rows else [],
        )
        for oid in dict.fromkeys([*rows, *addable])
    ]


def _entries(form_oid: str, records: list[CrfRecord]) -> list[Entry]:
    captions = _captions(form_oid, records)
    return [Entry(record, captions.get(record.pk, "")) for record in records]


def _captions(form_oid: str, records: list[CrfRecord]) -> dict[uuid.UUID, str]:
    form = forms().get(form_oid)
    if form is None or form.data is None or not form.data.caption:
        return {}
    rows = stored(form.data).filter(record__in=records)
    found = rows.values_list("record_id", form.data.caption)
    words = dict(items_of(form.data)[form.data.caption].choices)
    return {pk: str(words.get(text, text)) for pk, text in found if text}
