"""What a report of a serious adverse event rests on, read once for both languages."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from outcomes.models import (
    CRITERIA,
    CTCAE_VERSION,
    AdverseEvent,
    AdverseEventOrigin,
    ReportKind,
    SaeCase,
)
from outcomes.sae_clock import expedited_of, is_grave, is_suspected
from outcomes.selectors.sae_carried import Paper, carried
from screening.models.forms.medication import Medication
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.models import stored
from trialsite.labs.people import Person, person_of
from trialsite.labs.selectors import lab_facts
from trialsite.protocol import Protocol
from visits.models import LoadedProduct, TreatmentSession

#: Which results belong to an event: drawn from so long before its start to so long after.
_LABS_BEFORE, _LABS_AFTER, _LABS_AT_MOST = dt.timedelta(days=3), dt.timedelta(days=7), 60
_MEDICINES_BEFORE = dt.timedelta(days=7)


class Gathered:
    """The event, its case, sessions, medicines and results, and the codes of them."""

    def __init__(
        self,
        case: SaeCase,
        event: AdverseEvent,
        *,
        kind: str,
        number: int,
        at: dt.datetime | None,
        paper: Paper | None,
    ) -> None:
        self.case, self.event, self.paper = case, event, paper
        self.kind, self.number, self.at = ReportKind(kind), number, at
        self.record = CrfRecord.objects.select_related("site", "subject").get(pk=case.record_id)
        self.zone = ZoneInfo(self.record.site.time_zone)
        self.protocol: Protocol = protocol_of(self.record.protocol_version_id)
        self.person: Person = person_of(case.subject_id)
        self.sessions = list(
            TreatmentSession.objects.started().filter(subject=case.subject_id).order_by("number")
        )
        self.loaded = list(
            LoadedProduct.objects.filter(subject=case.subject_id, voided_at=None)
            .select_related("lot")
            .order_by("loaded_at")
        )
        self.medicines = self._medicines()
        self.labs = self._labs()
        self.origin = (
            AdverseEventOrigin.objects.filter(record=self.record).select_related("session").first()
        )

    @property
    def onset(self) -> tuple[dt.date, dt.date]:
        """The first and the last day on which it may have begun."""
        began = self.event.started_on
        if began is None:
            day = self.case.aware_at.astimezone(self.zone).date()
            return day, day
        return began.earliest, began.latest

    def _medicines(self) -> list[Medication]:
        first, last = self.onset
        rows = stored(Medication).filter(subject=self.case.subject_id, record__voided_at=None)
        return [
            row
            for row in rows.order_by("record__repeat_key")
            if (row.started_on is None or row.started_on.earliest <= last)
            and (row.ended_on is None or row.ended_on.latest >= first - _MEDICINES_BEFORE)
        ]

    def _labs(self) -> list[Any]:
        first, last = self.onset
        facts = [
            fact
            for fact in lab_facts(self.record.subject)
            if not fact.missing
            and first - _LABS_BEFORE
            <= fact.collected_at.astimezone(self.zone).date()
            <= last + _LABS_AFTER
        ]
        beyond = [fact for fact in facts if _beyond(fact)]
        return sorted(beyond, key=lambda fact: (fact.collected_at, fact.analyte))[:_LABS_AT_MOST]

    def facts(self) -> dict[str, Any]:
        """The codes and versions, for whoever reads the report by machine."""
        event = self.event
        facts = {
            "record": str(self.record.pk),
            "record_version": self.record.version,
            "protocol": self.protocol.version,
            "ctcae": CTCAE_VERSION,
            "subject": self.record.subject.label,
            "site": self.record.site.code,
            "kind": self.kind.value,
            "number": self.number,
            "made_at": self.at.isoformat() if self.at else None,
            "aware_at": self.case.aware_at.isoformat(),
            "aware_said": self.case.aware_said,
            "term": event.term,
            "criteria": [name for name in CRITERIA if getattr(event, name)],
            "grave": is_grave(event),
            "taken_back": self.case.standing if self.case.is_taken_back else "",
            "suspected": is_suspected(event, self.case),
            "expedited": str(expedited_of(event) or ""),
            "expedited_confirmed": self.case.expedited,
            "results": [str(fact.result_id) for fact in self.labs],
        }
        return facts | carried(self.paper) if self.paper else facts


def _beyond(fact: Any) -> bool:
    if fact.value is None:
        return False
    low = fact.low is not None and fact.value < fact.low
    return low or (fact.high is not None and fact.value > fact.high)
