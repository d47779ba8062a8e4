"""The terms that want a code: what stands in the coded items, with the code that stands for it."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.crf.items import Item
from trialsite.crf.models import Coding, CrfRow, ItemData, stored
from trialsite.crf.registry import form, items_by_oid

#: What a term's code can be; "open" are the two that wait for the coder.
STATES = {
    "open": _("To code"),
    "uncoded": _("Not coded"),
    "changed": _("Words changed since"),
    "coded": _("Coded"),
    "all": _("All"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """The words in one coded item of one row, and the code that was last given to them."""

    record: CrfRecord
    row_id: uuid.UUID
    item_oid: str
    verbatim: str
    standing: Coding | None = None
    #: The code of the same words elsewhere, where this has none that stands.
    suggestion: Coding | None = None

    @property
    def item(self) -> Item:
        return coded_item(self.item_oid)[1]

    @property
    def form_title(self) -> str:
        return str(form(self.record.form_oid).title)

    @property
    def key(self) -> str:
        """Names the term in an address."""
        return f"{self.item_oid}/{self.row_id}"

    @property
    def state(self) -> str:
        if self.standing is None:
            return "uncoded"
        return "coded" if self.standing.verbatim == self.verbatim else "changed"

    @property
    def state_word(self) -> str:
        return str(STATES[self.state])


def words_of(text: str) -> str:
    """Words as they are compared: without case, width, and more than one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())[:500]


def coded_items() -> dict[str, tuple[type[ItemData], Item]]:
    """Item OID -> table and item, of every item that names a dictionary."""
    return {oid: found for oid, found in items_by_oid().items() if found[1].dictionary}


def coded_item(oid: str) -> tuple[type[ItemData], Item]:
    """One of them; raises KeyError for an item that is not coded."""
    return coded_items()[oid]


def present_words(record: CrfRecord, item_oid: str, row_id: uuid.UUID) -> str:
    """What stands in the item now; empty where the row or the value has gone."""
    table, item = coded_item(item_oid)
    rows = stored(table).filter(record=record, pk=row_id)
    if issubclass(table, CrfRow):
        rows = rows.filter(voided_at=None)
    return str(rows.values_list(item.name, flat=True).first() or "")


#: The columns of one term, in the order in which the parts are put together.
_COLUMNS = (
    "site_code",
    "subject_number",
    "record_key",
    "row_key",
    "oid",
    "as_written",
    "standing_key",
)
_ORDER = ("site_code", "subject_number", "oid", "as_written", "row_key")


def terms_of(
    user: User,
    *,
    state: str = "open",
    dictionary: str = "",
) -> QuerySet[Any]:
    """The terms of completed forms at the person's sites, as rows for `said_terms`."""
    parts = [
        _part(table, item, user).filter(_where(state))
        for table, item in coded_items().values()
        if not dictionary or item.dictionary == dictionary
    ]
    rows = [part.values_list(*_COLUMNS) for part in parts]
    if not rows:
        return CrfRecord.objects.none()
    return rows[0].union(*rows[1:], all=True).order_by(*_ORDER)


def _part(table: type[ItemData], item: Item, user: User) -> QuerySet[Any]:
    seen: QuerySet[Any] = table.objects.visible_to(user, Capability.CODE_TERMS)
    rows = seen.filter(
        record__voided_at=None,
        record__status=RecordStatus.COMPLETE,
        **{f"{item.name}__isnull": False},
    )
    if issubclass(table, CrfRow):
        rows = rows.filter(voided_at=None)
    codes = Coding.objects.filter(row_id=OuterRef("pk"), item_oid=item.oid, superseded_at=None)
    found: QuerySet[Any] = rows.order_by().annotate(
        site_code=F("site__code"),
        subject_number=F("subject__screening_number"),
        record_key=F("record_id"),
        row_key=F("pk"),
        oid=Value(item.oid, output_field=TextField()),
        as_written=Cast(item.name, TextField()),
        standing_key=Subquery(codes.values("pk")[:1]),
        coded_words=Subquery(codes.values("verbatim")[:1], output_field=TextField()),
    )
    return found


def _where(state: str) -> Q:
    return {
        "uncoded": Q(standing_key=None),
        "changed": Q(standing_key__isnull=False) & ~Q(coded_words=F("as_written")),
        "coded": Q(coded_words=F("as_written")),
        "all": Q(),
    }.get(state, Q(standing_key=None) | ~Q(coded_words=F("as_written")))


def said_terms(rows: Iterable[Any], user: User) -> list[Term]:
    """The rows of `terms_of` with their records, codes and suggestions; three queries."""
    rows = list(rows)
    records = (
        CrfRecord.objects.select_related("site", "subject")
        .visible_to(user)
        .in_bulk([row[2] for row in rows])
    )
    codings = Coding.objects.select_related("coded_by").in_bulk([row[6] for row in rows if row[6]])
    known = _known_words({words_of(row[5]) for row in rows}, user)
    found = []
    for _site, _subject, record_key, row_key, oid, text, standing_key in rows:
        standing = codings.get(standing_key)
        fresh = standing is None or standing.verbatim != text
        found.append(
            Term(
                record=records[record_key],
                row_id=row_key,
                item_oid=oid,
                verbatim=text,
                standing=standing,
                suggestion=known.get((coded_item(oid)[1].dictionary, words_of(text)))
                if fresh
                else None,
            )
        )
    return found


def _known_words(words: set[str], user: User) -> dict[tuple[str, str], Coding]:
    """The last code that was given to the same words, by dictionary: synonyms are learned."""
    rows = Coding.objects.visible_to(user).filter(words__in=words, superseded_at=None)
    return {(each.dictionary, each.words): each for each in rows.order_by("coded_at", "pk")}


def term_of(user: User, item_oid: str, row_id: uuid.UUID) -> Term | None:
    """One term whose form is complete, or None where there is none for this person."""
    if item_oid not in coded_items():
        return None
    table, item = coded_item(item_oid)
    rows = _part(table, item, user).filter(pk=row_id)
    return next(iter(said_terms(rows.values_list(*_COLUMNS), user)), None)


def history_of(term: Term) -> QuerySet[Coding]:
    """Every code the term has had, the last first."""
    codes = Coding.objects.filter(row_id=term.row_id, item_oid=term.item_oid)
    return codes.select_related("coded_by").order_by("-coded_at")
