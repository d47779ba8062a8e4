"""An .xlsx file is a compressed archive: looked through before anything opens it (trust IM3).

Sizes are counted while unpacking, never believed; nothing is written to the disk.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

from django.utils.translation import gettext as _

from trialsite.exports.reading.limits import (
    MOST_CELLS,
    MOST_COLUMNS,
    MOST_ENTRIES,
    MOST_RATIO,
    MOST_UNPACKED,
)
from trialsite.exports.reading.problems import UnreadableFileError

_BLOCK = 1 << 20
_SMALL = 1 << 20
#: Document types and entities, in the encodings that XML readers take.
_DECLARED = re.compile(rb"<\0?!\0?(?:D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)")
_UNWELCOME = re.compile(r"vbaproject|externallinks/|activex|embeddings/|\.(?:exe|js|bin\.exe)$")
_PLACE = re.compile(rb"[\s]r\s*=\s*[\"']\$?([A-Za-z]{1,4})\$?([0-9]{1,9})[\"']")
_SHEET = re.compile(r"worksheets/[^/]+\.xml$", re.IGNORECASE)
_OVERLAP = 64
#: What a workbook is packed with (ISO/IEC 29500-2); bzip2 and LZMA are not, and the latter
#: would let a file of a few bytes ask for gigabytes.
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
#: What the archive's reader raises for bytes that are no archive. Sizes and places of 64 bits
#: overflow, and an overflow is no ValueError.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
)


def expect_harmless(content: bytes) -> None:
    """Refuse an archive that is damaged, locked, a bomb, or more than a plain workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _expect_plain(archive.infolist())
            total = 0
            for entry in archive.infolist():
                total += _expect_sound(archive, entry, total)
    except _DAMAGED as error:
        raise UnreadableFileError(
            _("The workbook is damaged or incomplete. Save it anew and try again.")
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise UnreadableFileError(_packed_otherwise()) from error


def _packed_otherwise() -> str:
    return _("The workbook is packed in a way that is not read. Save it anew as .xlsx.")


def _expect_plain(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise UnreadableFileError(_("The workbook has too many parts."))
    names = [entry.filename.replace("\\", "/").lower() for entry in entries]
    if len(set(names)) < len(names):
        raise UnreadableFileError(_("A part of the workbook stands in it twice."))
    for entry, name in zip(entries, names, strict=True):
        if said := _unwelcome(entry, name):
            raise UnreadableFileError(said)


def _unwelcome(entry: zipfile.ZipInfo, name: str) -> str:
    """Why a part is not opened; empty where it may be."""
    outside = name.startswith("/") or ".." in name.split("/") or ":" in name
    if outside or stat.S_ISLNK(entry.external_attr >> 16):
        return _("The workbook names a place outside itself.")
    if entry.flag_bits & 0x1:
        return _("The workbook is locked. Save it without a password.")
    if entry.compress_type not in _PACKED:
        return _packed_otherwise()
    if _UNWELCOME.search(name):
        return _("The workbook holds macros, links or other files. Save it as a plain .xlsx.")
    return ""


def _expect_sound(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, before: int) -> int:
    """Unpack one part without keeping it; its true size."""
    size, tail = 0, b""
    sheet = bool(_SHEET.search(entry.filename))
    last_row = last_column = 0
    for block in _blocks(archive, entry):
        size += len(block)
        if before + size > MOST_UNPACKED or (
            size > _SMALL and size > entry.compress_size * MOST_RATIO
        ):
            raise UnreadableFileError(_("The workbook unpacks to more than is read."))
        seen, tail = tail + block, block[-_OVERLAP:]
        if _DECLARED.search(seen):
            raise UnreadableFileError(
                _("The workbook declares entities of its own, which are not read.")
            )
        if sheet:
            last_row, last_column = _furthest(seen, last_row, last_column)
    if last_row * max(last_column, 1) > MOST_CELLS or last_column > MOST_COLUMNS * 4:
        raise UnreadableFileError(
            _("A sheet of the workbook reaches too far. Delete empty rows and columns behind it.")
        )
    return size


def _blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as part:
        while block := part.read(_BLOCK):
            yield block


def _furthest(text: bytes, row: int, column: int) -> tuple[int, int]:
    for letters, digits in _PLACE.findall(text):
        place = 0
        for letter in letters.upper():
            place = place * 26 + letter - 64
        row, column = max(row, int(digits)), max(column, place)
    return row, column
