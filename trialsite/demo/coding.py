"""What becomes of the demonstration's adverse events: grades over time, medicines, codes, looks.

The codes are invented, as everything here: no dictionary is shipped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from outcomes.models import AdverseEvent, AdverseEventGrade, EventMedication
from screening.models.forms.medication import Medication
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.services import open_record
from trialsite.crf.coding.services import Code, code_term
from trialsite.crf.coding.terms import said_terms, terms_of
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.models import CrfRow, stored
from trialsite.crf.services import save_crf, save_row
from trialsite.demo.one import One
from visits.models import Finding, TreatmentSession
from visits.services.event_looks import look_for_events

SEPSIS = "Catheter-related sepsis (SYNTHETIC)"

_VERSION = "SYNTHETIC 1.0"
_WHY = "Source document (SYNTHETIC)"

#: Words of a site -> what the coder chose.
_CODES = {
    "Hypotension (SYNTHETIC)": ("SYN-1001", "Hypotension", "Hypotension", "Vascular disorders"),
    SEPSIS: (
        "SYN-1002",
        "Catheter sepsis",
        "Device related sepsis",
        "Infections and infestations",
    ),
}

_ANTIBIOTIC = {
    "treatment": "Meropenem (SYNTHETIC)",
    "category": "ANTIBIOTIC",
    "dose": "1",
    "dose_unit": "g",
    "route": "INTRAVENOUS",
    "frequency": "Q8H",
    "ongoing": "false",
    "indication": "ADVERSE EVENT",
    "indication_in_words": SEPSIS,
}


def follow_up(one: One) -> None:
    """The course of the sepsis, and its medicine."""
    with one.entering():
        event = (
            stored(AdverseEvent)
            .select_related("record__subject")
            .get(subject=one.subject, serious=True)
        )
        _course(event, one.nurse)
        _medicine(event, one.nurse)


def _row(event: AdverseEvent, group: type[CrfRow], texts: Mapping[str, str], by: User) -> None:
    save_row(
        record=CrfRecord.objects.get(pk=event.record_id),
        group=group,
        entry=read_texts(group, texts),
        by=by,
        reason=_WHY,
    )


def _course(event: AdverseEvent, nurse: User) -> None:
    """Moderate at the onset, severe the next day, mild before it was over."""
    assert event.started_on is not None
    began = event.started_on.earliest
    for day, grade in ((0, "2"), (1, "3"), (4, "1")):
        on = (began + dt.timedelta(days=day)).isoformat()
        _row(event, AdverseEventGrade, {"changed_on": on, "grade": grade}, nurse)


def _medicine(event: AdverseEvent, nurse: User) -> None:
    """Its antibiotic, named by the number it has in the list of medication."""
    assert event.started_on is not None
    began = event.started_on.earliest
    record = open_record(subject=event.record.subject, form_oid=Medication.form_oid, by=nurse)
    given = {"started_on": began, "ended_on": began + dt.timedelta(days=5)}
    texts = _ANTIBIOTIC | {name: day.isoformat() for name, day in given.items()}
    save_crf(
        record=record,
        entry=read_texts(Medication, texts),
        by=nurse,
        base_version=record.version,
        complete=True,
    )
    _row(event, EventMedication, {"medication": str(record.repeat_key)}, nurse)
    whole = CrfRecord.objects.get(pk=event.record_id)
    now = stored(AdverseEvent).get(pk=event.pk)
    save_crf(
        record=whole,
        entry=read_texts(AdverseEvent, texts_of(now) | {"treated": "true"}),
        by=nurse,
        base_version=whole.version,
        complete=True,
        reason=_WHY,
    )


def code_terms(coder: User) -> None:
    """What the coder has got through so far; the rest waits on the list."""
    for term in said_terms(terms_of(coder), coder):
        if term.verbatim in _CODES:
            code, lowest, preferred, organ = _CODES[term.verbatim]
            levels = {"PT": {"code": f"{code}-P", "term": preferred}, "SOC": {"term": organ}}
            given = Code(version=_VERSION, code=code, term=lowest, levels=levels)
            code_term(term=term, code=given, by=coder)


def look_after(one: One) -> None:
    """The round on the day after a session; yesterday's is still to come."""
    with one.entering():
        ended = TreatmentSession.objects.standing().filter(
            subject=one.subject, ended_at__isnull=False
        )
        session = ended.select_related("subject__site").latest("ended_at")
        found = stored(AdverseEvent).filter(subject=one.subject).exists()
        look_for_events(
            session=session,
            finding=Finding.ENTERED if found else Finding.NOTHING,
            comment="Ward round (SYNTHETIC)",
            by=one.nurse,
        )
