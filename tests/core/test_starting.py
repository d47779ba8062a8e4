"""Nothing starts with a key that somebody could guess, or with an address that is not its own."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from trialsite.core.checks import demand_addresses, demand_keys


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "changeme"),
        ("SECRET_KEY", "abcdefgh" * 6),
        ("SECRET_KEY", "abcd" * 20),
        ("FIELD_KEYS", []),
        ("FIELD_KEYS", ["abc"]),
        ("FIELD_KEYS", ["c2l4dGVlbiBieXRlcyAhIQ=="]),
    ],
)
def test_nothing_starts_with_a_key_that_protects_nothing(settings, name, value):
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        demand_keys()


def test_a_bad_key_behind_a_good_one_is_named(settings):
    settings.FIELD_KEYS = [*settings.FIELD_KEYS, "old"]
    with pytest.raises(ImproperlyConfigured, match="Key 2 of FIELD_KEYS"):
        demand_keys()


def test_generated_keys_start():
    demand_keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "http://edc.example.org"),
        ("ALLOWED_HOSTS", ["*"]),
        ("ALLOWED_HOSTS", ["edc.example.org", ".example.org"]),
    ],
)
def test_behind_tls_links_are_https_and_hosts_are_named(settings, name, value):
    settings.SESSION_COOKIE_SECURE = True
    settings.BASE_URL, settings.ALLOWED_HOSTS = "https://edc.example.org", ["edc.example.org"]
    demand_addresses()
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        demand_addresses()


def test_on_one_machine_plain_http_is_let_through(settings):
    settings.SESSION_COOKIE_SECURE = False
    settings.BASE_URL = "http://localhost:8000"
    demand_addresses()
