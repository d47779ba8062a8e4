"""Which adverse events a list shows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from outcomes.models import CAUSES, RELATED, AdverseEvent, Grade, SpecialInterest
from outcomes.selectors.events import coded_events
from trialsite.access.models import Site
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.crf.models import stored


def _related() -> Q:
    found = Q()
    for name in CAUSES:
        found |= Q(**{f"{name}__in": RELATED})
    return found


#: Filter -> label and condition on the event.
NARROWING = {
    "serious": (_("Serious"), Q(serious=True)),
    "related": (_("Related to the treatment"), _related()),
    "ongoing": (_("Ongoing"), Q(ongoing=True)),
    "severe": (_("Grade 3 or more"), Q(grade__gte=Grade.SEVERE)),
    "special": (
        _("Of special interest"),
        Q(special_interest__isnull=False) & ~Q(special_interest=SpecialInterest.NONE),
    ),
}


class EventFilter(forms.Form):
    """The narrowing of the list; what cannot be understood narrows nothing."""

    site = forms.ModelChoiceField(
        label=_("Site"),
        queryset=Site.objects.none(),
        required=False,
        empty_label=_("All"),
        widget=forms.Select(attrs={"class": "form-select form-select-sm"}),
    )

    def __init__(self, *args: Any, sites: QuerySet[Site] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)
        if sites is None:
            del self.fields["site"]
        else:
            field.queryset = sites
        for name, (label, _condition) in NARROWING.items():
            self.fields[name] = forms.BooleanField(label=label, required=False)
        self.fields["uncoded"] = forms.BooleanField(label=_("Not coded"), required=False)

    @property
    def boxes(self) -> list[Any]:
        """The fields to tick."""
        return [self[name] for name in (*NARROWING, "uncoded")]

    def narrow(self, records: QuerySet[CrfRecord]) -> QuerySet[CrfRecord]:
        """The events asked for: those that meet every box that is ticked."""
        self.is_valid()
        asked = {name for name, value in self.cleaned_data.items() if value}
        if "site" in asked:
            records = records.filter(site=self.cleaned_data["site"])
        events = stored(AdverseEvent).filter(pk=OuterRef("pk"))
        for name in asked & NARROWING.keys():
            events = events.filter(NARROWING[name][1])
        if asked & NARROWING.keys():
            records = records.filter(Exists(events))
        if "uncoded" in asked:
            # As on the coder's list: half a form waits for its site, not for a code.
            written = stored(AdverseEvent).filter(pk=OuterRef("pk"), term__isnull=False)
            coded = coded_events().filter(record=OuterRef("pk"))
            complete = records.filter(status=RecordStatus.COMPLETE)
            records = complete.filter(Exists(written)).exclude(Exists(coded))
        return records
