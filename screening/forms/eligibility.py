"""The investigator's answers to the criteria, with the signature that binds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from screening.services.eligibility import DECISION, refusals_to_sign
from trialsite.access.models import User
from trialsite.access.signing import SigningForm
from trialsite.casebook.models import Subject


def answers_in(data: Mapping[str, Any] | QueryDict, criteria: Iterable[str]) -> dict[str, str]:
    """What was answered, by criterion; what was not is empty."""
    return {each: str(data.get(f"answer-{each}", "")) for each in criteria}


def notes_in(data: Mapping[str, Any] | QueryDict, criteria: Iterable[str]) -> dict[str, str]:
    """What was noted beside the answers."""
    return {each: str(data.get(f"note-{each}", "")).strip() for each in criteria}


class EligibilityForm(SigningForm):
    """Answers by criterion, password and code. Whatever the data refuse is said first, beside
    its criterion, before a code is spent."""

    def __init__(
        self,
        *args: Any,
        subject: Subject,
        criteria: Iterable[str],
        by: User,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._subject, self._by, self._criteria = subject, by, list(criteria)
        self.answers = answers_in(self.data, self._criteria)
        self.notes = notes_in(self.data, self._criteria)
        #: Refusals by criterion.
        self.refused: dict[str, list[str]] = {}

    def clean(self) -> dict[str, Any] | None:
        self.refuse(
            refusals_to_sign(
                subject=self._subject, answers=self.answers, notes=self.notes, by=self._by
            )
        )
        return super().clean()

    def refuse(self, errors: dict[str, list[str]]) -> None:
        """Show each refusal beside its criterion; nothing typed is lost."""
        for name, texts in errors.items():
            if name == DECISION or name not in self._criteria:
                for text in texts:
                    self.add_error(None, text)
            else:
                self.refused[name] = texts
        if self.refused:
            self.add_error(
                None, forms.ValidationError(_("Not signed yet: see the criteria marked below."))
            )
