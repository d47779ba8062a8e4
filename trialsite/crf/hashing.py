"""What a signature is bound to: a digest of the items as they are stored."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from trialsite.casebook.models import CrfRecord
from trialsite.crf.items import items_of
from trialsite.crf.judging import rows_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import form


def content_hash(row: ItemData) -> str:
    """SHA-256 over one row's items.

    An item without a value does not count, so a form that gains an item keeps its hashes.
    """
    content = {
        item.oid: str(value)
        for name, item in items_of(type(row)).items()
        if (value := getattr(row, name)) is not None
    }
    return _digest([content, row.missing, row.confirmed])


def record_hash(record: CrfRecord, row: ItemData | None = None) -> str:
    """SHA-256 over all of a record: its own row or domain row, and its groups' standing rows.

    `row` is the record's own row where the caller holds it. A form without groups has the
    digest of its one row.
    """
    return hash_of(**said_in(record, row))


def said_in(record: CrfRecord, row: ItemData | None = None) -> dict[str, Any]:
    """What `hash_of` makes the record's hash of, as plain data."""
    definition = form(record.form_oid)
    said: dict[str, Any] = {}
    if definition.content_of is not None:
        said["content"] = definition.content_of(record)
    else:
        if row is None and definition.data is not None:
            row = next(rows_of(record, [definition.data]), None)
        said["own"] = content_hash(row) if row is not None else ""
    if definition.groups:
        said["rows"] = [
            [each.group_oid, each.number, content_hash(each)]
            for each in rows_of(record, list(definition.groups))
            if isinstance(each, CrfRow)
        ]
    return said


def hash_of(own: str = "", content: object = None, rows: list[Any] | None = None) -> str:
    """The hash of a record of which this is said; `content` in place of an own row."""
    if content is not None:
        own = _digest(content)
    return own if rows is None else _digest([own, sorted(rows)])


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
