"""Forms for people, sites and one's own account."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User


class DateField(forms.DateField):
    """A date with the browser's own picker."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], **kwargs)


def utc_today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


class UnlockForm(forms.Form):
    """The password once more, under the same lock-out as signing in."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not get_adapter().reauthenticate(self.user, password):
            raise ValidationError(_("Incorrect password."))
        return password


class NewPasswordForm(forms.Form):
    """A password that only its owner has ever known."""

    password1 = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=128,
        help_text=_("At least 12 characters; a sentence is easiest to remember."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )
    password2 = forms.CharField(
        label=_("New password, again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password1(self) -> str:
        password: str = self.cleaned_data["password1"]
        password_validation.validate_password(password, self.user)
        return password

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if "password1" in cleaned and cleaned["password1"] != cleaned.get("password2"):
            self.add_error("password2", _("The two passwords differ."))
        return cleaned


class SiteForm(forms.ModelForm[Site]):
    class Meta:
        model = Site
        fields: ClassVar[list[str]] = ["code", "name", "name_zh", "time_zone", "active"]
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "code": forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            "name_zh": forms.TextInput(attrs={"lang": "zh-Hans"}),
            "time_zone": forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The number of every subject begins with the code: it is never given anew.
        self.fields["code"].disabled = self.instance.pk is not None


class GrantForm(forms.Form):
    """One line of the delegation log."""

    role = forms.ChoiceField(label=_("Role"), choices=[("", ""), *Role.choices])
    site = forms.ModelChoiceField(
        label=_("Site"),
        queryset=Site.objects.filter(active=True),
        required=False,
    )
    study_wide = forms.BooleanField(
        label=_("At every site of the study, later ones too"), required=False
    )
    valid_from = DateField(label=_("From"), initial=utc_today)
    valid_until = DateField(
        label=_("Until"), required=False, help_text=_("Empty: until it is ended.")
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.pop("study_wide", False) == bool(cleaned.get("site")):
            self.add_error("site", _("Choose one site, or every site of the study."))
        first, last = cleaned.get("valid_from"), cleaned.get("valid_until")
        if first and last and last < first:
            self.add_error("valid_until", _("The last day is before the first."))
        return cleaned


class InviteForm(GrantForm):
    """A new person and their first role; nobody but the person will know the password."""

    full_name = forms.CharField(
        label=_("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    field_order = ("full_name", "email", "language", "role", "site", "study_wide", "valid_from")


class TrainingForm(forms.Form):
    topic = forms.CharField(label=_("Topic"), max_length=200)
    trained_on = DateField(label=_("Trained on"), initial=utc_today)

    def clean_trained_on(self) -> dt.date:
        trained_on: dt.date = self.cleaned_data["trained_on"]
        if trained_on > utc_today() + dt.timedelta(days=1):
            raise ValidationError(_("This date lies in the future."))
        return trained_on


class ReasonForm(forms.Form):
    """Why something is done; the trail keeps it."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )


class EndForm(ReasonForm):
    ended_on = DateField(
        label=_("Ends on"),
        initial=utc_today,
        help_text=_("The first day without the role; today ends it at once."),
    )


class PeopleFilter(forms.Form):
    """Which people the list shows."""

    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.all(), required=False, empty_label=_("All")
    )
    role = forms.ChoiceField(
        label=_("Role"), choices=[("", _("All")), *Role.choices], required=False
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("", _("All")),
            ("active", _("Active")),
            ("invited", _("Invited")),
            ("deactivated", _("Deactivated")),
        ],
    )


class ReportForm(forms.Form):
    on = DateField(label=_("On"), required=False)
