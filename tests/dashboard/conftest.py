"""Subjects with a schedule, dated around a chosen today."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from tests.factories import make_record, make_subject, make_visit
from trialsite.access.models import Site
from trialsite.casebook.models import Visit

TODAY = dt.date(2026, 11, 22)
#: Noon of that day in Shanghai and in UTC alike.
NOON = dt.datetime(2026, 11, 22, 4, tzinfo=dt.UTC)


def days(count: int) -> dt.timedelta:
    return dt.timedelta(days=count)


def inclusive(first: dt.date, last: dt.date) -> DateRange:
    """A window with both ends inside, as the protocol states it."""
    return DateRange(first, last, "[]")


@pytest.fixture
def visit_with_forms() -> Callable[..., Visit]:
    """A new subject's visit whose window is given in days from TODAY, with its forms."""

    repeats = itertools.count(1)

    def make(
        site: Site, first: int, last: int, *, today: dt.date = TODAY, forms: int = 1, **fields: Any
    ) -> Visit:
        subject = fields.pop("subject", None) or make_subject(site)
        fields.setdefault("repeat_key", next(repeats))
        window = inclusive(today + days(first), today + days(last))
        visit = make_visit(subject, window=window, target_on=today + days(first), **fields)
        for number in range(forms):
            make_record(subject, visit=visit, repeat_key=number + 1)
        return visit

    return make
