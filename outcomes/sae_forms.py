"""What people type about the reporting of a serious adverse event."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from outcomes.models import CRITERIA, AdverseEvent, Expedited, KnownBy, Suspected, To, Way
from outcomes.selectors.sae_board import Look
from outcomes.services.sae_entry import FirstWord
from outcomes.services.sae_papers import Carried
from trialsite.access.forms import DateField
from trialsite.access.models import Site, User
from trialsite.conduct.deviation_forms import PartialDateInput


class WallInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M", attrs={"step": "60"})


class WallField(forms.DateTimeField):
    """The clock at the site, to the minute; read as it is written, without a zone."""

    widget = WallInput

    def __init__(self, **kwargs: Any) -> None:
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]
        super().__init__(input_formats=formats, **kwargs)

    def to_python(self, value: Any) -> dt.datetime | None:
        if value in self.empty_values:
            return None
        for pattern in self.input_formats or ():
            try:
                return dt.datetime.strptime(str(value).strip(), str(pattern))  # noqa: DTZ007
            except ValueError:
                continue
        raise forms.ValidationError(_t("Enter a date and time, such as 2026-03-05 14:30."))

    def prepare_value(self, value: Any) -> Any:
        return f"{value:%Y-%m-%dT%H:%M}" if isinstance(value, dt.datetime) else value


def moment(wall: dt.datetime, zone: str) -> dt.datetime:
    """A reading of the clock at the site as a moment."""
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0)


def _criteria() -> list[tuple[str, Any]]:
    return [
        (name, AdverseEvent._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
        for name in CRITERIA
    ]


class FirstWordForm(forms.Form):
    """The minimum of a serious adverse event; who opens it has most of it filled in."""

    subject = forms.ChoiceField(label=_("Participant"))
    term = forms.CharField(label=_("Event"), max_length=200)
    criterion = forms.ChoiceField(label=_("Serious because"), widget=forms.RadioSelect)
    suspected = forms.ChoiceField(
        label=_("Suspected cause"), choices=Suspected.choices, widget=forms.RadioSelect
    )
    aware_at = WallField(
        label=_("The site first knew of it"), help_text=_("The clocks count from this moment.")
    )
    started_on = PartialDateInput(
        label=_("Start"),
        required=False,
        help_text=_("As far as it is known: 2026, 2026-03 or 2026-03-05."),
    )
    started_time = forms.TimeField(
        label=_("Time of the start"),
        required=False,
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )
    reporter = forms.CharField(
        label=_("Reporter"), max_length=200, help_text=_("Who saw it or told of it.")
    )
    #: Set by the answer to "is it one of these?".
    another = forms.BooleanField(required=False, widget=forms.HiddenInput)
    complication = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, subjects: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subject"].choices = [("", "–"), *subjects]  # type: ignore[attr-defined]
        self.fields["criterion"].choices = _criteria()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        day = cleaned.get("started_on")
        if cleaned.get("started_time") and (day is None or day.day is None):
            self.add_error("started_time", _t("A time needs its full date."))
        return cleaned

    def word(self) -> FirstWord:
        """What the service takes."""
        said = self.cleaned_data
        return FirstWord(
            term=said["term"],
            reporter=said["reporter"],
            suspected=said["suspected"],
            criterion=said["criterion"],
            aware_at=said["aware_at"],
            started_on=said["started_on"] or None,
            started_time=said["started_time"],
        )


class VersionedForm(forms.Form):
    """What is changed of a case in the version that was read."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def move_on(self, version: int) -> None:
        """Refused, for somebody else was first: the next attempt knows what stands now."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data[self.add_prefix("version")] = str(version)
        self.data = data


class DescribeForm(VersionedForm):
    """What the next report says beside the event's form."""

    reporter = forms.CharField(label=_("Reporter"), max_length=200, required=False)
    suspected = forms.ChoiceField(label=_("Suspected cause"), choices=Suspected.choices)
    narrative = forms.CharField(
        label=_("Narrative"),
        max_length=20000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 7}),
        help_text=_("Course, treatment, findings, in time. No names, no dates of birth."),
    )


class AwarenessForm(VersionedForm):
    aware_at = WallField(label=_("The site first knew of it"))
    reason = forms.CharField(label=_("Reason for the correction"), max_length=500)


