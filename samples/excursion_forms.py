"""What people type about a freezer, a rack or a box that was too warm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from samples.models import Box, Freezer, Rack
from trialsite.labs.forms import WallTime

Place = Freezer | Rack | Box


def _celsius() -> forms.DecimalField:
    return forms.DecimalField(
        label=_("Highest temperature, °C"),
        max_digits=5,
        decimal_places=1,
        min_value=Decimal(-273),
        max_value=Decimal(100),
        widget=forms.TextInput(attrs={"inputmode": "text", "autocomplete": "off"}),
    )


class ExcursionForm(forms.Form):
    """Where it was too warm, from when until when, how warm, and why."""

    where = forms.ChoiceField(label=_("Location"))
    began_at = WallTime(label=_("Too warm from"), help_text=_("The clock at the site."))
    ended_at = WallTime(
        label=_("Too warm until"), required=False, help_text=_("Empty: it is still too warm.")
    )
    celsius = _celsius()
    what = forms.CharField(
        label=_("What happened"),
        max_length=500,
        help_text=_("Such as a power cut, a door left open, a failed compressor."),
    )

    def __init__(self, *args: Any, places: Iterable[Place], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = {f"{type(each).__name__.lower()}:{each.pk}": each for each in places}
        field = self.fields["where"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", "–"),
            *((key, f"{each.site.code} · {_named(each)}") for key, each in self.places.items()),
        ]

    @property
    def said(self) -> dict[str, Any]:
        return self.cleaned_data | {
            "where": self.places[self.cleaned_data["where"]],
            "ended_at": self.cleaned_data["ended_at"] or None,
        }


def _named(place: Place) -> str:
    if isinstance(place, Box) and place.rack is not None:
        return f"{place.rack} / {place.code}"
    return str(place)


class ExcursionEndForm(forms.Form):
    """Since when it was cold again, and how warm it was at the most."""

    ended_at = WallTime(label=_("Too warm until"), help_text=_("The clock at the site."))
    celsius = _celsius()
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    @property
    def moment(self) -> dt.datetime:
        found: dt.datetime = self.cleaned_data["ended_at"]
        return found


class ExcursionVoidForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
