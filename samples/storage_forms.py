"""What people type about freezers, racks and boxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from samples.forms import SCANNED
from samples.models import Box, Rack
from samples.selectors.codes import read_code
from trialsite.access.models import Site


def _choices(field: forms.Field, rows: Iterable[Any], *, empty: str = "–") -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = [("", empty), *((str(each.pk), str(each)) for each in rows)]


class RackForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=60)
    places = forms.IntegerField(label=_("Places for boxes"), min_value=1, max_value=100, initial=5)


class FreezerForm(forms.Form):
    site = forms.ChoiceField(label=_("Site"))
    name = forms.CharField(label=_("Name"), max_length=60)
    room = forms.CharField(label=_("Room"), max_length=100, required=False)
    celsius = forms.IntegerField(
        label=_("Temperature, °C"), min_value=-273, max_value=40, initial=-80
    )
    racks = forms.IntegerField(label=_("Racks"), min_value=0, max_value=50, initial=4)
    places = forms.IntegerField(
        label=_("Places for boxes in each"), min_value=1, max_value=100, initial=5
    )

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sites = {str(site.pk): site for site in sites}
        _choices(self.fields["site"], sites)
        if len(sites) == 1:
            self.fields["site"].initial = str(sites[0].pk)

    @property
    def said(self) -> dict[str, Any]:
        return self.cleaned_data | {"site": self.sites[self.cleaned_data["site"]]}


class BoxForm(forms.Form):
    rack = forms.ChoiceField(label=_("Rack"))
    place = forms.IntegerField(
        label=_("Place"), min_value=1, required=False, help_text=_("Empty: the first free one.")
    )
    name = forms.CharField(label=_("Name"), max_length=60, required=False)
    rows = forms.IntegerField(label=_("Rows"), min_value=1, max_value=26, initial=9)
    columns = forms.IntegerField(label=_("Columns"), min_value=1, max_value=30, initial=9)

    def __init__(self, *args: Any, racks: list[Rack], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.racks = {str(rack.pk): rack for rack in racks}
        _choices(self.fields["rack"], racks)

    @property
    def said(self) -> dict[str, Any]:
        rack = self.racks[self.cleaned_data["rack"]]
        return self.cleaned_data | {"rack": rack, "site": rack.site}


class MoveBoxForm(forms.Form):
    rack = forms.ChoiceField(label=_("Rack"), required=False)
    place = forms.IntegerField(
        label=_("Place"), min_value=1, required=False, help_text=_("Empty: the first free one.")
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)

    def __init__(self, *args: Any, racks: list[Rack], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.racks = {str(rack.pk): rack for rack in racks}
        _choices(self.fields["rack"], racks, empty=gettext("in no rack"))

    @property
    def said(self) -> dict[str, Any]:
        return self.cleaned_data | {"rack": self.racks.get(self.cleaned_data["rack"])}


class CloseBoxForm(forms.Form):
    """Nothing is asked."""


class MoveAliquotForm(forms.Form):
    code = forms.CharField(
        label=_("Scan the box"), max_length=40, widget=forms.TextInput(attrs=SCANNED)
    )
    position = forms.CharField(
        label=_("Position in the box"),
        max_length=4,
        required=False,
        help_text=_("Such as C7. Empty: the next free one."),
    )

    def __init__(self, *args: Any, boxes: QuerySet[Box], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._boxes = boxes

    def clean_code(self) -> str:
        code = read_code(self.cleaned_data["code"])
        found = self._boxes.select_related("site").filter(code=code).first()
        if found is None:
            raise ValidationError(gettext("No box of your sites has this code."))
        self.box = found
        return code

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        name = cleaned.get("position", "")
        if name and "code" in cleaned and self.box.position_named(name) is None:
            self.add_error("position", gettext("This box has no such position."))
        return cleaned

    @property
    def positions(self) -> list[int] | None:
        name = self.cleaned_data["position"]
        found = self.box.position_named(name) if name else None
        return None if found is None else [found]
