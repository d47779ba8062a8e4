"""What is typed into the screening log; every refusal stands beside its field."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Reason, Source
from trialsite.access.forms import DateField
from trialsite.access.models import Site
from trialsite.protocol import Criterion


class RefusableForm(forms.Form):
    """A form that shows what a service refused; nothing typed is lost."""

    def refused(self, errors: dict[str, list[str]]) -> None:
        for field, texts in errors.items():
            for text in texts:
                self.add_error(field if field in self.fields else None, text)


class NewEntryForm(RefusableForm):
    """A person who is considered: when and from where, never who."""

    once = forms.CharField(widget=forms.HiddenInput, max_length=36)
    site = forms.ModelChoiceField(Site.objects.none(), label=_("Site"))
    first_contact_on = DateField(label=_("First contact"))
    source = forms.ChoiceField(label=_("Source"), choices=Source.choices)
    earlier = forms.CharField(
        label=_("Screened before as"),
        required=False,
        max_length=20,
        help_text=_("The earlier screening number, if this person was screened here before."),
    )

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Site.objects.filter(pk__in=[site.pk for site in sites])
        if len(sites) == 1:
            field.initial, field.widget = sites[0].pk, forms.HiddenInput()


class CloseForm(RefusableForm):
    """How a screening ended, and every reason for it; `decided` are the criteria of a signed
    decision, chosen beforehand."""

    outcome = forms.ChoiceField(label=_("Outcome"), widget=forms.RadioSelect)
    on = DateField(label=_("Date of the outcome"))
    criteria = forms.MultipleChoiceField(
        label=_("Criteria that decided"), required=False, widget=forms.CheckboxSelectMultiple
    )
    reasons = forms.MultipleChoiceField(
        label=_("Other reasons"),
        required=False,
        choices=Reason.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    comment = forms.CharField(label=_("Comment"), required=False, max_length=500)

    def __init__(
        self,
        data: Any,
        *,
        outcomes: tuple[Outcome, ...],
        criteria: tuple[Criterion, ...],
        language: str,
        today: dt.date,
        prefix: str,
        decided: tuple[str, ...] = (),
    ) -> None:
        initial: dict[str, Any] = {"on": today}
        if decided:
            initial |= {"outcome": Outcome.SCREEN_FAILED.value, "criteria": list(decided)}
        super().__init__(data, initial=initial, prefix=prefix)
        self.fields["outcome"].choices = [(each.value, each.label) for each in outcomes]  # type: ignore[attr-defined]
        self.fields["criteria"].choices = [  # type: ignore[attr-defined]
            (each.id, f"{each.id}  {each.text.in_language(language)}") for each in criteria
        ]


class ReasonForm(RefusableForm):
    """An act that needs a reason, not “are you sure”."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class FirstContactForm(ReasonForm):
    """The day on which the person was first met, as it should have been entered."""

    first_contact_on = DateField(label=_("First contact"))

    field_order = ("first_contact_on", "reason")


class SamePersonForm(ReasonForm):
    """Another entry of the same site that is likely the same person; empty takes it back."""

    other = forms.CharField(label=_("Screening number"), required=False, max_length=20)

    field_order = ("other", "reason")

    def __init__(self, data: Any = None, *, entry: ScreeningEntry, prefix: str) -> None:
        known = entry.same_person_as
        super().__init__(data, initial={"other": known.number if known else ""}, prefix=prefix)
