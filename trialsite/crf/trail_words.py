"""The trail in people's words: labels for columns, codes, persons and things."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from trialsite.access.models import Site, User
from trialsite.audit.models import Event, Operation
from trialsite.casebook.models import CrfRecord, ProtocolVersion, Subject, Visit
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.items import MissingReason, all_items_of, items_of
from trialsite.crf.models import ItemData
from trialsite.crf.registry import forms

#: Acts that change no row; an unknown one is shown by its name.
ACTS = {
    "signed_in": gettext_lazy("Signed in"),
    "signed_out": gettext_lazy("Signed out"),
    "sign_in_failed": gettext_lazy("Sign-in failed"),
    "signing_failed": gettext_lazy("Signing failed: wrong password or code"),
    "signed": gettext_lazy("Signed"),
    "signature_voided": gettext_lazy("Voided a signature"),
    "locked_out": gettext_lazy("Locked out after failed sign-ins"),
    "unlocked": gettext_lazy("Opened the idle lock"),
    "refused": gettext_lazy("Refused: not delegated"),
    "not_found": gettext_lazy("Asked for what is not there"),
    "invited": gettext_lazy("Invited"),
    "invited_again": gettext_lazy("Invited again"),
    "package_taken": gettext_lazy("Took a package of datasets"),
    "backed_up": gettext_lazy("Made a backup"),
    "restored": gettext_lazy("Restored the study from a backup"),
    "trail_does_not_account": gettext_lazy("Found rows that the trail does not explain"),
    "api_token_used": gettext_lazy("Wrote by an API token"),
    "invitation_taken": gettext_lazy("Took the invitation"),
    "deactivated": gettext_lazy("Deactivated"),
    "reactivated": gettext_lazy("Reactivated"),
    "notice_sent_again": gettext_lazy("Had a reminder sent again"),
    "notice_cancelled": gettext_lazy("Cancelled a reminder"),
    "access_report_downloaded": gettext_lazy("Downloaded the access report"),
    "attachment_downloaded": gettext_lazy("Downloaded a document"),
    "attachment_damaged": gettext_lazy("Found a document damaged"),
    "trail_exported": gettext_lazy("Exported the audit trail"),
    "enrolled": gettext_lazy("Enrolled"),
    "enrolment_voided": gettext_lazy("Took back an enrolment made in error"),
    "identity_revealed": gettext_lazy("Looked at identifiers"),
    "identity_searched": gettext_lazy("Searched by identifiers"),
    "identity_erased": gettext_lazy("Erased identifiers"),
}

#: Tables that no model declares, because the application cannot reach them.
_APART = {
    "identity": gettext_lazy("Identity"),
    "identifier": gettext_lazy("Identifier"),
}

#: Columns that only say where a row hangs, or repeat its content for machines.
_WIRING = frozenset({"id", "subject_id", "record_id", "query_id", "content_hash", "row_id"})
_FOLDED = {
    "missing": gettext_lazy("%(item)s: why there is no value"),
    "confirmed": gettext_lazy("%(item)s: comment of confirmation"),
}
#: Things whose text is a label; any other reference is shown as it is stored.
_NAMED: tuple[type[models.Model], ...] = (User, Site, Subject, ProtocolVersion, Visit)


@dataclass(frozen=True, slots=True)
class Change:
    """One column before and after, in words and as stored."""

    column: str
    label: str
    old: str
    new: str
    raw_old: Any = None
    raw_new: Any = None
    #: The item of the form that the column belongs to, if any.
    item: str = ""


@lru_cache(maxsize=1)
def models_by_table() -> dict[str, type[models.Model]]:
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


def thing(table: str) -> str:
    """A table as people call it: the form's or group's heading, else the model's name."""
    model = models_by_table().get(table)
    if model is None:
        return str(_APART.get(table, table))
    if issubclass(model, ItemData):
        return str(model.title)
    return str(capfirst(model._meta.verbose_name))


def form_title(form_oid: str) -> str:
    found = forms().get(form_oid)
    return str(found.title) if found else form_oid


def act_word(act: str) -> str:
    return str(ACTS.get(act, act.replace("_", " ")))


def operation_word(event: Event) -> str:
    return (
        act_word(event.act) if event.operation == Operation.ACT else event.get_operation_display()
    )


@dataclass(slots=True)
class Names:
    """Labels of everything that a page of events refers to, one query a kind."""

    found: dict[type[models.Model], dict[str, str]] = field(default_factory=dict)
    subjects: dict[Any, Subject] = field(default_factory=dict)
    sites: dict[int, Site] = field(default_factory=dict)
    records: dict[Any, CrfRecord] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Names:
        events = list(events)
        wanted: dict[type[models.Model], set[Any]] = defaultdict(set)
        for event in events:
            wanted[User].add(event.actor_id)
            wanted[Subject].add(event.subject_id)
            wanted[CrfRecord].add(event.record_id)
            for model, key in _references(event):
                wanted[model].add(key)
        names = cls(sites={site.pk: site for site in Site.objects.all()})
        names.found[Site] = {str(pk): str(site) for pk, site in names.sites.items()}
        names.subjects = Subject.objects.in_bulk(wanted.pop(Subject, set()) - {None})
        names.found[Subject] = {str(pk): each.label for pk, each in names.subjects.items()}
        names.records = CrfRecord.objects.in_bulk(wanted.pop(CrfRecord, set()) - {None})
        wanted.pop(Site, None)
        for model, keys in wanted.items():
            rows = model._default_manager.in_bulk(keys - {None})
            names.found[model] = {str(pk): _name(row) for pk, row in rows.items()}
        return names

    def name(self, model: type[models.Model], key: object) -> str:
        return self.found.get(model, {}).get(str(key), str(key))


def _references(event: Event) -> Iterable[tuple[type[models.Model], Any]]:
    model = models_by_table().get(event.table_name)
    for values in (event.old or {}, event.new or {}):
        for column, value in values.items():
            target = _target(model, column) if model else None
            if target in _NAMED and value is not None:
                yield target, value
    if event.operation == Operation.ACT and isinstance((event.new or {}).get("user"), int):
        yield User, (event.new or {})["user"]


def _target(model: type[models.Model], column: str) -> type[models.Model] | None:
    found = _field(model, column)
    related = found.related_model if isinstance(found, models.ForeignKey) else None
    return related if isinstance(related, type) else None


@lru_cache(maxsize=4096)
def _field(model: type[models.Model], column: str) -> models.Field[Any, Any] | None:
    return next((each for each in model._meta.concrete_fields if each.column == column), None)


def _name(row: models.Model) -> str:
    if isinstance(row, Visit):
        event = protocol_of(row.protocol_version_id).schedule.event(row.event_oid)
        name = event.name.in_language(get_language() or "en")
        return f"{name} {row.repeat_key}" if event.repeating else name
    return str(row)


def changes_of(event: Event, names: Names) -> list[Change]:
    """What an event changed, in the order of the form; an entry lists only what it entered."""
    if event.operation == Operation.ACT:
        return _details(event, names)
    model = models_by_table().get(event.table_name)
    changes = event.changes()
    if model is None:
        return [Change(c, c, _text(a), _text(b), a, b) for c, (a, b) in changes.items()]
    order = {each.column: n for n, each in enumerate(model._meta.concrete_fields)}
    found: list[Change] = []
    for column in sorted(changes, key=lambda name: order.get(name, 999)):
        old, new = changes[column]
        entering = event.operation == Operation.INSERT
        hidden = column in _WIRING or (entering and (new in (None, "", {}) or column == "site_id"))
        if hidden:
            continue
        if column in _FOLDED and issubclass(model, ItemData):
            found.extend(_unfolded(model, column, old or {}, new or {}))
        else:
            found.append(_change(model, column, old, new, names))
    return found


def _change(model: type[models.Model], column: str, old: Any, new: Any, names: Names) -> Change:
    stored = _field(model, column)
    if stored is None:
        return Change(column, column, _text(old), _text(new), old, new)
    label, item = str(capfirst(stored.verbose_name)), ""
    if issubclass(model, ItemData):
        label, item = _item_label(model, column, label)
    was, is_now = _shown(stored, old, names), _shown(stored, new, names)
    return Change(column, label, was, is_now, old, new, item)


def _item_label(model: type[ItemData], column: str, label: str) -> tuple[str, str]:
    for name, item in all_items_of(model).items():
        if column == name:
            return f"{item.label} ({item.unit})" if item.unit else item.label, name
        if item.units and column == item.reported:
            return _("%(item)s as reported") % {"item": item.label}, name
        if item.units and column == item.reported_unit:
            return _("%(item)s: unit as reported") % {"item": item.label}, name
    return label, ""


def _unfolded(
    model: type[ItemData], column: str, old: dict[str, Any], new: dict[str, Any]
) -> Iterable[Change]:
    """Reasons and comments are kept in one column and told item by item."""
    words = dict(MissingReason.choices) if column == "missing" else {}
    for name, item in items_of(model).items():
        a, b = old.get(name), new.get(name)
        if a != b:
            label = str(_FOLDED[column]) % {"item": item.label}
            shown = (_text(words.get(str(a), a)), _text(words.get(str(b), b)))
            yield Change(f"{column}.{name}", label, *shown, a, b, name)


def _details(event: Event, names: Names) -> list[Change]:
    return [
        Change(key, _("Person"), "", names.name(User, value), None, value)
        if key == "user"
        else Change(key, capfirst(key.replace("_", " ")), "", _text(value), None, value)
        for key, value in (event.new or {}).items()
    ]


def _shown(stored: models.Field[Any, Any], value: Any, names: Names) -> str:
    if value is None or value == "":
        return "–"
    if stored.flatchoices:
        return str(dict(stored.flatchoices).get(value, value))
    if isinstance(stored, models.ForeignKey) and isinstance(stored.related_model, type):
        return names.name(stored.related_model, value)
    if isinstance(stored, models.DateTimeField) and stored.get_internal_type() == "DateTimeField":
        return _moment(str(value))
    return _text(value)


def _moment(text: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return moment.strftime("%Y-%m-%d %H:%M")
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
