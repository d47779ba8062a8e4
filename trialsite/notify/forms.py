"""What people choose about notices."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from trialsite.access.forms import DateField
from trialsite.access.models import Site
from trialsite.notify.models import By, Hush, Preferences, State
from trialsite.notify.planning import planners
from trialsite.notify.selectors import kinds


class ClockField(forms.TimeField):
    """A time of day, on the clock of the person's site."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
        super().__init__(widget=widget, input_formats=["%H:%M"], **kwargs)


class PreferencesForm(forms.Form):
    """Which kinds leave Trialsite, and when."""

    wanted = forms.MultipleChoiceField(
        label=_("Send me"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What you leave out is shown in Trialsite and sent nowhere."),
    )
    digest_at = ClockField(
        label=_("Digest from"),
        help_text=_(
            "Reminders of a day come in one mail, from this time on. What comes due later "
            "waits for the next day."
        ),
    )
    quiet = forms.ChoiceField(label=_("Quiet hours"), choices=Hush.choices)
    quiet_from = ClockField(label=_("Quiet from"), required=False)
    quiet_until = ClockField(label=_("Quiet until"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["wanted"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(each.kind, each.title) for each in planners() if not each.urgent]

    def clean(self) -> dict[str, Any]:
        """Own quiet hours need a beginning and another end."""
        found = super().clean() or {}
        if found.get("quiet") == Hush.OWN:
            begin, end = found.get("quiet_from"), found.get("quiet_until")
            if begin is None and "quiet_from" not in self.errors:
                self.add_error("quiet_from", _("Say when your quiet hours begin."))
            if end is None and "quiet_until" not in self.errors:
                self.add_error("quiet_until", _("Say when your quiet hours end."))
            if begin is not None and begin == end:
                self.add_error("quiet_until", _("They end at another time than they begin."))
        return found

    def choices_made(self) -> dict[str, Any]:
        """The fields as the service takes them."""
        typed = dict(self.cleaned_data)
        wanted = set(typed.pop("wanted"))
        optional = {each.kind for each in planners() if not each.urgent}
        return {**typed, "quiet": Hush(typed["quiet"]), "switched_off": optional - wanted}


def initial_of(chosen: Preferences) -> dict[str, Any]:
    """What the form shows of a choice."""
    optional = [each.kind for each in planners() if not each.urgent]
    return {
        "wanted": [kind for kind in optional if kind not in chosen.switched_off],
        "digest_at": chosen.digest_at,
        "quiet": chosen.quiet,
        "quiet_from": chosen.quiet_from,
        "quiet_until": chosen.quiet_until,
    }


class LogFilter(forms.Form):
    """Which lines of the delivery log are shown."""

    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.none(), required=False, empty_label=_("All")
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    state = forms.ChoiceField(
        label=_("State"), choices=[("", _("All")), *State.choices], required=False
    )
    channel = forms.ChoiceField(
        label=_("Channel"), choices=[("", _("All")), *By.choices], required=False
    )
    since = DateField(label=_("Due from"), required=False)
    until = DateField(label=_("Due until"), required=False)
    person = forms.CharField(label=_("Person"), max_length=150, required=False)
    unsaid = forms.BooleanField(label=_("Reached nobody"), required=False)

    def __init__(self, *args: Any, sites: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        site, kind = self.fields["site"], self.fields["kind"]
        assert isinstance(site, forms.ModelChoiceField)
        assert isinstance(kind, forms.ChoiceField)
        site.queryset = sites
        kind.choices = [("", _("All")), *kinds().items()]

    def narrow(self, rows: Any) -> Any:
        """The rows asked for; what cannot be understood narrows nothing."""
        self.is_valid()
        typed = {name: value for name, value in self.cleaned_data.items() if value}
        if day := typed.pop("since", None):
            rows = rows.filter(due_at__gte=_begin(day))
        if day := typed.pop("until", None):
            rows = rows.filter(due_at__lt=_begin(day + dt.timedelta(days=1)))
        if name := typed.pop("person", None):
            rows = rows.filter(recipient__full_name__icontains=name)
        if typed.pop("unsaid", False):
            rows = rows.unsaid()
        return rows.filter(**typed)


def _begin(day: dt.date) -> dt.datetime:
    """The log's days are UTC days, as in the access report."""
    return dt.datetime.combine(day, dt.time(), dt.UTC)
