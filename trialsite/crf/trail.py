"""Reading the audit trail: what a person may see of it, narrowed, in lines of words."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import QueryDict

from trialsite.access.capabilities import Capability, Role
from trialsite.access.models import Site, User
from trialsite.audit.models import Event, Operation
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.context import Channel
from trialsite.crf.items import all_items_of
from trialsite.crf.registry import forms
from trialsite.crf.trail_words import (
    ACTS,
    Change,
    Names,
    changes_of,
    form_title,
    models_by_table,
    operation_word,
    thing,
)

PAGE = 50
RECORDS = CrfRecord._meta.db_table


def visible_events(user: User) -> QuerySet[Event]:
    """Events of the person's sites; what belongs to no site is for study-wide readers.

    A subject's events follow its present site (decisions D8), as the database's own
    policy has it.
    """
    sites = user.access.sites(Capability.VIEW_TRAIL)
    subjects = Subject.objects.visible_to(user, Capability.VIEW_TRAIL)
    seen = Q(subject_id__in=subjects.values("pk")) | Q(subject_id=None, site_id__in=sites)
    if user.access.study_wide(Capability.VIEW_TRAIL):
        seen |= Q(subject_id=None, site_id=None)
    return Event.objects.filter(seen).order_by("-eid")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the person asked for; what cannot be read narrows nothing and is not kept."""

    site: int | None = None
    subject: str = ""
    person: int | None = None
    what: str = ""
    act: str = ""
    channel: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    before: int | None = None

    @classmethod
    def read(cls, query: QueryDict) -> Filters:
        def chosen(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:80]

        channel, act = chosen("channel"), chosen("act")
        return cls(
            site=_number(chosen("site")),
            subject=chosen("subject"),
            person=_number(chosen("person")),
            what=chosen("what"),
            act=act if act in Operation.values or act in ACTS else "",
            channel=channel if channel in Channel.values else "",
            since=_date(chosen("since")),
            until=_date(chosen("until")),
            before=_number(chosen("before")),
        )

    def described(self) -> dict[str, str]:
        """For the note of an export: only what was set."""
        names = ("site", "subject", "person", "what", "act", "channel", "since", "until")
        return {name: str(value) for name in names if (value := getattr(self, name))}

    def apply(self, events: QuerySet[Event], *, zone: str) -> QuerySet[Event]:
        """Narrow events; days begin and end at midnight in the given zone."""
        if self.site is not None:
            at_site = Subject.objects.filter(site_id=self.site).values("pk")
            events = events.filter(
                Q(subject_id__in=at_site) | Q(subject_id=None, site_id=self.site)
            )
        if self.subject:
            named = Q(screening_number__icontains=self.subject) | Q(number__icontains=self.subject)
            events = events.filter(subject_id__in=Subject.objects.filter(named).values("pk"))
        if self.what:
            events = events.filter(_about(self.what))
        if self.act:
            by_operation = self.act in Operation.values
            events = events.filter(**{"operation" if by_operation else "act": self.act})
        for name, value in (("actor_id", self.person), ("channel", self.channel)):
            events = events.filter(**{name: value}) if value else events
        midnight = dt.time(tzinfo=ZoneInfo(zone))
        if self.since:
            events = events.filter(at__gte=dt.datetime.combine(self.since, midnight))
        if self.until:
            end = min(self.until, dt.date(9998, 12, 30)) + dt.timedelta(days=1)
            events = events.filter(at__lt=dt.datetime.combine(end, midnight))
        return events


def _number(text: str) -> int | None:
    fits = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if fits else None


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _about(what: str) -> Q:
    """`F.VS` a form, `F.VS/systolic` one item of it, else a table."""
    form_oid, _slash, item = what.partition("/")
    found = forms().get(form_oid)
    if found is None:
        return Q(table_name=what)
    tables = [table._meta.db_table for table in found.tables]
    if found.domain is not None:
        records = CrfRecord.objects.filter(form_oid=form_oid).values("pk")
        return Q(record_id__in=records)
    if item:
        return Q(table_name__in=tables) & about_item(item)
    records = CrfRecord.objects.filter(form_oid=form_oid).values("pk")
    return Q(table_name__in=tables) | Q(table_name=RECORDS, record_id__in=records)


