"""What people type about lots, their tests, movements and what is loaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from trialsite.access.forms import DateField
from trialsite.access.models import Site, User
from trialsite.access.signing import SigningForm
from trialsite.labs.forms import WallTime
from visits.models import Assay, CellSource, DonorScreening, ProductLot, ResultStage, Verdict
from visits.services.products import LoadFacts, LotFacts, MovementFacts, TestFacts

_SCAN = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}


def _number(label: Any, *, digits: int = 12, places: int = 3, **options: Any) -> forms.DecimalField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(
        label=label, max_digits=digits, decimal_places=places, widget=widget, **options
    )


def _percent(label: Any, **options: Any) -> forms.DecimalField:
    return _number(label, digits=4, places=1, help_text="%", **options)


def _text(label: Any, length: int = 200, **options: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, max_length=length, widget=widget, **options)


def _hash(label: Any) -> forms.CharField:
    return _text(
        label,
        64,
        required=False,
        help_text=_("Of the file as it is kept; the file itself stays with the product’s papers."),
    )


def _choice(label: Any, choices: Iterable[Any], **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", ""), *choices], **options)


class LotFactsForm(forms.Form):
    """What the manufacturer says of a lot; the expiry on the clock of one named zone."""

    product = _text(_("Product"))
    source = _choice(_("Source of the cells"), CellSource.choices)
    donor_code = _text(
        _("Donor code"), 40, help_text=_("The manufacturer’s code of the donor, never a name.")
    )
    donor_screening = _choice(_("Donor screening"), DonorScreening.choices)
    passage = forms.IntegerField(label=_("Passage"), min_value=0, max_value=999, required=False)
    doublings = _number(_("Population doublings"), digits=6, places=1, required=False, min_value=0)
    manufactured_on = DateField(label=_("Manufactured on"))
    expires_at = WallTime(label=_("Expires"))
    units_made = forms.IntegerField(label=_("Units made"), min_value=1, max_value=1_000_000)
    cells_per_unit = _number(_("Viable cells per unit"), min_value=0, help_text=_("Million cells"))
    viability = _percent(_("Viability at release"))
    storage = _text(_("Storage condition"), required=False)
    certificate = _text(
        _("Certificate of analysis"),
        300,
        required=False,
        help_text=_("Name, number and where it is kept."),
    )
    certificate_sha256 = _hash(_("SHA-256 of the certificate"))

    def __init__(self, *args: Any, zone: str, lot: ProductLot | None = None, **kw: Any) -> None:
        self.zone = zone
        if lot is not None:
            names = LotFacts.__dataclass_fields__
            kw["initial"] = {name: getattr(lot, name) for name in names} | {
                "expires_at": f"{lot.expires_at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
            }
        super().__init__(*args, **kw)
        self.fields["expires_at"].help_text = zone

    @property
    def facts(self) -> LotFacts:
        """The facts as typed, the expiry as a moment."""
        said = {name: self.cleaned_data[name] for name in LotFacts.__dataclass_fields__}
        expires: dt.datetime = said.pop("expires_at")
        said["certificate_sha256"] = said["certificate_sha256"].lower()
        return LotFacts(expires_at=expires.replace(tzinfo=ZoneInfo(self.zone)), **said)


class LotForm(LotFactsForm):
    """A new lot, with the number that its label carries."""

    code = forms.CharField(
        label=_("Lot number"),
        max_length=40,
        help_text=_("Scan the label, or type it as printed."),
        widget=forms.TextInput(attrs={**_SCAN, "autofocus": True}),
    )
    field_order = ("code",)


class CorrectLotForm(LotFactsForm):
    """The right facts of a lot that nobody may use at present, and why they change."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class TestForm(forms.Form):
    """One result of one release test."""

    __test__ = False

    kind = _choice(_("Test"), Assay.choices)
    name = _text(
        _("Which test"), required=False, help_text=_("Needed for another test than those listed.")
    )
    stage = _choice(_("Stage"), ResultStage.choices)
    result = _text(_("Result"))
    unit = _text(_("Unit"), 40, required=False)
    limit = _text(_("Limit"), required=False)
    verdict = _choice(_("Verdict"), Verdict.choices)
    resulted_on = DateField(label=_("Result of"))
    document = _text(_("Document"), 300, required=False)
    document_sha256 = _hash(_("SHA-256 of the document"))

    @property
    def facts(self) -> TestFacts:
        said = dict(self.cleaned_data)
        said["document_sha256"] = said["document_sha256"].lower()
        return TestFacts(**said)


