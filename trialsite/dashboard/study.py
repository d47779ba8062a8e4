"""The study as the pages name it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from trialsite.casebook.protocols import visit_name
from trialsite.crf.items import all_items_of
from trialsite.crf.registry import forms
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


def form_title(form_oid: str) -> str:
    """A form's heading; one that is no longer registered keeps its OID."""
    form = forms().get(form_oid)
    return str(form.title) if form else form_oid


def item_title(form_oid: str, item_oid: str) -> str:
    """The label of an item as its form shows it."""
    form = forms().get(form_oid)
    for table in form.tables if form else ():
        for name, item in all_items_of(table).items():
            if item.oid == item_oid:
                return str(table._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    if form is not None and form.label_of is not None and item_oid:
        return form.label_of(item_oid)
    return item_oid
