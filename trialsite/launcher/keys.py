"""Keys and passwords: made once, at random, readable by their owner only."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from trialsite.launcher.storage import write_atomically


def password() -> str:
    """Return a random password that needs no escaping inside a URL."""
    return secrets.token_urlsafe(32)


def field_key() -> str:
    """Return a key for the encryption of single fields (32 random bytes, URL-safe base64)."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")


def identity_key() -> str:
    """Return the first key of the identifier vault, under its id."""
    return f"k1:{field_key()}"


class Keyring:
    """The generated secrets of one installation, a file each."""

    def __init__(self, directory: Path) -> None:
        """Use the given directory, which the caller has closed to others."""
        self._directory = directory

    def get(self, name: str, make: Callable[[], str] = password) -> str:
        """Return a secret, generating it the first time it is asked for."""
        path = self._directory / name
        if not path.exists():
            write_atomically(path, make() + "\n", mode=0o600)
        return path.read_text(encoding="utf-8").strip()

    @property
    def secret_key(self) -> str:
        """Django's signing key."""
        return self.get("secret_key", lambda: secrets.token_urlsafe(64))

    @property
    def field_keys(self) -> str:
        """Keys of field encryption, newest first, separated by commas."""
        return self.get("field_keys", field_key)

    @property
    def identity_keys(self) -> str:
        """Keys of the identifier vault as `id:key`, newest first, separated by commas."""
        return self.get("identity_keys", identity_key)

    @property
    def identity_index_key(self) -> str:
        """Key by which the vault finds equal identifiers."""
        return self.get("identity_index_key", field_key)
