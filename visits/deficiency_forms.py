"""What people type about a device deficiency."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from trialsite.access.forms import DateField
from trialsite.access.models import Site
from trialsite.conduct.deviation_forms import PartialDateInput
from visits.models.deficiencies import Component, DeviceDeficiency, Phase, Whereabouts
from visits.services.deficiencies import DeficiencyFacts

_YES_NO = [("", "–"), ("yes", _("Yes")), ("no", _("No"))]


class YesNo(forms.TypedChoiceField):
    """A question that must be answered; nothing is answered for anybody."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=_YES_NO, coerce=lambda text: text == "yes", **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return {True: "yes", False: "no"}.get(value, value) if value != "" else value


class DeficiencyForm(forms.Form):
    """What is known of a deficiency."""

    component = forms.ChoiceField(label=_("Component"), choices=[("", "–"), *Component.choices])
    product = forms.CharField(label=_("Model"), max_length=200, required=False)
    lot = forms.CharField(label=_("Lot or serial number"), max_length=100, required=False)
    description = forms.CharField(
        label=_("What was deficient"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4})
    )
    occurred_on = PartialDateInput(
        label=_("Occurred on"),
        help_text=_("As far as it is known: 2026, 2026-03 or 2026-03-05."),
    )
    phase = forms.ChoiceField(label=_("Phase"), choices=[("", "–"), *Phase.choices])
    harm = YesNo(label=_("Somebody came to harm"))
    could_have_led = YesNo(label=_("Could have led to a serious adverse event"))
    whereabouts = forms.ChoiceField(
        label=_("The device now"), choices=[("", "–"), *Whereabouts.choices]
    )
    returned_on = DateField(label=_("Returned on"), required=False)

    def facts(self) -> DeficiencyFacts:
        """What the service takes."""
        return DeficiencyFacts(
            **{name: self.cleaned_data[name] for name in DeficiencyForm.base_fields}
        )


class NewDeficiencyForm(DeficiencyForm):
    """A deficiency that somebody reports; of a participant where one is named."""

    site = forms.ModelChoiceField(label=_("Site"), queryset=Site.objects.none())
    subject = forms.CharField(
        label=_("Screening or subject number"),
        max_length=20,
        required=False,
        help_text=_("Empty: a device of the site that no participant was treated with."),
    )
    field_order = ("site", "subject")

    def __init__(self, *args: Any, sites: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = sites


class ChangeDeficiencyForm(DeficiencyForm):
    """A correction, with its reason."""

    reason = forms.CharField(label=_("Reason for the change"), max_length=500)


def initial_of(deficiency: DeviceDeficiency) -> dict[str, Any]:
    """What the form shows of a stored deficiency."""
    found = {name: getattr(deficiency, name) for name in DeficiencyForm.base_fields}
    return {**found, "occurred_on": str(deficiency.occurred_on)}
