"""A safety snapshot as PDF: what was frozen, in one language, with its hash."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.models import SafetySnapshot
from trialsite.conduct.rules import STANDINGS, Standing
from trialsite.conduct.services.snapshots import is_intact
from trialsite.core.pdf import About, pdf

TEMPLATE = Path(__file__).parent / "paper/snapshot.typ"


def snapshot_paper(snapshot: SafetySnapshot, *, language: str) -> bytes:
    """The PDF of a snapshot; only from what was frozen, so that its bytes are always the same."""
    with translation.override(language):
        title = _("Safety snapshot %(number)d") % {"number": snapshot.number}
        study = protocol_of(snapshot.version_id).study.title.in_language(language)
        data = {
            "title": title,
            "purpose": snapshot.purpose,
            "study": study,
            "about": {"title": _("Data cut"), "rows": _about(snapshot)},
            **_said(snapshot.content[language]),
        }
        about = About(
            title=title,
            head=f"{title} · {snapshot.purpose}",
            foot=f"SHA-256 {snapshot.sha256[:16]}",
            watermark="" if is_intact(snapshot) else _("ALTERED"),
            language=language,
        )
        return pdf(TEMPLATE, data, about=about, at=snapshot.taken_at)


def _about(snapshot: SafetySnapshot) -> list[list[str]]:
    taken = snapshot.taken_at.astimezone(dt.UTC)
    return [
        [_("Taken"), f"{taken:%Y-%m-%d %H:%M:%S} UTC"],
        [_("Taken by"), snapshot.taken_by.full_name],
        [_("Protocol version"), snapshot.version.version],
        [_("SHA-256 of the content"), snapshot.sha256],
    ]


def _said(content: dict[str, Any]) -> dict[str, Any]:
    where = {"*": _("The whole study")}
    holds = [
        [where.get(each["where"], each["where"]), each["scope"], each["reason"], _at(each)]
        for each in content["holds"]
    ]
    return {
        "counts": {"title": _("The whole study"), "rows": content["counts"]},
        "rules": {
            "title": _("Rules and gates"),
            "rows": [{"name": each["name"], "rows": _rule(each)} for each in content["rules"]],
        },
        "holds": {
            "title": _("Holds that stood"),
            "head": [_("Where"), _("What is held"), _("Reason"), _("Placed")],
            "rows": holds,
            "none": _("No hold stood."),
        },
    }


def _rule(said: dict[str, Any]) -> list[list[str]]:
    """One rule: whether it is on, its parameters, what it looked at, what it said."""
    rows = [[_("State"), str(STANDINGS[Standing(said["standing"])])], *said["parameters"]]
    rows += said["inputs"]
    if said["enrolled"] is not None:
        rows.append([_("Enrolled"), str(said["enrolled"])])
        rows.append([_("With data"), str(said["with_data"])])
    verdict = " ".join(text for text in (said["verdict"], said["says"]) if text)
    return [*rows, [_("What it says"), verdict]]


def _at(hold: dict[str, Any]) -> str:
    placed = dt.datetime.fromisoformat(hold["placed_at"]).astimezone(dt.UTC)
    return f"{placed:%Y-%m-%d %H:%M} UTC"
