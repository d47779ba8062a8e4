"""Secrets at rest: encrypted with the first of FIELD_KEYS, readable with any of them."""

from __future__ import annotations

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


def encrypt(text: str) -> str:
    """Encrypt and authenticate `text` under the newest key."""
    return _keys().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text of `token`; raises `cryptography.fernet.InvalidToken` for a foreign one."""
    return _keys().decrypt(token.encode()).decode()


def encrypt_bytes(content: bytes) -> bytes:
    """Encrypt and authenticate a file under the newest key."""
    return _keys().encrypt(content)


def decrypt_bytes(token: bytes) -> bytes:
    """The content of `token`; raises `cryptography.fernet.InvalidToken` for a foreign one."""
    return _keys().decrypt(token)
