"""What the page of a form shows: values, what was last time, what is wrong, what to do next."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.casebook.protocols import in_order_of_visit, protocol_of
from trialsite.core.units import unit_label
from trialsite.crf.entry import text_of, texts_of
from trialsite.crf.items import Item, MissingReason, all_items_of
from trialsite.crf.judging import checks_of, finding
from trialsite.crf.limits import limits_of
from trialsite.crf.models import CrfRow, Draft, ItemData, stored
from trialsite.crf.registry import Form, form
from trialsite.crf.skeleton import RECORD, skeleton_of, values_of
from trialsite.review.models import Query, QueryStatus

#: Why completed data are changed (CDISC has no codelist; worded after EMA 2023, A2).
CHANGE_REASONS = {
    "transcription": gettext_lazy("Transcription error"),
    "late": gettext_lazy("Information became available later"),
    "source": gettext_lazy("Source was corrected"),
    "query": gettext_lazy("Answer to a query"),
}


@dataclass(slots=True)
class EntryPage:
    """Everything the entry page of one table's row needs, before it becomes HTML."""

    record: CrfRecord
    table: type[ItemData]
    row: ItemData | None
    texts: dict[str, str]
    version: int
    draft: Draft | None = None
    #: What was stored when the person's page was made: what differs from it, they typed.
    base: dict[str, str] = field(default_factory=dict)
    #: What the person was shown before somebody saved; where that is unknown, nothing.
    seen: dict[str, str] = field(default_factory=dict)
    #: Names the page in its browser tab, so that its late messages are recognised.
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    errors: dict[str, list[str]] = field(default_factory=dict)
    #: What somebody else saved meanwhile, by field name.
    theirs: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    needs_reason: bool = False
    queries: Sequence[Query] = ()

    @property
    def form(self) -> Form:
        return form(self.record.form_oid)

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Anchor, label and message of everything that stands in the way."""
        items = all_items_of(self.table)
        return [
            (name, items[name].label if name in items else "", message)
            for name, messages in self.errors.items()
            for message in messages
        ]

    def fields(self) -> SafeString:
        """The fields as HTML."""
        version_id = self.record.protocol_version_id
        skeleton = skeleton_of(self.table, version_id, get_language() or "en")
        slots = values_of(self.texts) | {RECORD: str(self.record.pk)}
        previous = previous_row(self.record, self.table)
        queries = self._queries_by_item()
        for name, item in all_items_of(self.table).items():
            self._fill(slots, name, item, previous, queries.get(item.oid, []))
        return skeleton.fill(slots)

    def _queries_by_item(self) -> dict[str, list[Query]]:
        """The unresolved queries that ask about this row, by item OID."""
        row_id = self.row.pk if isinstance(self.row, CrfRow) else None
        found: dict[str, list[Query]] = {}
        for query in self.queries:
            if query.row_id == row_id and query.status != QueryStatus.CLOSED:
                found.setdefault(query.item_oid, []).append(query)
        return found

    def _fill(
        self,
        slots: dict[str, str],
        name: str,
        item: Item,
        previous: ItemData | None,
        queries: list[Query],
    ) -> None:
        errors = self.errors.get(name, [])
        if item.derived and self.row is not None:
            slots[f"{name}/value"] = escape(as_read(self.row, name, item) or "–")
        if errors:
            slots[f"{name}/row"] = " has-error"
            slots[f"{name}/invalid"] = format_html(
                ' aria-invalid="true" aria-describedby="{0}-error"', name
            )
        if previous is not None:
            slots[f"{name}/previous"] = _last_time(previous, name, item)
        if item.units and self.row is not None:
            slots[f"{name}/canonical"] = _canonical(self.row, name, item)
        slots[f"{name}/messages"] = self._messages(name, item, errors, queries)
        if not self._needs_confirmation(name, item):
            slots[f"{name}/confirming"] = " hidden"
        if self.texts.get(f"{name}.missing"):
            slots[f"{name}/menu"] = " open"

    def in_conflict(self, name: str) -> bool:
        """Whether any part of the item (value, unit, reason, comment) stands twice."""
        return bool(self.theirs) and any(
            self.texts.get(part, "") != theirs
            for part in parts_of(name)
            if (theirs := self.theirs.get(part, "")) != self.seen.get(part)
        )

    @property
    def base_text(self) -> str:
        """`base` as a hidden field carries it."""
        return json.dumps(self.base, ensure_ascii=False)

    def _needs_confirmation(self, name: str, item: Item) -> bool:
        if item.derived or self.texts.get(f"{name}.confirm"):
            return not item.derived
        plausible = limits_of(item, self.record.protocol_version_id).plausible
        if plausible and name in self.errors:
            return True
        value = getattr(self.row, name, None)
        return bool(plausible and value is not None and value not in plausible)

    def _messages(
        self, name: str, item: Item, errors: list[str], queries: Iterable[Query]
    ) -> SafeString:
        said = format_html_join("", '<p class="item-error">{}</p>', ((e,) for e in errors))
        parts = [format_html('<div id="{}-error">{}</div>', name, said) if errors else said]
        if name in self.asked:
            parts.append(format_html('<p class="item-hint">{}</p>', self.asked[name]))
        if self.in_conflict(name):
            parts.append(self._conflict(name, item))
        parts.extend(
            format_html('<a class="item-query" href="#query-{}">{}</a>', query.pk, _("Query"))
            for query in queries
        )
        return format_html_join("", "{}", ((part,) for part in parts))

    def _conflict(self, name: str, item: Item) -> SafeString:
        """Both values side by side; the person decides."""
        return format_html(
            '<fieldset class="item-conflict"><legend>{}</legend>'
            '<label><input type="radio" name="{}.keep" value="mine" checked> {} <b>{}</b></label>'
            '<label><input type="radio" name="{}.keep" value="theirs"> {} <b>{}</b></label>'
            "</fieldset>",
            _("Two values"),
            name,
            _("Yours:"),
            _in_words(item, self.texts),
            name,
            _("Saved meanwhile:"),
            _in_words(item, self.theirs),
        )


def parts_of(name: str) -> tuple[str, ...]:
    """The fields of one item: its value, unit, reason for missing, comment."""
    return (name, f"{name}.unit", f"{name}.missing", f"{name}.confirm")


def _in_words(item: Item, texts: Mapping[str, str]) -> str:
    """All parts of an item in one line, as the conflict shows them."""
    value, unit, missing, comment = (texts.get(part, "") for part in parts_of(item.name))
    reasons = {str(code): str(word) for code, word in MissingReason.choices}
    words = [word_of(item, value), unit_label(unit) if value and item.units else ""]
    words += [reasons.get(missing, ""), f"({comment})" if comment else ""]
    return " ".join(word for word in words if word) or "–"


def word_of(item: Item, text: str) -> str:
    """A field's text as people read it: the word of a code."""
    words = {str(code): str(word) for code, word in item.choices}
    if item.data_type == "boolean":
        words = {"true": _("Yes"), "false": _("No")}
    return words.get(text, text)


