"""Identifiers as ciphertext, mask and blind index: pure functions, no database.

A sealed text is `v1.KEY.BASE64`: AES-256-GCM (NIST SP 800-38D) under the key of that id with
a random nonce. What it belongs to (entry, identifier, kind) is authenticated with it, so a
ciphertext that was moved elsewhere does not open. Texts are padded, so that their length does
not tell a name of two characters from one of three.

The blind index is HMAC-SHA256 of the normalised text under a key of its own: equal persons
can be found without opening anything, and nothing can be found without the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FIELDS = ("name", "phone", "hospital_number")
VERSION = "v1"
_BLOCK = 64
_NONCE = 12
_KEY_ID = re.compile(r"[a-z0-9-]{1,16}")


class Kind(StrEnum):
    """What of an identifier is sealed."""

    WHOLE = "whole"
    MASK = "mask"


class UnusableKeyError(ValueError):
    """A key that cannot be used, or none of that id."""


class TamperedError(ValueError):
    """A ciphertext that is not what was sealed for this place."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that open, newest first, and the one that finds. Never printed."""

    sealing: Mapping[str, bytes]
    finding: bytes

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return next(iter(self.sealing))

    @property
    def index_id(self) -> str:
        """Tells one index key from another without telling anything about it."""
        return hmac.new(self.finding, b"index id", hashlib.sha256).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Keys({', '.join(self.sealing)})"


def read_keys(sealing: Sequence[str], finding: str) -> Keys:
    """The keys as settings say them: `id:key`, newest first, and the index key."""
    found: dict[str, bytes] = {}
    for each in sealing:
        key_id, _, text = each.strip().partition(":")
        if not _KEY_ID.fullmatch(key_id):
            raise UnusableKeyError("A key of IDENTITY_KEYS is given as id:key; an id is like k1.")
        if key_id in found:
            raise UnusableKeyError(f"IDENTITY_KEYS names the id {key_id} twice.")
        found[key_id] = _key(text, f"The key {key_id} of IDENTITY_KEYS")
    if not found:
        raise UnusableKeyError("IDENTITY_KEYS holds no key.")
    index = _key(finding, "IDENTITY_INDEX_KEY")
    if index in found.values():
        raise UnusableKeyError("IDENTITY_INDEX_KEY must not be one of IDENTITY_KEYS.")
    return Keys(found, index)


def _key(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise UnusableKeyError(f"{what} is not URL-safe base64.") from error
    if len(key) != 32:
        raise UnusableKeyError(f"{what} must have 32 bytes.")
    return key


def seal(keys: Keys, text: str, *, entry: uuid.UUID, field: str, kind: Kind = Kind.WHOLE) -> str:
    """The text under the newest key, bound to its place."""
    content = text.encode()
    padded = len(content).to_bytes(4, "big") + content
    padded += bytes(-len(padded) % _BLOCK)
    nonce = os.urandom(_NONCE)
    place = _place(keys.newest, entry, field, kind)
    sealed = nonce + AESGCM(keys.sealing[keys.newest]).encrypt(nonce, padded, place)
    return f"{VERSION}.{keys.newest}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def unseal(
    keys: Keys, sealed: str, *, entry: uuid.UUID, field: str, kind: Kind = Kind.WHOLE
) -> str:
    """The text that was sealed for this place; raises TamperedError for any other."""
    version, _, rest = sealed.partition(".")
    key_id, _, body = rest.partition(".")
    if version != VERSION:
        raise TamperedError("not a ciphertext of the vault")
    if key_id not in keys.sealing:
        raise UnusableKeyError(f"IDENTITY_KEYS has no key {key_id}.")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        place = _place(key_id, entry, field, kind)
        padded = AESGCM(keys.sealing[key_id]).decrypt(raw[:_NONCE], raw[_NONCE:], place)
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise TamperedError("a ciphertext does not belong where it lies") from error
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")].decode()


def _place(key_id: str, entry: uuid.UUID, field: str, kind: Kind) -> bytes:
    return f"{VERSION}.{key_id}.{entry}.{field}.{kind}".encode()


def cleaned(text: str) -> str:
    """As it is kept: composed characters, single spaces, nothing invisible at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def normalised(field: str, text: str) -> str:
    """The form in which two writings are the same identifier."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if field == "phone":
        digits = re.sub(r"\D", "", folded)
        # China's prefix, written as +86, 0086 or 86, in front of a mobile number.
        return re.sub(r"^(?:00)?86(?=1\d{10}$)", "", digits)
    return "".join(each for each in folded if each.isalnum())


def blind(keys: Keys, field: str, text: str) -> str:
    """Where equal identifiers meet: `INDEX ID.HMAC`."""
    message = f"{field}\0{normalised(field, text)}".encode()
    return f"{keys.index_id}.{hmac.new(keys.finding, message, hashlib.sha256).hexdigest()}"


def mask(field: str, text: str) -> str:
    """What staff with the right see without asking: enough to tell two rows apart.

    The number of stars says nothing of the length.
    """
    if field == "phone":
        digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text))
        return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 11 else _end(digits)
    if field == "hospital_number":
        return _end(text)
    return "**" if len(text) < 2 else f"{text[0]}**"


def _end(text: str) -> str:
    """The last four characters of a long text, fewer of a short one."""
    shown = min(4, len(text) // 2)
    return "****" + (text[-shown:] if shown else "")
