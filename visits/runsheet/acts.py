"""The forms of a run sheet's acts: as they were refused, else empty."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from visits.models import EventLook, TreatmentSession
from visits.runsheet.forms import (
    ActForm,
    CellsOffForm,
    CellsOnForm,
    ComplicationForm,
    EndForm,
    IntegrityForm,
    InterruptionForm,
    LookForm,
    PrescriptionForm,
    StartForm,
    TimesForm,
    VoidForm,
    VoidLookForm,
)
from visits.selectors.people import physicians_of, staff_of


class SheetActs(ABC):
    """What can be done on a sheet, each with the form its page shows."""

    session: TreatmentSession
    record: CrfRecord
    user: User
    refused: ActForm | None

    @property
    @abstractmethod
    def day(self) -> dt.date:
        """The day of the sheet."""

    @property
    @abstractmethod
    def near(self) -> dt.datetime:
        """The moment near which a clock without a day is meant."""

    @property
    @abstractmethod
    def standing_looks(self) -> list[EventLook]:
        """The looks after the session that nobody has voided."""

    def form(self, kind: type[ActForm], **options: Any) -> ActForm:
        """The form of an act: as it was refused, else empty."""
        if self.refused is not None and type(self.refused) is kind:
            return self.refused
        initial = options.pop("initial", {}) | {"version": self.record.version}
        return kind(near=self.near, initial=initial, **options)

    @property
    def start_form(self) -> ActForm:
        return self.form(
            StartForm,
            team=self.team,
            physicians=self.physicians,
            initial={"operator": self.user.pk},
        )

    @cached_property
    def team(self) -> list[User]:
        return staff_of(self.session.site, on=self.day)

    @cached_property
    def physicians(self) -> list[User]:
        return physicians_of(self.session.site, on=self.day)

    @property
    def cells_on_form(self) -> ActForm:
        return self.form(CellsOnForm)

    @property
    def cells_off_form(self) -> ActForm:
        return self.form(CellsOffForm)

    @property
    def end_form(self) -> ActForm:
        return self.form(EndForm)

    @property
    def times_form(self) -> ActForm:
        if isinstance(self.refused, TimesForm):
            return self.refused
        people = {"team": self.team, "physicians": self.physicians}
        found = TimesForm.of(self.session, self.near, **people)
        found.initial["version"] = self.record.version
        return found

    @property
    def prescription_form(self) -> ActForm:
        if isinstance(self.refused, PrescriptionForm):
            return self.refused
        found = PrescriptionForm.of(self.session, self.near)
        found.initial["version"] = self.record.version
        return found

    @property
    def void_form(self) -> ActForm:
        return self.form(VoidForm)

    @property
    def look_form(self) -> ActForm:
        return self.form(LookForm)

    @property
    def void_look_form(self) -> ActForm:
        return self.form(
            VoidLookForm, looks=self.standing_looks, zone=ZoneInfo(self.session.time_zone)
        )

    @property
    def interruption_form(self) -> ActForm:
        return self.form(InterruptionForm)

    @property
    def complication_form(self) -> ActForm:
        return self.form(ComplicationForm)

    @property
    def integrity_form(self) -> ActForm:
        return self.form(IntegrityForm)

    @property
    def refused_act(self) -> str:
        return self.refused.act if self.refused is not None else ""
