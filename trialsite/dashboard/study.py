"""The study as the pages name it."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of, visit_name
from trialsite.casebook.selectors import current_version
from trialsite.crf.registry import forms, items_by_oid
from trialsite.protocol import Protocol, ProtocolError, load

__all__ = ["form_title", "item_title", "study", "visit_name"]


@lru_cache(maxsize=2)
def _loaded(path: str) -> Protocol:
    return load(Path(path))


def study() -> Protocol | None:
    """The protocol file of this installation, read once for each process; None while it
    cannot be used (its page says why), for the other pages must go on."""
    try:
        return _loaded(str(settings.PROTOCOL_FILE))
    except (OSError, ProtocolError):
        return None


def target_enrolment() -> int | None:
    """How many are to be enrolled, by the version that the overview and the API go by."""
    try:
        return protocol_of(current_version().pk).study.target_enrolment
    except ProtocolVersion.DoesNotExist:
        file = study()
        return file.study.target_enrolment if file else None


def form_title(form_oid: str) -> str:
    """A form's heading; one that is no longer registered keeps its OID."""
    form = forms().get(form_oid)
    return str(form.title) if form else form_oid


def item_title(form_oid: str, item_oid: str) -> str:
    """The label of an item, as the form that has it shows it; a check over several forms asks
    on one about an item of another."""
    found = items_by_oid().get(item_oid)
    if found is not None:
        table, item = found
        return str(table._meta.get_field(item.name).verbose_name)  # type: ignore[union-attr]
    form = forms().get(form_oid)
    if form is not None and form.label_of is not None and item_oid:
        return form.label_of(item_oid)
    return item_oid


def window_margins() -> tuple[dt.timedelta, dt.timedelta]:
    """How far a window reaches before and after its target day, in any version of the study.

    A week is added, so that a target moved by hand inside its window is still found.
    """
    before = after = 0
    for version in ProtocolVersion.objects.values_list("pk", flat=True):
        for event in protocol_of(version).schedule.events:
            after = max(after, event.days_allowed or 0)
            if event.window is not None and event.target_day is not None:
                before = max(before, event.target_day - event.window.first)
                after = max(after, event.window.last - event.target_day)
    return dt.timedelta(days=before + 7), dt.timedelta(days=after + 7)
