"""Calendar windows with both ends inside.

PostgreSQL gives a `daterange` back half open (`[first, last + 1)`); this is the one place
that knows (decisions D10).
"""

from __future__ import annotations

import datetime as dt

from django.db.backends.postgresql.psycopg_any import DateRange


def closed(first: dt.date, last: dt.date) -> DateRange:
    """The range from the first to the last day, both inside."""
    return DateRange(first, last, "[]")


def ends_of(window: DateRange | None) -> tuple[dt.date, dt.date] | None:
    """The first and last day of a stored window; None where there is none."""
    if window is None or window.lower is None or window.upper is None:
        return None
    first = window.lower if window.lower_inc else window.lower + dt.timedelta(days=1)
    last = window.upper if window.upper_inc else window.upper - dt.timedelta(days=1)
    return first, last
