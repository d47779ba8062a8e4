"""The companion form of deviations, and the fields of their pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.forms import DateField
from trialsite.access.models import Site
from trialsite.conduct.models import Category, Deviation, DeviationStatus, Importance, Origin
from trialsite.conduct.models.deviations import IMPORTANT
from trialsite.conduct.services.deviations import DeviationFacts
from trialsite.core.partial_dates import PartialDate


class PartialDateInput(forms.CharField):
    """A date known to the year, the month or the day."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"})
        super().__init__(max_length=10, widget=widget, **kwargs)

    def clean(self, value: Any) -> PartialDate | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return PartialDate.read(text)
        except ValueError as error:
            raise ValidationError(
                _("Enter a year (2026), a month (2026-03) or a date (2026-03-05).")
            ) from error


class DeviationForm(forms.Form):
    """What is known of a deviation."""

    description = forms.CharField(
        label=_("Description"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4})
    )
    importance = forms.ChoiceField(label=_("Class"), choices=[("", "–"), *Importance.choices])
    categories = forms.MultipleChoiceField(
        label=_("Categories"), choices=Category.choices, widget=forms.CheckboxSelectMultiple
    )
    occurred_on = PartialDateInput(
        label=_("Occurred on"),
        required=False,
        help_text=_("As far as it is known: 2026, 2026-03 or 2026-03-05."),
    )
    discovered_on = DateField(label=_("Discovered on"))
    measures = forms.CharField(
        label=_("Corrective and preventive action"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    ethics_reported_on = DateField(label=_("Reported to the ethics committee on"), required=False)

    def facts(self) -> DeviationFacts:
        """What the service takes."""
        return DeviationFacts(
            **{name: self.cleaned_data[name] for name in DeviationForm.base_fields}
        )


class NewDeviationForm(DeviationForm):
    """A deviation that somebody reports; of a subject where one is named."""

    site = forms.ModelChoiceField(label=_("Site"), queryset=Site.objects.none())
    subject = forms.CharField(
        label=_("Screening or subject number"),
        max_length=20,
        required=False,
        help_text=_("Empty: a deviation of the site."),
    )
    field_order = ("site", "subject")

    def __init__(self, *args: Any, sites: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = sites


class ChangeForm(DeviationForm):
    """A change of an accepted deviation, with its reason."""

    reason = forms.CharField(label=_("Reason for the change"), max_length=500)


class DeviationFilter(forms.Form):
    """Which deviations the list shows."""

    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.none(), required=False, empty_label=_("All")
    )
    importance = forms.ChoiceField(
        label=_("Class"), choices=[("", _("All")), *Importance.choices], required=False
    )
    status = forms.ChoiceField(
        label=_("Status"), choices=[("", _("All")), *DeviationStatus.choices], required=False
    )
    category = forms.ChoiceField(
        label=_("Category"), choices=[("", _("All")), *Category.choices], required=False
    )
    origin = forms.ChoiceField(
        label=_("Origin"), choices=[("", _("All")), *Origin.choices], required=False
    )
    ethics = forms.ChoiceField(
        label=_("Ethics committee"),
        choices=[("", _("All")), ("due", _("Report due")), ("reported", _("Reported"))],
        required=False,
    )
    subject = forms.CharField(label=_("Subject"), max_length=20, required=False)

    def __init__(self, *args: Any, sites: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = sites

    def narrow(self, rows: Any) -> Any:
        """The rows asked for; what cannot be understood narrows nothing."""
        self.is_valid()
        asked = {name: value for name, value in self.cleaned_data.items() if value}
        if category := asked.pop("category", ""):
            rows = rows.filter(categories__contains=[category])
        if ethics := asked.pop("ethics", ""):
            rows = rows.filter(_ETHICS[ethics])
        if number := asked.pop("subject", "").strip():
            named = Q(subject__screening_number__iexact=number)
            rows = rows.filter(named | Q(subject__number__iexact=number))
        return rows.filter(**asked)


#: What the ethics committee has been told, or is still to be told, of important deviations.
_ETHICS = {
    "reported": Q(ethics_reported_on__isnull=False),
    "due": Q(
        ethics_reported_on=None,
        importance__in=IMPORTANT,
        status__in=[DeviationStatus.PROPOSED, DeviationStatus.ACCEPTED],
    ),
}


def initial_of(deviation: Deviation) -> dict[str, Any]:
    """What the form shows of a stored deviation."""
    found = {name: getattr(deviation, name) for name in DeviationForm.base_fields}
    return {**found, "occurred_on": str(deviation.occurred_on or "")}