def _last_time(row: ItemData, name: str, item: Item) -> SafeString:
    shown = _shown(row, name, item)
    return format_html('<span class="muted">{}</span> {}', _("Last"), shown) if shown else shown


def as_read(row: ItemData, name: str, item: Item) -> str:
    """A stored value in words, as a table or the margin shows it."""
    text = word_of(item, text_of(row, name, item))
    return text.replace("T", " ") if item.data_type == "datetime" else text


def _shown(row: ItemData, name: str, item: Item) -> SafeString:
    if name in row.missing:
        return format_html('<span class="muted">{}</span>', MissingReason(row.missing[name]).label)
    text = as_read(row, name, item)
    unit = getattr(row, item.reported_unit, "") if item.units else ""
    return (
        format_html("{} {}", text, unit) if unit and unit != item.unit else format_html("{}", text)
    )


def _canonical(row: ItemData, name: str, item: Item) -> str:
    value, unit = getattr(row, name), getattr(row, item.reported_unit)
    if value is None or unit == item.unit:
        return ""
    return format_html("= {} {}", value, item.unit)


def previous_row(record: CrfRecord, table: type[ItemData]) -> ItemData | None:
    """The same form at the subject's visit before this one, else the last one entered.

    None for what is named by a coded term: another event or medicine is no earlier state of it.
    """
    named = all_items_of(table).get(getattr(table, "caption", ""))
    if issubclass(table, CrfRow) or (named is not None and named.dictionary):
        return None
    rows = (
        stored(table)
        .filter(
            subject_id=record.subject_id,
            record__voided_at=None,
            record__status__in=(RecordStatus.COMPLETE, RecordStatus.IN_PROGRESS),
        )
        .exclude(record_id=record.pk)
    )
    if record.visit and record.visit.visit_number is not None:
        rows = rows.filter(record__visit__visit_number__lt=record.visit.visit_number)
    latest = F("record__visit__visit_number").desc(nulls_last=True)
    found: ItemData | None = rows.order_by(latest, "-record__repeat_key").first()
    return found


