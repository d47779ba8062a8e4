"""What is posted from the run sheet beside the readings: acts on the session, and its rows."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.models import User
from trialsite.crf.entry import Entry, read_texts
from trialsite.crf.items import items_of
from trialsite.crf.models import CrfRow
from visits.models import (
    Complication,
    EventLook,
    Finding,
    IntegrityTest,
    Interruption,
    TreatmentSession,
)
from visits.models.session_codes import Modality, StopReason
from visits.runsheet.times import moment_of, shown

_CHOOSE = ("", gettext_lazy("Choose"))


def _label(name: str) -> Any:
    return TreatmentSession._meta.get_field(name).verbose_name  # type: ignore[union-attr]


class SheetTime(forms.CharField):
    """The clock at the site; the day is the one nearest to what the sheet is about."""

    near: dt.datetime

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "off", "inputmode": "text", "size": 12, "maxlength": 16}
        super().__init__(widget=forms.TextInput(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> Any:
        return moment_of(super().to_python(value) or "", self.near)


class ActForm(forms.Form):
    """One act on the sheet. `version` is the state of the session that the person saw."""

    #: In the page's anchors and the ids of its fields.
    act: ClassVar[str]
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, near: dt.datetime, **kwargs: Any) -> None:
        kwargs["auto_id"] = f"{self.act}-%s"
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, SheetTime):
                field.near = near

    def refuse(self, errors: dict[str, list[str]]) -> None:
        """Put refusals beside their fields; what belongs to none stands above them."""
        for name, messages in errors.items():
            for message in messages:
                self.add_error(name if name in self.fields else None, message)

    @property
    def base_version(self) -> int:
        found = self.cleaned_data.get("version")
        return -1 if found is None else int(found)


class PlanForm(ActForm):
    """A session that is to come."""

    act = "plan"
    modality = forms.MultipleChoiceField(
        label=_label("modality"),
        choices=Modality.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    modality_other = forms.CharField(label=_label("modality_other"), max_length=200, required=False)
    no_cells_reason = forms.CharField(
        label=_label("no_cells_reason"), max_length=300, required=False
    )
    planned_minutes = forms.IntegerField(
        label=_label("planned_minutes"), min_value=1, max_value=2880
    )
    on = forms.DateField(
        label=gettext_lazy("Day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Empty: today"),
    )

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        chosen = said.get("modality") or []
        if Modality.OTHER in chosen and not said.get("modality_other"):
            self.add_error("modality_other", _("Say which other modality."))
        if chosen and Modality.REACTOR not in chosen and not said.get("no_cells_reason"):
            self.add_error("no_cells_reason", _("Say why the session is without the MSC reactor."))
        return said


class PersonField(forms.ChoiceField):
    """Somebody of the site's team; the value is the person."""

    people: dict[str, User]

    def offer(self, people: list[User]) -> None:
        self.people = {str(person.pk): person for person in people}
        self.choices = [_CHOOSE, *((key, who.full_name) for key, who in self.people.items())]

    def clean(self, value: Any) -> User | None:
        return self.people.get(super().clean(value))


