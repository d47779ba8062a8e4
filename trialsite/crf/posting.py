"""What every entry page posts beside its fields: the version it was made from, the reason."""

from __future__ import annotations

import json

from django.http import HttpRequest

from trialsite.crf.pages import CHANGE_REASONS


def clean(name: str, text: str) -> str:
    """NUL is no text. In a value it is answered beside the item; elsewhere it goes."""
    return text.replace("\x00", "") if "." in name else text


def base_of(request: HttpRequest) -> dict[str, str]:
    """What was stored when the page was made; without it, everything differs."""
    try:
        base = json.loads(request.POST.get("base", ""))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in base.items()} if isinstance(base, dict) else {}


def reason_of(request: HttpRequest) -> str:
    """The reason for a change: the word chosen from the list, and the person's own."""
    word = CHANGE_REASONS.get(request.POST.get("reason_code", ""))
    parts = [str(word) if word else "", request.POST.get("reason_text", "").strip()]
    return ": ".join(part for part in parts if part).replace("\x00", "")[:1000]


def integer(text: str) -> int:
    """A version as posted; -1 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
