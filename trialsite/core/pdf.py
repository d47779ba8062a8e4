"""PDF documents: a typst template of ours, data as JSON, one open font, reproducible bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock

import typst
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from trialsite.core.exceptions import DomainError

#: npm's folders of the two weights that are used and shipped (Dockerfile).
WEIGHTS = ("400Regular", "700Bold")
FONTS = "@expo-google-fonts/noto-sans-sc"

#: What is not text: control characters, lone surrogates, and signs that reverse the reading order.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


#: The compiler is one object of the process and sets one document at a time.
_SETTING = Lock()


class PdfError(DomainError):
    """A document could not be set; the template or its data are wrong."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What stands around every page: title, running head and foot, and a watermark if any."""

    title: str
    head: str = ""
    foot: str = ""
    watermark: str = ""
    language: str = "en"


def pdf(template: Path, data: Mapping[str, object], *, about: About, at: datetime) -> bytes:
    """Set `template` (a .typ file of ours) with `data` as of the moment `at`.

    The same template, data and moment give the same bytes. Everything in `data` is set as text:
    the template reads it by `json()`, so that nothing typed by a person is typst markup.
    """
    inputs = {"data": _as_json(data), "about": _as_json(_surroundings(about))}
    try:
        with _SETTING:
            made = _compiler().compile(
                str(template), format="pdf", sys_inputs=inputs, timestamp=int(at.timestamp())
            )
    except typst.TypstError as error:
        raise PdfError(_("The PDF could not be made: {reason}").format(reason=error)) from error
    if not isinstance(made, bytes):
        raise PdfError(_("The PDF could not be made: {reason}").format(reason=type(made).__name__))
    return made


def printable(text: str) -> str:
    """Return `text` with each character that has no shape replaced by one that says so."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _surroundings(about: About) -> dict[str, object]:
    chinese = about.language.startswith("zh")
    mark = "SYNTHETIC" if settings.DEMO else ""
    return {
        "title": about.title,
        "head": about.head,
        "foot": about.foot,
        "mark": mark,
        "watermark": " ".join(word for word in (mark, about.watermark) if word),
        "lang": "zh" if chinese else "en",
        "region": "cn" if chinese else "gb",
        "page": "第 {n} 页，共 {m} 页" if chinese else "Page {n} of {m}",
    }


def _as_json(data: Mapping[str, object]) -> str:
    return json.dumps(_plain(data), ensure_ascii=True)


def _plain(value: object) -> object:
    """Return `value` as JSON knows it; numbers that are not whole are texts already."""
    if isinstance(value, str | Promise):
        return printable(str(value))
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not data of a document: format it first")


@cache
def _compiler() -> typst.Compiler:
    """Return the process's compiler; it reads the fonts once, and none of the machine's."""
    folders = [settings.NODE_MODULES / FONTS / weight for weight in WEIGHTS]
    for folder in folders:
        if not folder.is_dir():
            raise PdfError(_("The font of PDF documents is missing: {path}").format(path=folder))
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(path) for path in folders])
    return typst.Compiler(root=str(settings.BASE_DIR), font_paths=fonts, ignore_system_fonts=True)
