"""What a dataset means, said beside its rows: labels in both languages, units, codes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings

from trialsite.crf.catalogue import in_both, said_codes
from trialsite.crf.items import MissingReason
from trialsite.exports.python_rows import Block
from trialsite.exports.registry import Column, Dataset


def said_dataset(dataset: Dataset) -> dict[str, Any]:
    """A dataset's name, title and columns."""
    return {
        "name": dataset.name,
        "title": in_both(dataset.title),
        "columns": [said_column(column) for column in dataset.columns],
    }


def said_column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "labels": in_both(column.label),
        "type": column.kind,
        "unit": column.unit,
        "codes": list(said_codes(column.codes.items())),
        "sdtm": column.sdtm,
    }


def explained(dataset: Dataset, lines: Iterable[Block]) -> Iterator[Block]:
    """One JSON document of lines of JSON: what the columns mean, then the rows as `rows`."""
    said = said_dataset(dataset) | {"missing_codes": list(said_codes(MissingReason.choices))}
    if settings.DEMO:
        said = {"synthetic": "SYNTHETIC"} | said
    head = json.dumps(said, ensure_ascii=False, separators=(",", ":"), default=str)
    yield f'{head[:-1]},"rows":[\n'.encode(), 0
    held = b""
    for block, added in lines:
        text = held + block.replace(b"\n", b",\n")
        # The last row's comma is known to be the last only at the end.
        text, held = (text[:-2], text[-2:]) if text.endswith(b",\n") else (text, b"")
        yield text, added
    yield b"\n]}\n", 0
