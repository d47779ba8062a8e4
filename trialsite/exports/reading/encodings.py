"""From bytes to text, strictly: every byte is understood, and how is said."""

from __future__ import annotations

import codecs
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from trialsite.exports.reading.problems import UnreadableFileError


class Encoding(StrEnum):
    """What a mapping may name."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    GB18030 = "gb18030"
    BIG5 = "big5"
    WINDOWS_1252 = "windows-1252"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The text, and as what it was read."""

    text: str
    encoding: str


_BOMS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 (BOM)"),
    (codecs.BOM_UTF32_LE, "", ""),
    (codecs.BOM_UTF32_BE, "", ""),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_LOOKED_AT = 4096


def decode(content: bytes, stated: Encoding | None = None) -> Decoded:
    """The text of a file: as its byte order mark, the mapping or its bytes themselves say.

    Without a mark: UTF-8 if all of it is, else GB18030 if all of it is and makes sense.
    """
    for mark, codec, name in _BOMS:
        if content.startswith(mark):
            if not codec:
                raise UnreadableFileError(_("UTF-32 is not read. Save the file as UTF-8."))
            return _checked(_strictly(content[len(mark) :], codec, name), name)
    if stated is not None:
        codec = _utf_16(content) or "utf-16-le" if stated is Encoding.UTF_16 else stated.value
        return _checked(_strictly(content, codec, stated.value), stated.value.upper())
    if codec := _utf_16(content):
        return _checked(_strictly(content, codec, "UTF-16"), "UTF-16")
    return _checked(*_by_content(content))


def _by_content(content: bytes) -> tuple[str, str]:
    try:
        return content.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        text = ""
    if not text or any(unicodedata.category(each) in {"Co", "Cn"} for each in set(text)):
        message = _(
            "Line %(line)d is neither UTF-8 nor GB18030 text. Save the file as UTF-8, or name its "
            "encoding in the mapping."
        )
        raise UnreadableFileError(message % {"line": line}, line=line)
    return text, "GB18030"


def _strictly(content: bytes, codec: str, name: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(codec, "ignore").count("\n") + 1
        message = _("Line %(line)d is not %(encoding)s text.") % {"line": line, "encoding": name}
        raise UnreadableFileError(message, line=line) from error


def _utf_16(content: bytes) -> str:
    """The order of UTF-16 without a mark: every other byte of its digits and line ends is zero."""
    head = content[:_LOOKED_AT]
    zeros = [head[side::2].count(0) for side in (0, 1)]
    if len(content) % 2 or max(zeros) * 10 < len(head) or min(zeros):
        return ""
    codec = "utf-16-le" if zeros[1] else "utf-16-be"
    return codec if "\n" in head.decode(codec, "ignore") else ""


def _checked(text: str, encoding: str) -> Decoded:
    text = text.removeprefix("\ufeff")
    at = text.find("\x00")
    if at != -1:
        line = text.count("\n", 0, at) + 1
        message = _("Line %(line)d holds a NUL character: the file is damaged or no table.")
        raise UnreadableFileError(message % {"line": line}, line=line)
    return Decoded(text=text, encoding=encoding)
