"""Deployment checks: the database is guarded as the code says."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connection

from trialsite.core.protection import drift


def check_protections(**_options: Any) -> list[CheckMessage]:
    """Drift of the catalog, and server settings that would lose acknowledged data."""
    errors: list[CheckMessage] = [
        Error(words, hint="Run manage.py migrate as the owner.", id="trialsite.E001")
        for words in drift()
    ]
    errors.extend(Error(words, id="trialsite.E002") for words in unsafe_settings())
    return errors


def unsafe_settings() -> list[str]:
    """Settings under which PostgreSQL may acknowledge a save and then lose it."""
    names = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        return [f"{name} is {setting}" for name, setting in cursor.fetchall() if setting == "off"]
