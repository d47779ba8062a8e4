"""Tags every page speaks with: icons, states, dates. They are built in; no `load` is needed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from trialsite.core.slots import fillings
from trialsite.core.units import unit_label

register = template.Library()
register.filter("unit", unit_label)

_DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_BLANK = re.compile(r"<path stroke=\"none\"[^>]*/>|\s*\n\s*")


@cache
def _drawing(name: str) -> str:
    """The strokes of one icon of the set; an unknown name fails where it is written."""
    path = Path(settings.NODE_MODULES) / "@tabler/icons/icons/outline" / f"{name}.svg"
    found = _DRAWING.search(path.read_text("utf-8"))
    if found is None:
        raise template.TemplateSyntaxError(f"{path.name} is no drawing")
    return _BLANK.sub("", found.group(1))


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """An icon of the one set, as decoration: the words stand beside it."""
    return format_html(
        '<svg class="i{}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>',
        f" {extra}" if extra else "",
        mark_safe(_drawing(name)),  # noqa: S308  (a file of the locked package)
    )


@dataclass(frozen=True, slots=True)
class State:
    """How one state looks, everywhere: a colour (by its key), an icon and a word."""

    key: str
    icon: str
    word: Promise


STATES = {
    state.key: state
    for state in (
        State("not_started", "circle-dashed", _("Not started")),
        State("in_progress", "circle-half-2", _("In progress")),
        State("complete", "circle-check", _("Complete")),
        State("not_done", "circle-minus", _("Not done")),
        State("queried", "message-circle-question", _("Queried")),
        State("verified", "eye-check", _("Verified")),
        State("signed", "signature", _("Signed")),
        State("frozen", "snowflake", _("Frozen")),
        State("locked", "lock", _("Locked")),
        State("voided", "ban", _("Voided")),
    )
}


def state_of(thing: object) -> State:
    """The one state to show of a record: what forbids work, then what asks for it, then the rest.

    Queries, verification and signature are read where the queryset has annotated them
    (`open_queries`, `is_verified`, `is_signed`).
    """
    if isinstance(thing, str):
        return STATES[thing]
    lock = getattr(thing, "lock_state", "open")
    signs = (
        (getattr(thing, "voided_at", None) is not None, "voided"),
        (lock == "locked", "locked"),
        (lock == "frozen", "frozen"),
        (bool(getattr(thing, "open_queries", 0)), "queried"),
        (bool(getattr(thing, "is_signed", False)), "signed"),
        (bool(getattr(thing, "is_verified", False)), "verified"),
    )
    key = next((key for holds, key in signs if holds), getattr(thing, "status", "not_started"))
    return STATES[key]


@register.simple_tag
def state(thing: object, *, label: bool = True) -> SafeString:
    """The state of a record (or of a key): colour, icon and word; the word is always there."""
    found = state_of(thing)
    return format_html(
        '<span class="state state-{}"{}>{}<span class="{}">{}</span></span>',
        found.key,
        "" if label else format_html(' title="{}"', found.word),
        icon(found.icon),
        "state-word" if label else "visually-hidden",
        found.word,
    )


@register.simple_tag
def states() -> list[State]:
    """Every state in order, for a legend."""
    return list(STATES.values())


@register.filter
def day(value: dt.date | dt.datetime | str | None) -> str:
    """A date in ISO order; nothing is an en dash."""
    if not value:
        return "–"
    return value if isinstance(value, str) else value.strftime("%Y-%m-%d")


@register.filter
def at_site(value: dt.datetime | None, zone: str) -> str:
    """A moment on the clock of a site, whose IANA time zone is given."""
    return value.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") if value else "–"


@register.simple_tag(takes_context=True)
def slot(context: template.Context, name: str, thing: object) -> SafeString:
    """What the apps above have to add here (`trialsite.core.slots`)."""
    found = fillings(name, context["request"], thing)
    return format_html_join("", "{}", ((text,) for text in found))
