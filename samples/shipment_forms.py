"""What people type about shipments and export permissions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from samples.forms import SCANNED, TimeForm
from samples.models import Condition, Cooling, ExportPermission, Shipment
from samples.services.shipments import Route
from trialsite.access.forms import DateField
from trialsite.access.models import Site
from trialsite.labs.forms import WallTime
from trialsite.protocol.samples import SamplePlan

_PLAIN = {"autocomplete": "off"}


def _choose(field: forms.Field, rows: Iterable[Any]) -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = [("", "–"), *((str(each.pk), str(each)) for each in rows)]


def _text(label: Any, most: int = 100, **options: Any) -> forms.CharField:
    options.setdefault("required", False)
    widget = forms.TextInput(attrs=_PLAIN)
    return forms.CharField(label=label, max_length=most, widget=widget, **options)


class RouteForm(forms.Form):
    """How a parcel travels."""

    address = forms.CharField(
        label=_("Address"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    planned_on = DateField(label=_("Planned for"), required=False)
    carrier = _text(_("Carrier"))
    cooling = forms.ChoiceField(label=_("Kept cold by"), choices=Cooling.choices)

    @property
    def route(self) -> Route:
        names = ("address", "planned_on", "carrier", "cooling")
        return Route(**{name: self.cleaned_data[name] for name in names})


class DraftForm(RouteForm):
    """From where, to whom, what for; this does not change later."""

    field_order = (
        "site",
        "destination",
        "purpose",
        "abroad",
        "permission",
        "genetic",
        "future_use",
    )

    site = forms.ChoiceField(label=_("Sent from"))
    destination = _text(_("Destination"), 200, required=True)
    purpose = _text(_("Purpose"), 300, required=True)
    abroad = forms.BooleanField(
        label=_("Leaves the country"),
        required=False,
        help_text=_("Or goes to an institution that is controlled from abroad."),
    )
    permission = forms.ChoiceField(label=_("Export permission"), required=False)
    genetic = forms.BooleanField(label=_("For genetic analysis"), required=False)
    future_use = forms.BooleanField(label=_("For later research"), required=False)

    def __init__(
        self, *args: Any, sites: list[Site], permissions: list[ExportPermission], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sites = {str(each.pk): each for each in sites}
        self.permissions = {str(each.pk): each for each in permissions}
        _choose(self.fields["site"], sites)
        _choose(self.fields["permission"], permissions)
        if len(sites) == 1:
            self.fields["site"].initial = str(sites[0].pk)

    @property
    def said(self) -> dict[str, Any]:
        names = ("destination", "purpose", "abroad", "genetic", "future_use")
        return {name: self.cleaned_data[name] for name in names} | {
            "site": self.sites[self.cleaned_data["site"]],
            "permission": self.permissions.get(self.cleaned_data["permission"]),
            "route": self.route,
        }


class NamePermissionForm(forms.Form):
    """Under which permission a parcel goes."""

    permission = forms.ChoiceField(label=_("Export permission"))

    def __init__(self, *args: Any, permissions: list[ExportPermission], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.permissions = {str(each.pk): each for each in permissions}
        _choose(self.fields["permission"], permissions)

    @property
    def chosen(self) -> ExportPermission:
        return self.permissions[self.cleaned_data["permission"]]


class PermissionForm(forms.Form):
    """A permission as its paper says it."""

    site = forms.ChoiceField(label=_("Site"))
    number = _text(_("Number of the export permission"), required=True)
    recipient = _text(_("Recipient named in it"), 200, required=True)
    valid_from = DateField(label=_("Valid from"))
    valid_until = DateField(label=_("Valid until"))
    kinds = forms.MultipleChoiceField(
        label=_("Specimens"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: every kind."),
    )
    aliquots_at_most = forms.IntegerField(
        label=_("Aliquots at most"), min_value=1, max_value=1_000_000, required=False
    )

    def __init__(self, *args: Any, sites: list[Site], plan: SamplePlan | None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.sites = {str(each.pk): each for each in sites}
        _choose(self.fields["site"], sites)
        if len(sites) == 1:
            self.fields["site"].initial = str(sites[0].pk)
        kinds = self.fields["kinds"]
        assert isinstance(kinds, forms.MultipleChoiceField)
        language = get_language() or "en"
        every = plan.specimens if plan else ()
        kinds.choices = [(each.key, each.name.in_language(language)) for each in every]

    @property
    def said(self) -> dict[str, Any]:
        return self.cleaned_data | {"site": self.sites[self.cleaned_data["site"]]}


class HandOverForm(TimeForm):
    """What the carrier took, and when."""

    packages = forms.IntegerField(
        label=_("Packages"),
        min_value=1,
        max_value=1000,
        initial=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    carrier = _text(_("Carrier"))
    tracking = _text(_("Tracking number"))
    logger = _text(_("Temperature logger"))
    dry_ice = forms.DecimalField(
        label=_("Dry ice, kg"),
        max_digits=5,
        decimal_places=1,
        min_value=0,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, shipment: Shipment, **kwargs: Any) -> None:
        kwargs["initial"] = {"carrier": shipment.carrier}
        super().__init__(*args, **kwargs)

    @property
    def said(self) -> dict[str, Any]:
        names = ("packages", "carrier", "tracking", "logger", "dry_ice")
        return {name: self.cleaned_data[name] for name in names} | {"at": self.moment}


class ArrivalForm(TimeForm):
    """Who took the parcel over, when, and how warm its logger has been."""

    field_order = ("receiver", "at", "logger_celsius")

    receiver = _text(_("Received by"), required=True)
    logger_celsius = forms.DecimalField(
        label=_("Highest temperature of the logger, °C"),
        max_digits=5,
        decimal_places=1,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    @property
    def said(self) -> dict[str, Any]:
        names = ("receiver", "logger_celsius")
        return {name: self.cleaned_data[name] for name in names} | {"at": self.moment}


class ParcelScanForm(forms.Form):
    """One code at a parcel."""

    code = forms.CharField(
        label=_("Scan a code"),
        max_length=60,
        error_messages={"required": _("Nothing was read. Scan the label again.")},
        widget=forms.TextInput(attrs=SCANNED | {"autofocus": True}),
    )

    #: What is said of one scan only, and what holds for each.
    once: tuple[str, ...] = ()
    always: tuple[str, ...] = ()

    @property
    def said(self) -> dict[str, Any]:
        return {}


class ReceiveScanForm(ParcelScanForm):
    """One code out of the parcel, and how it came."""

    once = ("condition", "unexpected", "counted", "note")
    always = ("at",)

    condition = forms.ChoiceField(label=_("Condition on arrival"), choices=Condition.choices)
    unexpected = forms.BooleanField(label=_("Not on the manifest"), required=False)
    counted = forms.BooleanField(label=_("Counted: all of the box is there"), required=False)
    note = _text(_("Explanation"), 500)
    at = WallTime(label=_("Time"), required=False, help_text=_("Empty: now"))

    @property
    def said(self) -> dict[str, Any]:
        names = ("condition", "unexpected", "counted", "note")
        return {name: self.cleaned_data[name] for name in names} | {
            "at": self.cleaned_data["at"] or None
        }