class SubmissionForm(forms.Form):
    recipient = forms.ChoiceField(label=_("Sent to"), choices=[])
    submitted_at = WallField(label=_("Sent at"))
    way = forms.ChoiceField(label=_("Sent by"), choices=Way.choices)

    def __init__(self, *args: Any, recipients: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["recipient"].choices = [  # type: ignore[attr-defined]
            (code, To(code).label) for code in recipients
        ]


_YES_NO = (("", "–"), ("yes", _("Yes")), ("no", _("No")))


class PaperForm(forms.Form):
    """That a report left on paper, by fax or mail before it was signed here."""

    recipients = forms.MultipleChoiceField(
        label=_("Sent to"), widget=forms.CheckboxSelectMultiple, choices=[]
    )
    submitted_at = WallField(label=_("Sent at"))
    way = forms.ChoiceField(label=_("Sent by"), choices=Way.choices, initial=Way.FAX)
    grave = forms.ChoiceField(
        label=_("Does the paper call it fatal or life-threatening?"),
        choices=_YES_NO,
        required=False,
        help_text=_("Needed where the case has changed since, or was entered later."),
    )
    suspected = forms.ChoiceField(
        label=_("Does the paper suspect the treatment?"), choices=_YES_NO, required=False
    )
    file = forms.FileField(
        label=_("The paper that was sent (PDF or picture)"),
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.webp"}),
    )

    def __init__(self, *args: Any, recipients: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["recipients"].choices = [  # type: ignore[attr-defined]
            (code, To(code).label) for code in recipients
        ]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        for name, other in (("grave", "suspected"), ("suspected", "grave")):
            if cleaned.get(other) and not cleaned.get(name):
                self.add_error(name, _t("Say both of what the paper carried."))
        return cleaned

    def carried(self) -> Carried | None:
        """What the paper carried, where the person says so."""
        said = self.cleaned_data
        if not said["grave"]:
            return None
        return Carried(grave=said["grave"] == "yes", suspected=said["suspected"] == "yes")


class SponsorKnewForm(VersionedForm):
    """That the sponsor knew otherwise than by a report sent from here."""

    known_at = WallField(label=_("The sponsor knew at"))
    source = forms.ChoiceField(label=_("How the sponsor knew"), choices=KnownBy.choices)
    told = forms.CharField(
        label=_("Who told whom what"),
        max_length=500,
        help_text=_("Such as: monitor A. Li told the sponsor’s duty line by telephone. No names "
                    "of participants."),
    )  # fmt: skip
    grave = forms.BooleanField(
        label=_("The sponsor knew that it is fatal or life-threatening"), required=False
    )
    suspected = forms.BooleanField(
        label=_("The sponsor knew that the treatment is suspected"), required=False
    )


class ReceivedForm(forms.Form):
    received_at = WallField(label=_("Received at"))
    receipt_number = forms.CharField(label=_("Receipt no."), max_length=100, required=False)
    file = forms.FileField(
        label=_("Receipt (PDF or picture)"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.webp"}),
    )


class ExpeditedForm(VersionedForm):
    expedited = forms.ChoiceField(label=_("Held for"), choices=Expedited.choices)
    reason = forms.CharField(label=_("Reason"), max_length=500)


class DecisionForm(VersionedForm):
    """A decision of the safety officer, with its reason."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class BoardForm(forms.Form):
    """How the board is narrowed."""

    look = forms.ChoiceField(label=_("Show"), choices=Look.choices, required=False)
    site = forms.ChoiceField(label=_("Site"), required=False)

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _t("All sites")), *((site.code, str(site)) for site in sites)]
        self.fields["site"].choices = choices  # type: ignore[attr-defined]


class DeputyForm(forms.Form):
    """Who stands in for whom at a site, from and to which day."""

    person = forms.ChoiceField(label=_("Stands down"))
    deputy = forms.ChoiceField(label=_("Deputy"))
    first_day = DateField(label=_("First day"))
    last_day = DateField(label=_("Last day"))
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)

    def __init__(self, *args: Any, people: list[User], deputies: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, users in (("person", people), ("deputy", deputies)):
            choices = [("", "–"), *((str(user.pk), user.full_name) for user in users)]
            self.fields[name].choices = choices  # type: ignore[attr-defined]