def about_item(item: str) -> Q:
    """Events that may have touched an item: its columns, its reason, its comment."""
    keys = [item, f"{item}_reported", f"{item}_unit"]
    touched = Q(new__has_any_keys=keys)
    for column in ("missing", "confirmed"):
        for side in ("old", "new"):
            touched |= Q(**{f"{side}__{column}__has_key": item})
    return touched


def item_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Forms with their items, and the other tables, for one select."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for oid, each in forms().items():
        items = [
            (f"{oid}/{name}", item.label)
            for table in each.tables
            for name, item in all_items_of(table).items()
        ]
        groups.append((str(each.title), [(oid, str(each.title)), *items]))
    return groups


@dataclass(frozen=True, slots=True)
class Line:
    """One event as a page or a file shows it."""

    event: Event
    who: str
    role: str
    operation: str
    thing: str
    site: Site | None
    subject: Subject | None
    changes: list[Change] = field(default_factory=list)

    @property
    def zone(self) -> str:
        return self.site.time_zone if self.site else "UTC"

    @property
    def channel(self) -> str:
        return str(self.event.get_channel_display())


def lines(events: Iterable[Event]) -> list[Line]:
    """Events in words, with a fixed number of queries however many they are."""
    events = list(events)
    names = Names.of(events)
    return [_line(event, names) for event in events]


def _line(event: Event, names: Names) -> Line:
    subject = names.subjects.get(event.subject_id)
    site_id = subject.site_id if subject else event.site_id
    record = names.records.get(event.record_id)
    about = thing(event.table_name) if event.table_name else ""
    if record is not None and event.table_name in {RECORDS, ""}:
        about = form_title(record.form_oid)
    return Line(
        event=event,
        who=names.name(User, event.actor_id) if event.actor_id else event.system,
        role=role_words(event.role),
        operation=operation_word(event),
        thing=about,
        site=names.sites.get(site_id) if site_id is not None else None,
        subject=subject,
        changes=changes_of(event, names),
    )


def role_words(roles: str) -> str:
    words = {role.value: str(role.label) for role in Role}
    return ", ".join(words.get(each, each) for each in roles.split(", ") if each)


def history_of_item(record: CrfRecord, item: str, row: uuid.UUID | None = None) -> list[Line]:
    """Every event that changed one field of a record, newest first, with that change only."""
    tables = [table._meta.db_table for table in forms()[record.form_oid].tables]
    events = Event.objects.filter(record_id=record.pk, table_name__in=tables)
    if row is not None:
        events = events.filter(row_id=str(row))
    told = lines(events.filter(about_item(item)).order_by("-eid")[:500])
    narrowed = (
        Line(
            each.event, each.who, each.role, each.operation, each.thing, each.site, each.subject,
            [change for change in each.changes if change.item == item],
        )
        for each in told
    )  # fmt: skip
    return [each for each in narrowed if each.changes]


def item_label(record: CrfRecord, item: str) -> str | None:
    """The label of an item of the record's form; None where the form has no such item."""
    found = forms().get(record.form_oid)
    for table in found.tables if found else ():
        known = all_items_of(table).get(item)
        if known is not None:
            return known.label
    return None


def people_of(user: User) -> list[tuple[int, str]]:
    """Whom one may filter by: everybody who has held a role at the person's sites."""
    sites = user.access.sites(Capability.VIEW_TRAIL)
    held = Q(memberships__site_id__in=sites) | Q(memberships__site=None, memberships__isnull=False)
    return list(User.objects.filter(held).distinct().values_list("pk", "full_name"))


def table_choices(events_tables: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Tables of the casebook that are no form, by name."""
    known: Any = models_by_table()
    chosen = [*events_tables, Subject._meta.db_table, "casebook_visit", "review_query",
              "review_querymessage", "casebook_attachment"]  # fmt: skip
    return [(table, thing(table)) for table in chosen if table in known]
