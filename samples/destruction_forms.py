"""What people type about samples that are to be destroyed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from samples.forms import TimeForm
from samples.models import DestructionLine
from samples.services.destruction import Explanation, explanations_of
from trialsite.access.models import User


class DestroyForm(TimeForm):
    """Which samples were destroyed, how, and before whom."""

    lines = forms.MultipleChoiceField(
        choices=(), error_messages={"required": _("Choose what was destroyed.")}
    )
    how = forms.CharField(
        label=_("How it was destroyed"),
        max_length=300,
        help_text=_("Such as: autoclaved, then clinical waste."),
    )
    witness = forms.ChoiceField(label=_("Witness"), choices=())

    def __init__(
        self,
        *args: Any,
        waiting: Iterable[DestructionLine],
        people: Iterable[User],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.waiting = {str(each.pk): each for each in waiting}
        self.people = {str(each.pk): each for each in people}
        _choose(self.fields["lines"], [(key, each.code) for key, each in self.waiting.items()])
        people_named = [(key, one.full_name) for key, one in self.people.items()]
        _choose(self.fields["witness"], [("", "–"), *people_named])

    @property
    def chosen(self) -> list[DestructionLine]:
        return [self.waiting[key] for key in self.cleaned_data["lines"]]

    @property
    def second(self) -> User | None:
        return self.people.get(self.cleaned_data["witness"])


class ExplainForm(TimeForm):
    """What became of a sample that is not destroyed here."""

    why = forms.ChoiceField(label=_("What became of it"), choices=())
    explanation = forms.CharField(
        label=_("How this is known"),
        max_length=500,
        help_text=_("What was searched or asked, and the document that says so."),
    )
    confirmed_by = forms.CharField(
        label=_("Confirmed by"),
        max_length=200,
        required=False,
        help_text=_("Name and laboratory; asked for where a recipient has destroyed it."),
    )

    def __init__(self, *args: Any, line: DestructionLine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = explanations_of(line)
        _choose(self.fields["why"], [("", "–"), *((each.value, each.label) for each in offered)])
        if Explanation.RECIPIENT not in offered:
            del self.fields["confirmed_by"]


def _choose(field: forms.Field, choices: list[tuple[str, Any]]) -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
