"""What every entry page posts beside its fields: the version it was made from, the reason."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from trialsite.casebook.models import CrfRecord
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.pages import CHANGE_REASONS
from trialsite.crf.services import IncompleteError


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


def act_on(
    request: HttpRequest,
    found: CrfRecord,
    act: Callable[[], object],
    done: str,
    *,
    page: str = "crf:record",
) -> HttpResponse:
    """Do one thing to a record and return to its page, with the refusal if there is one."""
    try:
        act()
    except NotPermittedError:
        raise
    except IncompleteError as error:
        messages.error(request, " ".join(error.problems.values()))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect(page, found.pk)
