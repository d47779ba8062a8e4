"""A dataset of Python rows is, to the byte, what PostgreSQL would have written."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.factories import as_person
from trialsite.core.spreadsheets import TRIGGERS
from trialsite.exports.registry import Column, Dataset, Kind
from trialsite.exports.writing import Format, write

_ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
#: Kind, the value in Python, and as a literal of SQL.
VALUES: list[tuple[Kind, Any, str]] = [
    (Kind.TEXT, "plain", "'plain'"),
    (Kind.TEXT, 'a "b", c\nd\\e 不安', "E'a \"b\", c\\nd\\\\e 不安'"),
    (Kind.TEXT, "", "''"),
    (Kind.TEXT, None, "NULL::text"),
    *[(Kind.TEXT, f"{sign}1", f"chr({ord(sign)}) || '1'") for sign in TRIGGERS],
    (Kind.TEXT, "'x", "'''x'"),
    (Kind.INTEGER, -7, "-7"),
    (Kind.INTEGER, None, "NULL::int"),
    (Kind.FLOAT, Decimal("0.0010"), "0.0010::numeric"),
    (Kind.FLOAT, Decimal(-12), "-12::numeric"),
    (Kind.BOOLEAN, True, "true"),
    (Kind.BOOLEAN, False, "false"),
    (Kind.BOOLEAN, None, "NULL::boolean"),
    (Kind.DATE, dt.date(2026, 3, 5), "'2026-03-05'::date"),
    (Kind.DATE, None, "NULL::date"),
    (
        Kind.DATETIME,
        dt.datetime.fromisoformat("2026-03-05T07:08:09"),
        "'2026-03-05 07:08:09'::timestamp",
    ),
    (
        Kind.MOMENT,
        dt.datetime(2026, 3, 5, 7, 8, 9, 1200, tzinfo=dt.timezone(dt.timedelta(hours=8))),
        "'2026-03-05 07:08:09.0012+08'::timestamptz",
    ),
    (Kind.PARTIAL_DATE, "2026-03", "'2026-03'"),
    (Kind.ID, _ID, f"'{_ID}'::uuid"),
]  # fmt: skip


@pytest.mark.parametrize("as_", list(Format))
@pytest.mark.parametrize("bom", [True, False])
def test_both_ways_write_the_same_bytes(cast, as_, bom):
    columns = [
        Column(name=f"C{n}", sql=sql, label=str(n), kind=kind)
        for n, (kind, _value, sql) in enumerate(VALUES)
    ]
    row = {f"C{n}": value for n, (_kind, value, _sql) in enumerate(VALUES)}
    by_sql = Dataset(
        name="x", title="x", columns=tuple(columns), source="generate_series(1, 2) g", order="g"
    )
    by_python = replace(
        by_sql,
        columns=tuple(replace(column, sql="") for column in columns),
        source="",
        order="",
        rows=lambda _sites: iter([row, row]),
    )
    with as_person(cast.data_manager):
        ours, theirs = (
            write(each, by=cast.data_manager, as_=as_, bom=bom) for each in (by_python, by_sql)
        )
    assert ours.file.read() == theirs.file.read()
    assert (ours.sha256, ours.rows) == (theirs.sha256, theirs.rows)
    assert ours.rows == 2
    ours.file.close()
    theirs.file.close()


def test_rows_are_asked_for_the_sites_where_the_person_may_export(cast):
    asked: list[frozenset[int]] = []

    def rows(sites: Any) -> list[dict[str, Any]]:
        asked.append(sites)
        return []

    found = Dataset(name="x", title="x", columns=(Column(name="A", label="A"),), rows=rows)
    with as_person(cast.data_manager):
        write(found, by=cast.data_manager, as_=Format.CSV).file.close()
    assert asked == [frozenset({cast.site.pk, cast.other_site.pk})]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"source": "t", "order": "1"},
        {"source": "t", "order": "1", "rows": list},
    ],
)
def test_a_dataset_is_either_sql_or_rows(said):
    column = Column(name="A", label="A", sql="1" if "rows" in said else "")
    with pytest.raises(TypeError, match="either"):
        Dataset(name="x", title="x", columns=(column,), **said)


def test_what_no_kind_can_hold_is_an_error_and_not_a_guess(cast):
    found = Dataset(
        name="x", title="x", columns=(Column(name="A", label="A"),), rows=lambda _s: [{"A": 1.5}]
    )
    with as_person(cast.data_manager), pytest.raises(TypeError, match=r"A: 1\.5"):
        write(found, by=cast.data_manager, as_=Format.CSV)
    assert connection.in_atomic_block
