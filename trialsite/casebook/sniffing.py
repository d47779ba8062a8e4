"""What a file is, by its content alone: a whole PDF, PNG, JPEG or WebP and nothing besides.

Name and type that a client states are ignored. A file that is one kind and at the same
time an archive, a page or a script is refused, whatever it calls itself (trust IM4).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

from django.utils.translation import gettext as _

from trialsite.casebook.models import MediaType
from trialsite.core.exceptions import DomainError


class UnwelcomeFileError(DomainError):
    """The content is not what may be kept; the message says what to do."""


#: What a browser or a server might run, where it stands in a file's readable parts.
_ACTIVE = re.compile(
    rb"<\s*(script|html|svg|body|iframe|object|embed|!doctype|\?php|%)|javascript:|__HALT_COMPILER",
    re.IGNORECASE,
)
_PDF_STREAM = re.compile(rb"stream\r?\n.*?endstream", re.DOTALL)
_PDF_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_PDF_ACTIVE = re.compile(rb"/(JavaScript|JS|Launch|EmbeddedFiles?|RichMedia|XFA)\b")
_PNG = b"\x89PNG\r\n\x1a\n"


def media_type_of(content: bytes) -> MediaType:
    """The kind of a whole, passive document; raises UnwelcomeFileError for everything else."""
    if not content:
        raise UnwelcomeFileError(_("This file is empty."))
    for start, kind, readable_of in _KINDS:
        if content.startswith(start):
            readable = readable_of(content)
            if readable is None:
                break
            if _ends_as_archive(content) or _ACTIVE.search(readable):
                raise UnwelcomeFileError(
                    _("This file holds more than a document or picture. Scan or export it anew.")
                )
            return kind
    raise UnwelcomeFileError(
        _("Only whole PDF, PNG, JPEG and WebP files are kept. Scan or export the document as PDF.")
    )


def _ends_as_archive(content: bytes) -> bool:
    """Whether a ZIP directory (ZIP, JAR, DOCX) closes exactly at the end of the file."""
    tail = content[-65_557:]
    found = tail.find(b"PK\x05\x06")
    while found != -1:
        if len(tail) - found >= 22:
            (comment,) = struct.unpack_from("<H", tail, found + 20)
            if found + 22 + comment == len(tail):
                return True
        found = tail.find(b"PK\x05\x06", found + 1)
    return False


def _pdf(content: bytes) -> bytes | None:
    """Everything outside the streams; a PDF that can act is no document."""
    end = content.rfind(b"%%EOF")
    if end == -1 or content[end + 5 :].strip(b"\r\n\t \x00"):
        return None
    readable = _PDF_STREAM.sub(b"", content)
    names = _PDF_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), readable)
    if _PDF_ACTIVE.search(names):
        raise UnwelcomeFileError(
            _("This PDF holds a script or another file. Print it to a plain PDF and try again.")
        )
    return readable


def _png(content: bytes) -> bytes | None:
    """The chunks beside the picture, if every chunk is whole and IEND is the last."""
    at, first = len(_PNG), True
    readable: list[bytes] = []
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content) or (first and kind != b"IHDR"):
            return None
        (crc,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(content[at + 4 : end - 4]) != crc:
            return None
        if kind == b"IEND":
            return b"".join(readable) if end == len(content) else None
        if kind != b"IDAT":
            readable.append(content[at + 8 : end - 4])
        at, first = end, False
    return None


def _jpeg(content: bytes) -> bytes | None:
    """The segments before the picture; the file ends with the end of an image."""
    if not content.rstrip(b"\x00").endswith(b"\xff\xd9"):
        return None
    at, readable = 2, []
    while at + 4 <= len(content):
        marker, kind, length = struct.unpack_from(">BBH", content, at)
        if marker != 0xFF or length < 2:
            return None
        readable.append(content[at + 4 : at + 2 + length])
        if kind == 0xDA:
            return b"".join(readable)
        at += 2 + length
    return None


def _webp(content: bytes) -> bytes | None:
    """The chunks beside the picture; the container's size is the file's."""
    if len(content) < 20 or content[8:12] != b"WEBP":
        return None
    (size,) = struct.unpack_from("<I", content, 4)
    if size + 8 != len(content) or content[12:16] not in {b"VP8 ", b"VP8L", b"VP8X"}:
        return None
    at, readable = 12, []
    while at + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        if at + 8 + length > len(content):
            return None
        if kind not in {b"VP8 ", b"VP8L", b"ALPH", b"ANMF"}:
            readable.append(content[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return b"".join(readable)


#: How each kind begins, and what of it could be read as something else.
_KINDS: tuple[tuple[bytes, MediaType, Callable[[bytes], bytes | None]], ...] = (
    (b"%PDF-1.", MediaType.PDF, _pdf),
    (b"%PDF-2.", MediaType.PDF, _pdf),
    (_PNG, MediaType.PNG, _png),
    (b"\xff\xd8\xff", MediaType.JPEG, _jpeg),
    (b"RIFF", MediaType.WEBP, _webp),
)
