"""The trial's clock, set by the owner as a demonstration sets it."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import psycopg
from django.db import connection

from tests import databases

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock:
    """Stands where it is put, and runs on from there."""

    def __init__(self, zone: ZoneInfo = SHANGHAI) -> None:
        self.zone = zone
        self._owner = psycopg.connect(
            databases.owner_url(connection.settings_dict["NAME"]), autocommit=True
        )

    def put(self, moment: str | dt.datetime) -> dt.datetime:
        """Let it be this moment now; a text is the clock on the wall."""
        if isinstance(moment, str):
            moment = dt.datetime.fromisoformat(moment).replace(tzinfo=self.zone)
        self._owner.execute(
            "INSERT INTO trial_clock (shift) VALUES (%s - clock_timestamp()) "
            "ON CONFLICT (only_row) DO UPDATE SET shift = excluded.shift",
            [moment],
        )
        return moment

    def stop(self) -> None:
        self._owner.execute("DELETE FROM trial_clock")
        self._owner.close()
