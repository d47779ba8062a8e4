"""What must be true before the product serves anybody: keys, addresses, guards, durability."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from trialsite.core.guards import APP
from trialsite.core.protection import drift

#: Django's own measure of a key that nobody guesses (security.W009).
_KEY_LENGTH, _KEY_VARIETY = 50, 5


def demand_keys() -> None:
    """Refuse to start with keys that somebody could guess or that cannot encrypt."""
    key = settings.SECRET_KEY
    if len(key) < _KEY_LENGTH or len(set(key)) < _KEY_VARIETY:
        raise ImproperlyConfigured(
            f"SECRET_KEY must be {_KEY_LENGTH} random characters or more: "
            "python3 -m trialsite.launcher secrets makes one."
        )
    if not settings.FIELD_KEYS:
        raise ImproperlyConfigured("FIELD_KEYS is empty: second factors could not be kept.")
    for number, each in enumerate(settings.FIELD_KEYS, start=1):
        try:
            Fernet(each)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"Key {number} of FIELD_KEYS is not 32 bytes in URL-safe base64."
            ) from error


def demand_addresses() -> None:
    """Behind TLS: links lead to https, and no name but the product's own is answered."""
    if not settings.SESSION_COOKIE_SECURE:
        return
    if not settings.BASE_URL.startswith("https://"):
        raise ImproperlyConfigured(
            f"BASE_URL is {settings.BASE_URL}: in production it begins with https://."
        )
    if any(name.startswith(("*", ".")) for name in settings.ALLOWED_HOSTS):
        raise ImproperlyConfigured("ALLOWED_HOSTS names a pattern: name each host in full.")


def check_protections(**_options: Any) -> list[CheckMessage]:
    """Drift of the catalog, and server settings that would lose acknowledged data."""
    errors: list[CheckMessage] = [
        Error(words, hint="Run manage.py migrate as the owner.", id="trialsite.E001")
        for words in drift()
    ]
    errors.extend(Error(words, id="trialsite.E002") for words in unsafe_settings())
    errors.extend(
        Error(words, hint=f"DATABASE_URL signs in as {APP}.", id="trialsite.E006")
        for words in above_the_guards()
    )
    return errors


def above_the_guards() -> list[str]:
    """Who the product is to PostgreSQL: row-level security and trail bind its own role only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        (name,) = cursor.fetchone()
    return [] if name == APP else [f"the product is signed in as {name}, not as {APP}"]


def unsafe_settings() -> list[str]:
    """Settings under which PostgreSQL may acknowledge a save and then lose it."""
    names = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        return [f"{name} is {setting}" for name, setting in cursor.fetchall() if setting == "off"]
