"""The trial's clock.

Times that people see come from `trial_now`, the database's clock plus the shift that
only the owner can set while a demonstration study is made. Outside a demonstration
the shift does not exist, and the readiness check refuses a database that has one.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.db import connection, models


class TrialNow(models.Func):
    """The trial's clock as a database expression: one clock, no extra query."""

    template = "trialsite.now()"
    output_field = models.DateTimeField()


def trial_now() -> dt.datetime:
    """The trial's present moment, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.now()")
        moment: dt.datetime = cursor.fetchone()[0]
    return moment


def trial_today(zone: str) -> dt.date:
    """The calendar date at a site, whose IANA time zone is given."""
    return trial_now().astimezone(ZoneInfo(zone)).date()