class MovementForm(forms.Form):
    """Units that come or go at one of the person's sites."""

    site = _choice(_("Site"), ())
    units = forms.IntegerField(label=_("Units"), min_value=1, max_value=1_000_000)
    happened_at = WallTime(label=_("Date and time"), help_text=_("The clock at the site."))
    document = _text(
        _("Document"), 300, required=False, help_text=_("Delivery note, protocol of destruction.")
    )

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sites = {str(site.pk): site for site in sites}
        field = self.fields["site"]
        assert isinstance(field, forms.ChoiceField)
        choices = [(key, str(site)) for key, site in self.sites.items()]
        field.choices = choices if len(choices) == 1 else [("", ""), *choices]

    @property
    def at(self) -> Site:
        return self.sites[self.cleaned_data["site"]]

    @property
    def facts(self) -> MovementFacts:
        said = {name: value for name, value in self.cleaned_data.items() if name != "site"}
        return MovementFacts(**said)


class ReceiptForm(MovementForm):
    temperature = _number(
        _("Temperature on arrival"), digits=5, places=1, required=False, help_text="°C"
    )


class ReturnForm(MovementForm):
    reason = forms.CharField(label=_("Reason"), max_length=500)


def people_choices(people: Iterable[User]) -> list[tuple[str, str]]:
    return [("", ""), *((str(each.pk), each.full_name) for each in people)]


class DestructionForm(ReturnForm):
    """Destroyed units: why, and before which second person."""

    witness = _choice(_("Witness"), ())

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(each.pk): each for each in people}
        field = self.fields["witness"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = people_choices(people)

    def clean_witness(self) -> User:
        return self.people[self.cleaned_data["witness"]]


class ReleaseForm(SigningForm):
    """A signed release, and on what grounds."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )


class LoadForm(forms.Form):
    """What goes into the reactor of a session; the lot comes first, from the scanner."""

    lot_code = forms.CharField(
        label=_("Lot number"),
        max_length=60,
        help_text=_("Scan the label of the bag, or type the number."),
        widget=forms.TextInput(attrs=_SCAN),
    )
    reactor_serial = forms.CharField(
        label=_("Reactor serial number"), max_length=60, widget=forms.TextInput(attrs=_SCAN)
    )
    units = forms.IntegerField(label=_("Units"), min_value=1, max_value=10_000, initial=1)
    thaw_started_at = WallTime(label=_("Thawing started"))
    thaw_ended_at = WallTime(label=_("Thawing ended"))
    loaded_at = WallTime(label=_("Loaded at"))
    viable_cells = _number(_("Viable cells loaded"), min_value=0, help_text=_("Million cells"))
    prescribed_cells = _number(
        _("Prescribed dose"), min_value=0, required=False, help_text=_("Million cells")
    )
    viability_thawed = _percent(_("Viability after thawing"), required=False)
    viability_loaded = _percent(_("Viability before loading"), required=False)
    washed = forms.NullBooleanField(
        label=_("Washed"),
        required=False,
        widget=forms.Select(choices=[("", "–"), ("true", _("Yes")), ("false", _("No"))]),
    )
    hold_temperature = _number(
        _("Temperature until loading"), digits=4, places=1, required=False, help_text="°C"
    )
    storage_position = _text(_("Taken from"), required=False)
    loaded_by = _choice(_("Loaded by"), ())
    checked_by = _choice(_("Checked by"), ())
    late_reason = _text(
        _("Why it is entered late"),
        500,
        required=False,
        help_text=_("Only where the lot was stopped, or the session completed, meanwhile."),
    )

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(each.pk): each for each in people}
        for name in ("loaded_by", "checked_by"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = people_choices(people)

    def clean_loaded_by(self) -> User:
        return self.people[self.cleaned_data["loaded_by"]]

    def clean_checked_by(self) -> User:
        return self.people[self.cleaned_data["checked_by"]]

    @property
    def facts(self) -> LoadFacts:
        said = {name: value for name, value in self.cleaned_data.items() if name != "lot_code"}
        return LoadFacts(**said)


class ConfirmForm(forms.Form):
    """Why an unusual value is right."""

    comment = forms.CharField(
        label=_("Why this is right"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )
