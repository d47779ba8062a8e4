"""Enrolled subjects with sessions, grades and results, as they stand in the database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from screening.models.enrolment import Enrolment
from screening.models.forms.demographics import Demographics
from screening.models.forms.examination import Examination
from screening.models.forms.medical_history import MedicalHistory
from tests.factories import as_person, given, make_protocol, make_record, make_subject
from tests.labs.conftest import make_laboratory
from tests.outcomes.changes.people import ZERO
from tests.outcomes.conftest import treated
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.casebook.services import lay_out_visits, set_day_zero
from trialsite.core.clock import trial_now
from trialsite.labs.models import Laboratory, LabPanel, LabResult, PurificationInterval

UNITS = {"BILI": "umol/L", "PTA": "%", "INR": "{INR}", "CREAT": "umol/L", "INTLK6": "ng/L"}
ZONE = "Asia/Shanghai"


@dataclass
class Casebooks:
    """Makes subjects at a site, and what is measured of them; days count from day zero."""

    site: Site
    by: User
    zero: dt.date = ZERO
    laboratories: dict[str, Laboratory] = field(default_factory=dict)

    def subject(self, number: str, *, dosed: bool = True) -> Subject:
        """An enrolled subject, treated on day zero at ten unless it never was."""
        found: Subject = make_subject(self.site, number=number, status="enrolled")
        enrol(found, self.zero - dt.timedelta(days=1), self.by)
        with as_person(self.by):
            lay_out_visits(subject=found, by=self.by)
        if dosed:
            treated(found, self.by, start=f"{self.zero}T10:00")
            with as_person(self.by):
                set_day_zero(subject=found, day_zero=self.zero, by=self.by)
        given(found.refresh_from_db)()
        return found

    @given
    def draw(
        self,
        subject: Subject,
        day: int,
        time: str = "08:00",
        visit: str = "",
        lab: str = "CENTRAL",
        **values: str,
    ) -> LabPanel:
        """Results of one draw, in the protocol's units; one with < or > is a limit."""
        record = self._record(subject, "F.LB", visit)
        if lab not in self.laboratories:
            self.laboratories[lab] = make_laboratory(self.site, lab)
        panel = LabPanel.objects.create(
            record=record,
            site_id=subject.site_id,
            subject=subject,
            laboratory=self.laboratories[lab],
            collected_at=self._wall(day, time),
            time_zone=ZONE,
        )
        for analyte, text in values.items():
            amount = Decimal(text.lstrip("<>"))
            LabResult.objects.create(
                site_id=subject.site_id,
                subject=subject,
                panel=panel,
                analyte=analyte,
                text=text,
                comparator=text[0] if text[0] in "<>" else "",
                value=amount,
                unit=UNITS[analyte],
                factor=Decimal(1),
                canonical=amount,
                canonical_unit=UNITS[analyte],
            )
        return panel

    @given
    def grade(
        self, subject: Subject, day: int, grade: str, time: str = "08:00", visit: str = ""
    ) -> Examination:
        """A West Haven grade."""
        record = self._record(subject, "F.HE", visit)
        found: Examination = Examination.objects.create(
            record=record,
            site_id=subject.site_id,
            subject=subject,
            time_zone=ZONE,
            assessed_at=self._wall(day, time),
            grade=grade,
        )
        return found

    @given
    def person(self, subject: Subject, **history: Any) -> None:
        """Completed demographics and history, as MELD needs them."""
        facts = {"chronic_liver_disease": False, "dialysis": False} | history
        for form, table, fields in (
            ("F.DM", Demographics, {"sex": "M"}),
            ("F.MH", MedicalHistory, facts),
        ):
            record = make_record(
                subject, form_oid=form, status="complete", completed_at=trial_now()
            )
            table.objects.create(
                record=record,
                site_id=subject.site_id,
                subject=subject,
                time_zone=ZONE,
                **fields,
            )

    @given
    def purified(self, subject: Subject, day: int, start: str, end: str) -> None:
        """An earlier plasma exchange."""
        PurificationInterval.objects.create(
            site_id=subject.site_id,
            subject=subject,
            kind="PE",
            source="earlier",
            started_at=self._wall(day, start),
            ended_at=self._wall(day, end),
            time_zone=ZONE,
        )

    def _record(self, subject: Subject, form: str, visit: str) -> CrfRecord:
        place = Visit.objects.get(subject=subject, event_oid=visit) if visit else None
        number = CrfRecord.objects.filter(subject=subject, visit=place, form_oid=form).count()
        found: CrfRecord = make_record(subject, form, place, repeat_key=number + 1)
        return found

    def _wall(self, day: int, time: str) -> dt.datetime:
        on = self.zero + dt.timedelta(days=day)
        return dt.datetime.combine(on, dt.time.fromisoformat(time))


@given
def enrol(subject: Subject, on: dt.date, by: User) -> None:
    """The enrolment itself, as it stands in the database."""
    Enrolment.objects.create(
        site_id=subject.site_id,
        subject=subject,
        number=subject.number or "",
        enrolled_at=dt.datetime.combine(on, dt.time(9), dt.UTC),
        enrolled_on=on,
        enrolled_by=by,
        protocol_version=make_protocol(subject.site),
        target=10,
    )
