"""Assumptions on the protocol's page: grouped for reading, ticked, and signed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from trialsite.access.signing import SigningForm
from trialsite.casebook.models import ProtocolVersion
from trialsite.protocol import Assumption, Protocol, Source
from trialsite.review.assumptions import confirmations_of
from trialsite.review.models import ConfirmedAssumption

SECTIONS = {
    "translation": gettext_lazy("Translation"),
    "study": gettext_lazy("Study"),
    "anchor": gettext_lazy("Day zero"),
    "outcomes": gettext_lazy("Outcomes"),
    "schedule": gettext_lazy("Schedule"),
    "criteria": gettext_lazy("Eligibility criteria"),
    "labs": gettext_lazy("Laboratory"),
    "sessions": gettext_lazy("Treatment sessions"),
    "item_limits": gettext_lazy("Expected ranges of items"),
    "samples": gettext_lazy("Samples"),
    "follow_up": gettext_lazy("Survival follow-up"),
    "reminders": gettext_lazy("Reminders"),
    "safety_reporting": gettext_lazy("Safety reporting"),
    "proposals": gettext_lazy("Proposed holds and gates"),
}
SOURCES = {
    Source.LISTING: gettext_lazy("Public listing"),
    Source.REGISTRY: gettext_lazy("Registry"),
    Source.STANDARD: gettext_lazy("Standard"),
    Source.ASSUMPTION: gettext_lazy("Assumption"),
    Source.CONFIRMED: gettext_lazy("Confirmed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumptionLine:
    """One value that is ours: open, or confirmed by somebody."""

    path: str
    label: str
    value: str
    ticked: bool = False
    confirmed: ConfirmedAssumption | None = None

    @property
    def source(self) -> Promise:
        return SOURCES[Source.CONFIRMED if self.confirmed else Source.ASSUMPTION]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The assumptions of one section of the file."""

    key: str
    title: str
    ticked: bool = False
    lines: list[AssumptionLine] = field(default_factory=list)

    @property
    def open(self) -> int:
        """How many nobody has confirmed."""
        return sum(line.confirmed is None for line in self.lines)

    @property
    def confirmed(self) -> int:
        return len(self.lines) - self.open

    @property
    def unfolded(self) -> bool:
        """Whether something typed stands inside."""
        return self.ticked or any(line.ticked for line in self.lines)


def assumption_groups(
    protocol: Protocol, version: ProtocolVersion | None, typed: Any = None
) -> list[Group]:
    """Every assumption of a version by section, open and confirmed, in the order of the file."""
    ticked = set(typed.getlist("path")) if typed else set()
    sections = set(typed.getlist("section")) if typed else set()
    confirmed = {each.path: each for each in confirmations_of(version.pk)} if version else {}
    language = get_language() or "en"
    groups = []
    for key, found in groupby(protocol.assumptions(), key=lambda each: each.section):
        lines = [
            AssumptionLine(
                path=each.path,
                label=each.label.in_language(language),
                value=each.value,
                ticked=each.path in ticked,
                confirmed=confirmed.get(each.path),
            )
            for each in found
        ]
        title = str(SECTIONS.get(key, key))
        groups.append(Group(key=key, title=title, ticked=key in sections, lines=lines))
    return groups


class ConfirmForm(SigningForm):
    """Values ticked one by one or by section, and the signature under them."""

    path = forms.MultipleChoiceField(required=False)
    section = forms.MultipleChoiceField(required=False)

    def __init__(
        self, *args: Any, request: HttpRequest, open_now: list[Assumption], **kwargs: Any
    ) -> None:
        super().__init__(*args, request=request, **kwargs)
        self._open = open_now
        paths, sections = self.fields["path"], self.fields["section"]
        assert isinstance(paths, forms.MultipleChoiceField)
        assert isinstance(sections, forms.MultipleChoiceField)
        paths.choices = [(each.path, each.path) for each in open_now]
        sections.choices = [(key, key) for key in dict.fromkeys(each.section for each in open_now)]

    def clean(self) -> dict[str, Any] | None:
        if not self.errors and not self.chosen:
            self.add_error("path", _("Choose at least one value to confirm."))
        return super().clean()

    @property
    def chosen(self) -> dict[str, str]:
        """The value of each chosen path, as the person read it."""
        paths = set(self.cleaned_data.get("path", ()))
        sections = set(self.cleaned_data.get("section", ()))
        return {
            each.path: each.value
            for each in self._open
            if each.path in paths or each.section in sections
        }
