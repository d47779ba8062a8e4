"""The files of imports at rest: in the vault, encrypted, for they may name people."""

from __future__ import annotations

import hashlib

from cryptography.fernet import InvalidToken
from django.utils.translation import gettext as _

from trialsite.casebook import vault
from trialsite.core.encryption import decrypt_bytes, encrypt_bytes
from trialsite.core.exceptions import DomainError
from trialsite.labs.importing.models import LabImport


def keep_file(content: bytes) -> str:
    """Put a file away; under which name it rests."""
    return vault.store(encrypt_bytes(content))


def file_of(found: LabImport) -> bytes:
    """The file as it came, checked against its hash."""
    stored = vault.fetch(found.stored_as)
    try:
        content = decrypt_bytes(stored) if stored is not None else b""
    except InvalidToken:
        content = b""
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise DomainError(_("The stored file is missing or was altered. Tell the administrator."))
    return content
