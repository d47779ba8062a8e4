"""A report of a serious adverse event as PDF: a draft before the signature, then the paper."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext as _

from trialsite.core.pdf import About, pdf

TEMPLATE = Path(__file__).parents[1] / "paper/sae_report.typ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The manifestation of the signature (21 CFR 11.50): who, when, in which sense."""

    name: str
    role: str
    meaning: str
    at: dt.datetime
    zone: str

    def rows(self) -> list[list[str]]:
        local = self.at.astimezone(ZoneInfo(self.zone))
        return [
            [_("Signed by"), f"{self.name} ({self.role})"],
            [_("Meaning"), self.meaning],
            [_("Signed on"), f"{local:%Y-%m-%d %H:%M:%S} {self.zone}, "
                             f"{self.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"],
        ]  # fmt: skip


def paper(
    content: dict[str, Any],
    *,
    language: str,
    at: dt.datetime,
    digest: str = "",
    signed: Signed | None = None,
) -> bytes:
    """The PDF of a report's frozen content in one language; unsigned it says that it is a draft."""
    said = content[language]
    with translation.override(language):
        seal = signed.rows() if signed else [[_("Signature"), _("Not signed: a draft")]]
        if digest:
            seal.append([_("SHA-256 of the content"), digest])
        data = {
            **said,
            "sections": [
                *said["sections"],
                {"kind": "pairs", "title": _("Signature"), "rows": seal},
            ],
        }
        about = About(
            title=f"{said['title']} {said['head']}",
            head=said["head"],
            foot=f"SHA-256 {digest[:16]}" if digest else _("Draft"),
            watermark="" if signed else _("DRAFT"),
            language=language,
        )
        return pdf(TEMPLATE, data, about=about, at=at)
