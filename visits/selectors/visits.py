"""What a visit's page and its answers in the API show, read over several models."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import (
    Case,
    Count,
    DateField,
    DateTimeField,
    F,
    Func,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import get_language

from trialsite.casebook.models import CrfRecord, RecordStatus, Visit, VisitStatus
from trialsite.casebook.protocols import event_of, in_order_of_visit, protocol_of, visit_name
from trialsite.casebook.windows import Bar, Window
from trialsite.conduct.models import Deviation
from trialsite.core import slots
from trialsite.core.clock import TrialNow
from trialsite.crf.registry import Form, forms
from trialsite.labs.models import LabPanel
from trialsite.protocol.study_days import protocol_day, sdtm_day
from trialsite.review.models import QueryStatus
from visits.services.visits import MISSED, OUT_OF_WINDOW, key_of

#: The visit's page leaves room for the samples of the visit; `samples` fills it.
VISIT_SAMPLES = slots.declare("visits.visit.samples")

DONE = (RecordStatus.COMPLETE, RecordStatus.NOT_DONE)


def with_state(visits: QuerySet[Visit]) -> QuerySet[Visit]:
    """Visits with the date it is at their site and the state they have on it."""
    there = Func(
        F("site__time_zone"), TrialNow(), function="timezone", output_field=DateTimeField()
    )
    first = Coalesce(Func(F("window"), function="lower", output_field=DateField()), F("target_on"))
    return visits.annotate(today=Cast(there, DateField())).annotate(
        state=Case(
            When(
                Q(status=VisitStatus.PLANNED) & Q(today__gte=first),
                then=Value(VisitStatus.DUE.value),
            ),
            default=F("status"),
        )
    )


@dataclass(frozen=True, slots=True)
class ExpectedForm:
    """One record of the visit."""

    record: CrfRecord
    title: str

    @property
    def done(self) -> bool:
        return self.record.status in DONE


@dataclass(frozen=True, slots=True)
class ExpectedPanel:
    """A lab panel the protocol plans here, and the draw that was for it."""

    name: str
    optional: bool
    record: CrfRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitSheet:
    """Everything the page of one visit shows."""

    visit: Visit
    name: str
    today: dt.date
    state: VisitStatus
    window: Window | None
    forms: list[ExpectedForm]
    optional_forms: list[Form]
    panels: list[ExpectedPanel]
    deviations: list[Deviation]
    contacts: list[Visit]

    @property
    def bar(self) -> Bar | None:
        return Bar.of(self.window, self.today) if self.window else None

    @property
    def late(self) -> int:
        """Days since the last one, while the visit still waits."""
        waits = self.state in (VisitStatus.DUE, VisitStatus.OPEN)
        return max(0, (self.today - self.window.last).days) if waits and self.window else 0

    @property
    def outside(self) -> int:
        """By how many days the attendance missed the window; negative before it."""
        on = self.visit.attended_on
        return self.visit.days_outside(on) if on else 0

    @property
    def outside_days(self) -> int:
        return abs(self.outside)

    @property
    def day(self) -> int | None:
        """The protocol's day on which it took place, or takes place by its target."""
        on, zero = self.visit.attended_on or self.visit.target_on, self.visit.subject.day_zero
        return None if on is None or zero is None else protocol_day(zero, on)

    @property
    def done(self) -> int:
        return sum(each.done for each in self.forms)

    @property
    def next_form(self) -> ExpectedForm | None:
        """The form to fill next: one already begun, else the first that is not done."""
        waiting = [each for each in self.forms if not each.done and not each.record.is_closed]
        begun = [each for each in waiting if each.record.status == RecordStatus.IN_PROGRESS]
        return next(iter([*begun, *waiting]), None)


def study_days(visit: Visit) -> tuple[int | None, int | None]:
    """The day of attendance as the protocol counts it and as SDTM does (SVSTDY)."""
    on, zero = visit.attended_on, visit.subject.day_zero
    if on is None or zero is None:
        return None, None
    return protocol_day(zero, on), sdtm_day(zero, on)


def visit_sheet(visit: Visit, *, now: dt.datetime) -> VisitSheet:
    """The page of a visit whose subject and site are loaded; queries do not grow with it."""
    today = now.astimezone(ZoneInfo(visit.subject.site.time_zone)).date()
    records = in_order_of_visit(_records(visit), visit.event_oid)
    contacts = visit.contacts.exclude(status=VisitStatus.NOT_REQUIRED).order_by("repeat_key")
    return VisitSheet(
        visit=visit,
        name=visit_name(visit),
        today=today,
        state=visit.state_on(today),
        window=Window.of(visit),
        forms=[ExpectedForm(record, _title(record.form_oid)) for record in records],
        optional_forms=_optional(visit, {record.form_oid for record in records}),
        panels=_panels(visit),
        deviations=_deviations(visit),
        contacts=list(contacts),
    )


def _records(visit: Visit) -> QuerySet[CrfRecord]:
    unresolved = ~Q(queries__status=QueryStatus.CLOSED) & Q(queries__isnull=False)
    standing = CrfRecord.objects.standing().filter(visit=visit)
    return standing.annotate(open_queries=Count("queries", filter=unresolved))


def _title(form_oid: str) -> str:
    known = forms().get(form_oid)
    return str(known.title) if known else form_oid


def _optional(visit: Visit, present: set[str]) -> list[Form]:
    """Forms the protocol allows here that are not there yet, or may be there again."""
    known = forms()
    offered = [known[oid] for oid in event_of(visit).optional_forms if oid in known]
    return [form for form in offered if form.oid not in present or form.repeating]


def _panels(visit: Visit) -> list[ExpectedPanel]:
    event, labs = event_of(visit), protocol_of(visit.protocol_version_id).labs
    drawn: dict[str, CrfRecord] = {}
    draws = LabPanel.objects.filter(record__visit=visit, record__voided_at=None)
    for draw in draws.select_related("record").order_by("record__repeat_key"):
        drawn |= {key: draw.record for key in draw.panels if key not in drawn}
    planned = dict.fromkeys(event.lab_panels, False) | dict.fromkeys(
        event.optional_lab_panels, True
    )
    language = get_language() or "en"
    return [
        ExpectedPanel(panel.name.in_language(language), planned[panel.key], drawn.get(panel.key))
        for panel in labs.panels
        if panel.key in planned
    ]


def _deviations(visit: Visit) -> list[Deviation]:
    keys = [key_of(visit, kind.code) for kind in (OUT_OF_WINDOW, MISSED)]
    rows = Deviation.objects.standing().filter(subject_id=visit.subject_id, key__in=keys)
    return list(rows.order_by("entered_at"))