class StartForm(ActForm):
    """The circuit starts."""

    act = "start"
    started_at = SheetTime(
        label=_label("started_at"), required=False, help_text=gettext_lazy("Empty: now")
    )
    operator = PersonField(label=_label("operator"))
    second_checker = PersonField(label=_label("second_checker"))
    physician = PersonField(label=_label("physician"))
    late_reason = forms.CharField(
        label=gettext_lazy("Why it is entered afterwards"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Only for a session that took place and is entered later."),
    )
    #: With an end, the whole session is entered at once, also one before others.
    cells_on_at = SheetTime(label=_label("cells_on_at"), required=False)
    cells_off_at = SheetTime(label=_label("cells_off_at"), required=False)
    ended_at = SheetTime(label=_label("ended_at"), required=False)
    stop_reason = forms.ChoiceField(
        label=_label("stop_reason"), choices=[_CHOOSE, *StopReason.choices], required=False
    )

    def __init__(self, *args: Any, team: list[User], physicians: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, team, physicians)


def _offer(form: ActForm, team: list[User], physicians: list[User]) -> None:
    """Put the people of the day into the three fields of a session's people."""
    for name, people in (("operator", team), ("second_checker", team), ("physician", physicians)):
        field = form.fields[name]
        assert isinstance(field, PersonField)
        field.offer(people)


class CellsForm(ActForm):
    """The reactor with the cells goes into the circuit, or out of it."""

    act = "cells"
    at = SheetTime(label=gettext_lazy("At"), required=False, help_text=gettext_lazy("Empty: now"))


class CellsOnForm(CellsForm):
    act = "cells-on"


class CellsOffForm(CellsForm):
    act = "cells-off"


class EndForm(ActForm):
    """The circuit ends."""

    act = "end"
    ended_at = SheetTime(
        label=_label("ended_at"), required=False, help_text=gettext_lazy("Empty: now")
    )
    stop_reason = forms.ChoiceField(
        label=_label("stop_reason"), choices=[_CHOOSE, *StopReason.choices]
    )
    stop_comment = forms.CharField(
        label=_label("stop_comment"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class PrescriptionForm(PlanForm):
    """What is prescribed, changed; once the circuit has started, with a reason."""

    act = "prescription"
    on = None  # type: ignore[assignment]  # Django's way to leave an inherited field out
    reason = forms.CharField(
        label=gettext_lazy("Reason for the change"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Needed once the circuit has started."),
    )

    @classmethod
    def of(cls, session: TreatmentSession, near: dt.datetime) -> PrescriptionForm:
        """Unbound, with what is prescribed now."""
        names = ("modality", "modality_other", "no_cells_reason", "planned_minutes")
        return cls(near=near, initial={name: getattr(session, name) for name in names})


class TimesForm(ActForm):
    """Times, people and end of a session as they should have been entered, and why they change."""

    act = "times"
    started_at = SheetTime(label=_label("started_at"), required=False)
    cells_on_at = SheetTime(label=_label("cells_on_at"), required=False)
    cells_off_at = SheetTime(label=_label("cells_off_at"), required=False)
    ended_at = SheetTime(label=_label("ended_at"), required=False)
    stop_reason = forms.ChoiceField(
        label=_label("stop_reason"), choices=[_CHOOSE, *StopReason.choices], required=False
    )
    stop_comment = forms.CharField(
        label=_label("stop_comment"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    operator = PersonField(label=_label("operator"), required=False)
    second_checker = PersonField(label=_label("second_checker"), required=False)
    physician = PersonField(label=_label("physician"), required=False)
    reason = forms.CharField(label=gettext_lazy("Reason for the change"), max_length=500)

    TIMES = ("started_at", "cells_on_at", "cells_off_at", "ended_at")
    PEOPLE = ("operator", "second_checker", "physician")
    END = ("stop_reason", "stop_comment")

    def __init__(self, *args: Any, team: list[User], physicians: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, team, physicians)

    @classmethod
    def of(cls, session: TreatmentSession, near: dt.datetime, **people: list[User]) -> TimesForm:
        """Unbound, with everything as it stands."""
        day = session.started_at.date() if session.started_at else near.date()
        initial = {name: shown(getattr(session, name), day) for name in cls.TIMES}
        initial |= {name: getattr(session, f"{name}_id") for name in cls.PEOPLE}
        initial |= {name: getattr(session, name) for name in cls.END}
        return cls(near=session.started_at or near, initial=initial, **people)


class VoidForm(ActForm):
    """The session does not belong here."""

    act = "void"
    reason = forms.CharField(label=gettext_lazy("Why is it voided?"), max_length=500)


class LookForm(ActForm):
    """Somebody has looked for adverse events after the session."""

    act = "look"
    finding = forms.ChoiceField(
        label=gettext_lazy("Adverse events"), choices=[_CHOOSE, *Finding.choices]
    )
    comment = forms.CharField(label=gettext_lazy("Comment"), max_length=500, required=False)


class VoidLookForm(ActForm):
    """A look was stated wrongly."""

    act = "void-look"
    look = forms.ChoiceField(label=gettext_lazy("Which look"))
    reason = forms.CharField(label=gettext_lazy("Why is it voided?"), max_length=500)

    def __init__(self, *args: Any, looks: list[EventLook], zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["look"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{each.looked_at.astimezone(zone):%Y-%m-%d %H:%M} {each.looked_by}")
            for each in looks
        ]


class OverrideForm(ActForm):
    """A physician lets the session start in spite of a "no"."""

    act = "override"
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)
    reason = forms.CharField(label=gettext_lazy("Reason to start all the same"), max_length=500)


class RowForm(ActForm):
    """A new row of a repeating group of the session's record, with its items as fields."""

    table: ClassVar[type[CrfRow]]
    #: Named before it exists: two taps on one button make one row.
    row = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid.uuid4)

    def entry(self) -> Entry:
        """What was typed, as the engine saves it."""
        return read_texts(
            self.table, {n: _text(v) for n, v in self.cleaned_data.items() if n != "row"}
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat(timespec="minutes") if isinstance(value, dt.datetime) else str(value)


def _row_fields(table: type[CrfRow]) -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {}
    for name, item in items_of(table).items():
        if item.data_type == "datetime":
            fields[name] = SheetTime(
                label=item.field.verbose_name if item.field else name,
                required=False,
                help_text="" if not item.required else gettext_lazy("Empty: now"),
            )
        elif item.choices:
            fields[name] = forms.ChoiceField(
                label=item.field.verbose_name if item.field else name,
                choices=[_CHOOSE, *item.choices],
                required=item.required,
            )
        else:
            widget = forms.Textarea(attrs={"rows": 2}) if item.is_long else forms.TextInput()
            if item.data_type in {"integer", "float"}:
                widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}
            fields[name] = forms.CharField(
                label=item.field.verbose_name if item.field else name,
                required=item.required,
                max_length=getattr(item.field, "max_length", None),
                widget=widget,
            )
    return fields


def _row_form(name: str, doc: str, table: type[CrfRow]) -> type[RowForm]:
    body: dict[str, Any] = {"__doc__": doc, "act": name, "table": table, **_row_fields(table)}
    return type(f"{table.__name__}Form", (RowForm,), body)


InterruptionForm = _row_form("interruption", "The circuit stands still.", Interruption)
ComplicationForm = _row_form("complication", "Something went wrong.", Complication)
IntegrityForm = _row_form("integrity", "The barrier was tested.", IntegrityTest)
