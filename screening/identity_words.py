"""What identifiers are called, and how a page shows them masked."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from screening.models import ScreeningEntry
from screening.services.identity import MAX_LENGTH, MaskedIdentity, masked_identity
from trialsite.access.capabilities import Capability
from trialsite.access.models import User

LABELS: dict[str, Promise] = {
    "name": pgettext_lazy("person", "Name"),
    "phone": _("Phone"),
    "hospital_number": _("Hospital number"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One identifier on a page: its label, its mask, what was typed, what is wrong."""

    field: str
    label: Promise
    masked: str = ""
    typed: str = ""
    removing: bool = False
    errors: tuple[str, ...] = ()
    limit: int = 0


def lines_of(
    identity: MaskedIdentity | None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, list[str]] | None = None,
) -> list[Line]:
    """Every identifier there can be, in their order."""
    typed, errors = typed or {}, errors or {}
    return [
        Line(
            field=name,
            label=label,
            masked=identity.values.get(name, "") if identity else "",
            typed=str(typed.get(name, "")),
            removing=name in typed.get("removing", ()),
            errors=tuple(errors.get(name, ())),
            limit=MAX_LENGTH[name],
        )
        for name, label in LABELS.items()
    ]


def identity_context(entry: ScreeningEntry, user: User) -> dict[str, Any]:
    """What `screening/_identity.html` needs of an entry's page."""
    identity = masked_identity(entry.pk, by=user)
    return {
        "identity": identity,
        "identity_lines": lines_of(identity),
        "may_see_identity": user.can(Capability.VIEW_IDENTITY, site=entry.site_id),
    }


def fields_in_words(found: dict[uuid.UUID, tuple[str, ...]]) -> dict[uuid.UUID, list[str]]:
    """Entry -> the labels of what agrees."""
    return {entry: [str(LABELS[name]) for name in fields] for entry, fields in found.items()}
