"""What people type about samples."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from samples.models import DrawSite, Specimen, UrineMethod, WhyNot
from samples.services.facts import SpecimenFacts
from trialsite.access.models import User
from trialsite.labs.forms import WallTime

SCANNED = {
    "autocomplete": "off",
    "autocapitalize": "characters",
    "spellcheck": "false",
    "enterkeyhint": "go",
}


def _number(label: Any, **options: Any) -> forms.DecimalField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(
        label=label, max_digits=7, decimal_places=2, widget=widget, required=False, **options
    )


def _whole(label: Any, least: int, most: int, **options: Any) -> forms.IntegerField:
    options.setdefault("required", False)
    widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, widget=widget, **options
    )


def _choice(label: Any, choices: Iterable[Any], **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "–"), *choices], **options)


class Yes(forms.NullBooleanField):
    """Yes, no, or nothing said."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Select(choices=[("", "–"), ("true", _("Yes")), ("false", _("No"))])
        super().__init__(required=False, widget=widget, **options)


class PrepareForm(forms.Form):
    """How many tubes of one kind are to be labelled."""

    kind = forms.CharField(max_length=20, widget=forms.HiddenInput)
    count = _whole(_("Tubes"), 1, 50, required=True)
    extra_reason = forms.CharField(
        label=_("Why beyond the plan"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class NotCollectedForm(forms.Form):
    """Why a planned specimen was not collected."""

    kind = forms.CharField(max_length=20, widget=forms.HiddenInput)
    reason = _choice(_("Why not collected"), WhyNot.choices)
    comment = forms.CharField(label=_("Comments"), max_length=500, required=False)


class TimeForm(forms.Form):
    """When something happened, on the clock at the site."""

    at = WallTime(
        label=_("Time"), required=False, help_text=_("The clock at the site. Empty: now.")
    )

    @property
    def moment(self) -> dt.datetime | None:
        found: dt.datetime | None = self.cleaned_data["at"] or None
        return found


class SpinForm(TimeForm):
    """How a tube was centrifuged."""

    centrifuge_g = _whole(_("g"), 1, 100_000)
    centrifuge_minutes = _whole(_("Minutes"), 1, 600)
    centrifuge_celsius = _whole(_("°C"), -20, 60)
    centrifuge_brake = Yes(label=_("With brake"))

    @property
    def facts(self) -> SpecimenFacts:
        names = ("centrifuge_g", "centrifuge_minutes", "centrifuge_celsius", "centrifuge_brake")
        return SpecimenFacts(**{name: self.cleaned_data[name] for name in names})


class AliquotForm(TimeForm):
    """Into how many aliquots, of how much."""

    count = _whole(_("Aliquots"), 1, 20)
    volume = _number(_("Volume of each"))


#: What is asked of which material.
_ASKED = {
    "blood": ("amount", "draw_site", "fasting", "on_ice"),
    "urine": ("amount", "urine_method", "dipstick", "on_ice"),
    "faeces": ("amount", "bristol", "blood_seen", "laxatives", "antibiotics", "on_ice"),
    "effluent": ("amount", "on_ice"),
}


class FactsForm(forms.Form):
    """What a tube is like; only what is asked of its material."""

    amount = _number(_("Amount"))
    draw_site = _choice(_("Drawn from"), DrawSite.choices, required=False)
    fasting = Yes(label=_("Fasting"))
    on_ice = Yes(label=_("Brought on ice"))
    bristol = _whole(_("Bristol stool form"), 1, 7, help_text=_("1 hard lumps … 7 liquid"))
    blood_seen = Yes(label=_("Blood in the stool"))
    laxatives = Yes(label=_("Laxatives within 7 days"))
    antibiotics = Yes(label=_("Antibiotics within 7 days"))
    urine_method = _choice(_("How urine was collected"), UrineMethod.choices, required=False)
    dipstick = forms.CharField(label=_("Dipstick"), max_length=200, required=False)
    centrifuge_g = _whole(_("Centrifuge, g"), 1, 100_000)
    centrifuge_minutes = _whole(_("Centrifuge, minutes"), 1, 600)
    centrifuge_celsius = _whole(_("Centrifuge, °C"), -20, 60)
    centrifuge_brake = Yes(label=_("Centrifuge with brake"))
    kept_cool = Yes(
        label=_("At 2 to 10 °C until frozen"), help_text=_("From the centrifuge to the freezer.")
    )
    remark = forms.CharField(label=_("Remark"), max_length=500, required=False)
    reason = forms.CharField(label=_("Reason for the change"), max_length=500)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, *args: Any, specimen: Specimen, **kwargs: Any) -> None:
        asked = {*_ASKED.get(specimen.matrix, ("amount",)), "remark", "reason", "version"}
        if specimen.centrifuged_at is not None:
            asked |= {"centrifuge_g", "centrifuge_minutes", "centrifuge_celsius"}
            asked |= {"centrifuge_brake", "kept_cool"}
        known = {name: getattr(specimen, name, None) for name in asked - {"reason"}}
        kwargs["initial"] = known
        super().__init__(*args, **kwargs)
        self.fields["amount"].help_text = specimen.amount_unit
        for name in set(self.fields) - asked:
            del self.fields[name]

    @property
    def facts(self) -> SpecimenFacts:
        """What was changed; a field that was emptied is left open again."""
        said = {k: v for k, v in self.cleaned_data.items() if k not in {"reason", "version"}}
        changed = {name: said[name] for name in self.changed_data if name in said}
        unsaid = frozenset(name for name, value in changed.items() if value in (None, ""))
        kept = {name: value for name, value in changed.items() if name not in unsaid}
        return SpecimenFacts(**kept, unsaid=unsaid)


class EndForm(TimeForm):
    """How and why a sample ended."""

    kind = _choice(
        _("What happened"),
        [("discarded", _("Discarded")), ("destroyed", _("Destroyed")), ("lost", _("Lost"))],
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)
    witness = _choice(_("Witness"), (), required=False)

    def __init__(self, *args: Any, people: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(each.pk): each for each in people}
        field = self.fields["witness"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "–"), *((key, one.full_name) for key, one in self.people.items())]

    @property
    def second(self) -> User | None:
        return self.people.get(self.cleaned_data["witness"])


