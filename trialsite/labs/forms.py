"""Forms of the register of laboratories and of earlier treatments."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from trialsite.access.forms import DateField
from trialsite.access.models import Site
from trialsite.core.units import unit_label
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import LARGEST_NUMBER
from trialsite.labs.codes import CreatinineMethod, PurificationKind, Sex
from trialsite.labs.names import said
from trialsite.protocol.labs import Analyte


class LaboratoryForm(forms.Form):
    """A laboratory as the register names it."""

    site = forms.ChoiceField(label=_("Site"))
    code = forms.RegexField(
        r"^[A-Za-z0-9._-]{1,20}$",
        label=_("Code"),
        error_messages={"invalid": _("A code has letters, digits, dots and dashes.")},
    )
    name = forms.CharField(label=_("Name"), max_length=200)
    name_zh = forms.CharField(label=_("Name in Chinese"), max_length=200, required=False)
    creatinine_method = forms.ChoiceField(
        label=_("Creatinine method"), choices=CreatinineMethod.choices, required=False
    )
    pt_reagent = forms.CharField(
        label=_("Prothrombin reagent and its ISI"), max_length=200, required=False
    )
    active = forms.BooleanField(label=_("Active"), required=False, initial=True)

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sites = {str(site.pk): site for site in sites}
        field = self.fields["site"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, str(site)) for key, site in self.sites.items()]


def _limit(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        max_digits=24,
        decimal_places=9,
        min_value=-LARGEST_NUMBER,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class RangeForm(forms.Form):
    """A reference range from a day on."""

    analyte = forms.ChoiceField(label=_("Analyte"))
    unit = forms.CharField(
        label=_("Unit"), max_length=40, widget=forms.TextInput(attrs={"list": "lab-units"})
    )
    low = _limit(_("Lower limit"))
    high = _limit(_("Upper limit"))
    sex = forms.ChoiceField(label=_("For"), choices=Sex.choices, initial=Sex.ALL)
    age_from = forms.IntegerField(label=_("From age"), min_value=0, max_value=150, initial=0)
    age_below = forms.IntegerField(label=_("Below age"), min_value=1, max_value=150, required=False)
    since = DateField(label=_("Valid from"))
    until = DateField(
        label=_("Valid until before"),
        required=False,
        help_text=_("Empty: until a newer range begins."),
    )

    def __init__(self, *args: Any, analytes: tuple[Analyte, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["analyte"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(each.key, said(each.name)) for each in analytes]
        units = dict.fromkeys(unit for each in analytes for unit in each.accepted_units)
        self.units = [(unit, unit_label(unit)) for unit in units]


class CorrectionForm(forms.Form):
    """The right limits of a range that was entered wrongly, and why."""

    low = _limit(_("Lower limit"))
    high = _limit(_("Upper limit"))
    unit = forms.CharField(label=_("Unit"), max_length=40)
    reason = forms.CharField(label=_("Reason"), max_length=500)


class WallTime(forms.CharField):
    """A date and time on the clock at the site."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"})
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> Any:
        return WallTimeField().to_python(super().to_python(value))


class PurificationForm(forms.Form):
    """An earlier treatment that purified the blood."""

    kind = forms.ChoiceField(label=_("Kind"), choices=PurificationKind.choices)
    started_at = WallTime(label=_("Started"))
    ended_at = WallTime(label=_("Ended"), required=False)
