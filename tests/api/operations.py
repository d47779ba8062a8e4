"""Every operation of the API, read from its addresses, so that none can be forgotten."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trialsite.api.urls import urlpatterns
from trialsite.crf.registry import forms

_NUMBER = re.compile(r"<int:(\w+)>")
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
#: Arguments that name no row of a person's data.
PLAIN = {"slug": "vs", "code": "001", "name": "subjects", "item": "I.AE.TERM"}

ENTRY: dict[str, Any] = {"values": {}}
_BODIES: dict[str, dict[str, Any]] = {
    "void": {"reason": "x"},
    "void-enrolment": {"reason": "x"},
    "reopen": {"reason": "x"},
    "enrol": {},
    "close": {"outcome": "declined", "on": "2026-03-01"},
    "screen-fail": {"on": "2026-03-01", "criteria": ["EX01"]},
    "not-done": {"reason": "x"},
    "attend": {"on": "2026-03-01", "mode": "ward"},
    "miss": {"reason": "x"},
    "take-back": {"reason": "x"},
    "cancel": {"reason": "x"},
    "identity": {"name": "A"},
    "disclosures": {"reason": "x"},
    "erasure": {"reason": "x"},
}
_TEXT = {"text": "x"}


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    route: str

    @property
    def arguments(self) -> list[str]:
        return [name for name in _ARGUMENT.findall(self.route) if name not in PLAIN]

    @property
    def unknown(self) -> dict[str, Any]:
        """For each argument an id that is nobody's."""
        numbered = set(_NUMBER.findall(self.route))
        return {name: 2**31 - 1 if name in numbered else uuid.uuid4() for name in self.arguments}

    @property
    def form_oid(self) -> str:
        """The form whose records this address takes."""
        slug = self.route.split("/")[1] if self.route.startswith("crf/") else "vs"
        slug = "lb" if self.route.startswith("lab-panels/") else slug
        slug = "ae" if self.route.startswith("adverse-events/") else slug
        return next(form.oid for form in forms().values() if form.slug == slug)

    def path(self, ids: Mapping[str, Any]) -> str:
        return _ARGUMENT.sub(lambda found: str({**PLAIN, **ids}[found[1]]), self.route)

    @property
    def body(self) -> dict[str, Any]:
        last = self.route.rstrip("/").rpartition("/")[2]
        if self.route.startswith("queries/"):
            return _TEXT
        return _BODIES.get(last, ENTRY)

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def operations() -> Iterator[Operation]:
    for pattern in urlpatterns:
        actions = getattr(pattern.callback, "actions", None) or {"get": "get"}
        for method in actions:
            if method != "head":
                yield Operation(method.upper(), str(pattern.pattern))