class ReasonAndTimeForm(TimeForm):
    reason = forms.CharField(label=_("Reason"), max_length=500)


class AnalysisForm(ReasonAndTimeForm):
    amount = _number(_("Amount taken"))

    @property
    def taken(self) -> Decimal | None:
        found: Decimal | None = self.cleaned_data["amount"]
        return found


class VolumeForm(forms.Form):
    """How much there is of an aliquot; empty: nobody knows."""

    volume = _number(_("Volume"), help_text=_("Empty: it has not been measured."))
    reason = forms.CharField(label=_("Reason for the change"), max_length=500)


class CorrectForm(forms.Form):
    """The right time of an event."""

    at = WallTime(label=_("Right time"), help_text=_("The clock at the site."))
    reason = forms.CharField(label=_("Reason"), max_length=500)


class ScanForm(forms.Form):
    """One code, and what holds for every scan of the step."""

    code = forms.CharField(
        label=_("Scan a code"),
        max_length=60,
        error_messages={"required": _("Nothing was read. Scan the label again.")},
        widget=forms.TextInput(attrs=SCANNED | {"autofocus": True}),
    )
    visit = forms.UUIDField(required=False, widget=forms.HiddenInput)
    box = forms.UUIDField(required=False, widget=forms.HiddenInput)


class SpinScanForm(ScanForm):
    centrifuge_g = _whole(_("g"), 1, 100_000)
    centrifuge_minutes = _whole(_("Minutes"), 1, 600)
    centrifuge_celsius = _whole(_("°C"), -20, 60)
    centrifuge_brake = Yes(label=_("With brake"))
    at = WallTime(label=_("Time"), required=False, help_text=_("Empty: now"))


class AliquotScanForm(ScanForm):
    volume = _number(
        _("Volume of each aliquot"), help_text=_("mL, or g where the protocol weighs it")
    )
    at = WallTime(label=_("Time"), required=False, help_text=_("Empty: now"))


class TimedScanForm(ScanForm):
    at = WallTime(label=_("Time"), required=False, help_text=_("Empty: now"))
