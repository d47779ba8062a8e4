"""What people say of a visit."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from trialsite.access.forms import DateField
from trialsite.casebook.models import Subject, Visit, VisitMode, VisitStatus
from trialsite.casebook.protocols import event_of, visit_name
from trialsite.protocol import EventRole
from visits.services.visits import ADDABLE, VisitError, can_be_contacted_for


class VisitForm(forms.Form):
    """Something said of one visit, from the version that was on the page."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        kwargs["initial"] = {"version": visit.version} | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        self.visit = visit

    def refuse(self, refused: VisitError) -> None:
        """Put each error beside its field; what belongs to none stands above."""
        for name, texts in refused.errors.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, text)


class AttendForm(VisitForm):
    """When and how the person was seen; a correction says why."""

    on = DateField(label=_("Attended on"))
    mode = forms.ChoiceField(label=_("How"), choices=[("", _("Choose")), *VisitMode.choices])
    reason = forms.CharField(label=_("Reason for the change"), max_length=500)

    def __init__(self, *args: Any, visit: Visit, today: dt.date, **kwargs: Any) -> None:
        contact = event_of(visit).role is EventRole.SURVIVAL_CONTACT
        preset = VisitMode.TELEPHONE if contact else ""
        initial = {"on": visit.attended_on or today, "mode": visit.mode or preset}
        super().__init__(*args, visit=visit, initial=initial, **kwargs)
        if visit.status not in (VisitStatus.ATTENDED, VisitStatus.MISSED):
            del self.fields["reason"]


class ReasonForm(VisitForm):
    """Why: a visit missed, taken back, added in error."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea({"rows": 2}))


_WORDS = {
    EventRole.EXTRA: _("Unscheduled visit"),
    EventRole.SURVIVAL_CONTACT: _("Survival contact"),
    EventRole.EARLY_TERMINATION: _("Early termination"),
}


class AddVisitForm(forms.Form):
    """A visit that the schedule does not lay out."""

    role = forms.ChoiceField(
        label=_("What is added"),
        choices=[(role.value, _WORDS[role]) for role in ADDABLE],
        help_text=_(
            "An early termination ends the schedule but for survival contacts; "
            "its own visit follows."
        ),
    )
    on = DateField(
        label=_("Date"),
        help_text=_("Of the visit or contact; for an early termination, the day it ended."),
    )
    mode = forms.ChoiceField(
        label=_("How"),
        choices=[("", _("Choose")), *VisitMode.choices],
        required=False,
        help_text=_("For what has already taken place."),
    )
    stands_for = forms.ModelChoiceField(
        label=_("Stands for"),
        queryset=Visit.objects.none(),
        required=False,
        empty_label=_("Choose"),
        help_text=_("For a survival contact: the visit that was missed in person."),
    )

    def __init__(self, *args: Any, subject: Subject, today: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = today
        missed = [each.pk for each in subject.visits.all() if can_be_contacted_for(each, today)]
        chosen: Any = self.fields["stands_for"]
        chosen.queryset = subject.visits.filter(pk__in=missed).order_by("target_on")
        chosen.label_from_instance = _named

    @property
    def added_role(self) -> EventRole:
        return EventRole(self.cleaned_data["role"])

    def refuse(self, refused: VisitError) -> None:
        """Put each error beside its field; what belongs to none stands above."""
        for name, texts in refused.errors.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, text)


def _named(visit: Visit) -> str:
    ends = visit.window_ends
    return f"{visit_name(visit)} ({ends[0]} – {ends[1]})" if ends else visit_name(visit)