@dataclass(frozen=True, slots=True)
class RowAsRead:
    """One row of a repeating group in a table."""

    pk: Any
    number: int
    texts: tuple[str, ...]
    voided: bool

    @classmethod
    def of(cls, row: CrfRow) -> RowAsRead:
        items = all_items_of(type(row)).items()
        texts = tuple(as_read(row, name, item) for name, item in items)
        return cls(row.pk, row.number, texts, row.voided_at is not None)


def visit_name(record: CrfRecord) -> str:
    """The visit's name in the protocol's words, in the present language."""
    if record.visit is None:
        return ""
    event = protocol_of(record.protocol_version_id).schedule.event(record.visit.event_oid)
    name = event.name.in_language(get_language() or "en")
    return f"{name} {record.visit.repeat_key}" if event.repeating else name


def labels_of(definition: Form) -> dict[str, str]:
    """Item OID -> label, for every item of a form."""
    return {
        item.oid: item.label for table in definition.tables for item in all_items_of(table).values()
    }


def queries_of(record: CrfRecord, definition: Form) -> list[Query]:
    """The record's queries with the label of what they ask about, the unresolved first.

    What an edit check asks is said in the reader's language, whoever's save it was.
    """
    queries = list(Query.objects.filter(record=record).prefetch_related("messages__written_by"))
    if not queries:
        return []
    labels, questions = labels_of(definition), _questions_of(record, definition)
    for query in queries:
        query.label = labels.get(query.item_oid) or _label_of(definition, query.item_oid)  # type: ignore[attr-defined]
        opening = next(iter(query.messages.all()), None)
        if opening is not None and query.check_oid in questions:
            opening.text = questions[query.check_oid]
    return sorted(queries, key=lambda query: query.status == QueryStatus.CLOSED)


def _label_of(definition: Form, item_oid: str) -> str:
    if item_oid and definition.label_of is not None:
        return definition.label_of(item_oid)
    return str(definition.title)


def _questions_of(record: CrfRecord, definition: Form) -> dict[str, str]:
    version = record.protocol_version_id
    return {
        check.oid: finding(table, check, version).message
        for table in definition.tables
        for check in checks_of(table, version)
    }


def page_of(record: CrfRecord, user: User) -> EntryPage | None:
    """The entry page of a record's own row, with the person's draft laid over what is saved."""
    table = form(record.form_oid).data
    if table is None:
        return None
    row = table.objects.filter(pk=record.pk).first()
    return with_draft(EntryPage(record, table, row, texts_of(row), record.version), user)


def page_of_row(
    record: CrfRecord, group: type[CrfRow], row: CrfRow | None, user: User
) -> EntryPage:
    """The same for one row of a repeating item group, or for a new one."""
    page = EntryPage(record, group, row, texts_of(row), row.version if row else 0)
    return with_draft(page, user, part_of(group, row))


def part_of(group: type[CrfRow], row: CrfRow | None) -> str:
    """Under which name a row's draft is kept."""
    return f"{group.group_oid}/{row.pk if row else 'new'}"


def with_draft(page: EntryPage, user: User, part: str = "") -> EntryPage:
    """Lay what the person has typed and not saved over what is stored."""
    page.base = dict(page.texts)
    draft = Draft.objects.filter(record=page.record, user=user, part=part).first()
    typed = {
        name: text
        for name, text in (draft.fields if draft else {}).items()
        if text != page.texts.get(name, "")
    }
    if draft is not None and typed:
        page.draft = draft
        if draft.base_version != page.version:
            page.theirs = page.texts
        page.texts = {**page.texts, **typed}
    return page


def show_conflict(
    page: EntryPage, *, posted: dict[str, str], theirs: dict[str, str], version: int
) -> None:
    """Both values where they differ; what this person did not touch follows what stands now."""
    typed = {name: text for name, text in posted.items() if text != page.base.get(name, "")}
    page.texts, page.theirs = {**theirs, **typed}, theirs
    page.seen = {name: page.base.get(name, "") for name in {**posted, **page.base}}
    page.base, page.version = theirs, version


def next_record(record: CrfRecord) -> CrfRecord | None:
    """The next form of the same visit that still waits."""
    waiting = CrfRecord.objects.standing().filter(
        subject_id=record.subject_id,
        visit=record.visit,
        status__in=(RecordStatus.NOT_STARTED, RecordStatus.IN_PROGRESS),
    )
    others = waiting.exclude(pk=record.pk)
    if record.visit is None:
        return others.order_by("form_oid", "repeat_key").first()
    return next(iter(in_order_of_visit(others, record.visit.event_oid)), None)
