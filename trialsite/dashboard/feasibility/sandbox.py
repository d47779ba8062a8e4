"""Where a file and its answer wait: for one session, an hour at most, unreadable without it.

Nothing of it is in a table or on a disk of ours. It lies encrypted in the cache; the key is
in the session alone, so that it ends with the session whatever the cache still holds
(docs/adr/0012-feasibility-sandbox.md).
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterator

from cryptography.fernet import Fernet, InvalidToken
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import cache

#: For how many seconds.
KEPT_FOR = 3600
_NAME = "feasibility"
FILE, MAPPING, OPTIONS, RESULT = "file", "mapping", "options", "result"
_PARTS = (FILE, MAPPING, OPTIONS, RESULT)


class Sandbox:
    """The one sandbox of a session."""

    def __init__(self, session: SessionBase) -> None:
        self._session = session

    def begin(self, **parts: bytes) -> None:
        """Forget what there is, and hold these instead."""
        self.forget()
        key = Fernet.generate_key().decode()
        self._session[_NAME] = {"token": secrets.token_urlsafe(24), "key": key}
        self.hold(**parts)

    def hold(self, **parts: bytes) -> None:
        """Hold these parts beside the others, which keep their time."""
        known: dict[str, str] = self._session.get(_NAME) or {}
        lock = Fernet(known["key"].encode())
        for part, content in parts.items():
            kept = lock.encrypt(zlib.compress(content, 1))
            cache.set(_address(known["token"], part), kept, KEPT_FOR)

    def part(self, name: str) -> bytes | None:
        """A part, as long as it is there."""
        known: dict[str, str] = self._session.get(_NAME) or {}
        kept = cache.get(_address(known["token"], name)) if known else None
        if kept is None:
            return None
        try:
            return zlib.decompress(Fernet(known["key"].encode()).decrypt(kept))
        except (InvalidToken, zlib.error):
            return None

    def has(self, name: str) -> bool:
        known: dict[str, str] = self._session.get(_NAME) or {}
        return bool(known) and cache.has_key(_address(known["token"], name))

    def forget(self) -> None:
        """Nothing of it is left."""
        known = self._session.pop(_NAME, None)
        if known:
            cache.delete_many(list(_addresses(known["token"])))


def _address(token: str, part: str) -> str:
    return f"{_NAME}:{token}:{part}"


def _addresses(token: str) -> Iterator[str]:
    return (_address(token, part) for part in _PARTS)
