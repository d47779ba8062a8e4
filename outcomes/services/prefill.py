"""What is known of an adverse event before the investigator judges it.

Each function says what the bedside row or the result tells already, in the person's language;
seriousness and cause are always left open, and everything can be written over.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import AdverseEvent
from trialsite.core.units import unit_label
from trialsite.crf.entry import Entry, read_values
from trialsite.crf.items import all_items_of
from trialsite.crf.limits import limits_of, text_of
from trialsite.crf.pages import as_read
from trialsite.labs.codes import ResultFlag
from trialsite.labs.codes import item_oid as lab_item
from trialsite.labs.grades import graded_results
from trialsite.labs.models import LabResult, digits
from trialsite.labs.names import item_label
from visits.models import Complication, SessionReading, TreatmentSession
from visits.models.session_codes import ComplicationCode

#: What a value of the patient outside its usual range is called (CTCAE terms): below, above.
TERMS = {
    "mean_arterial": (gettext_lazy("Hypotension"), gettext_lazy("Hypertension")),
    "systolic": (gettext_lazy("Hypotension"), gettext_lazy("Hypertension")),
    "diastolic": (gettext_lazy("Hypotension"), gettext_lazy("Hypertension")),
    "heart_rate": (gettext_lazy("Bradycardia"), gettext_lazy("Tachycardia")),
    "oxygen_saturation": (gettext_lazy("Hypoxia"), ""),
    "temperature": (gettext_lazy("Hypothermia"), gettext_lazy("Fever")),
    "respiratory_rate": (gettext_lazy("Bradypnoea"), gettext_lazy("Tachypnoea")),
    "gcs_total": (gettext_lazy("Depressed level of consciousness"), ""),
}

#: A result belongs to a session when it was drawn in it or within a day of its end.
_AFTER_SESSION = dt.timedelta(days=1)


def of_complication(complication: Complication) -> Entry:
    """The event of a complication: its name, its onset, what the nurse wrote."""
    term, comment = complication.get_code_display() or "", complication.comment or ""
    if complication.code == ComplicationCode.OTHER and comment:
        term = comment
    return _entry(term, comment, complication.onset_at)


def of_reading(reading: SessionReading, version_id: int) -> Entry:
    """The event of a reading: named by the first value of the patient that is out of range."""
    found = list(outside(reading, version_id))
    words = [f"{label} {value} ({usual})" for _term, label, value, usual in found]
    term = next((term for term, *_rest in found if term), "")
    return _entry(term, "; ".join(words), reading.observed_at)


def outside(reading: SessionReading, version_id: int) -> Iterator[tuple[str, str, str, str]]:
    """Term, label, value and usual range of each value of the patient outside that range."""
    items = all_items_of(SessionReading)
    for name, (below, above) in TERMS.items():
        usual, value = limits_of(items[name], version_id).usual, getattr(reading, name)
        if usual is None or value is None or value in usual:
            continue
        low = usual.low is not None and Decimal(value) < usual.low
        said = f"{as_read(reading, name, items[name])} {unit_label(items[name].unit)}".strip()
        yield str(below if low else above), items[name].label, said, text_of(usual)


def of_result(result: LabResult) -> Entry:
    """The event of a result outside its range: named by the analyte, graded by CTCAE."""
    grade = grade_of(result)
    name = item_label(lab_item(result.analyte))
    term = (
        _("%(analyte)s decreased") if result.flag == ResultFlag.LOW else _("%(analyte)s increased")
    )
    words = f"{name} {result.text} {unit_label(result.unit)}"
    if result.range_low is not None or result.range_high is not None:
        words += f" ({digits(result.range_low)}–{digits(result.range_high)})"
    return _entry(term % {"analyte": name}, words, result.panel.collected_at, grade)


def grade_of(result: LabResult) -> int | None:
    """The CTCAE grade that the result's value has by itself, where it has one."""
    graded = graded_results([result.subject_id]).get(result.subject_id, [])
    found = next((each.grade for each in graded if each.result.pk == result.pk), None)
    return found.grade or None if found is not None else None


def session_of(subject: uuid.UUID, drawn: dt.datetime | None) -> TreatmentSession | None:
    """The session in which, or within a day of whose end, something was drawn."""
    if drawn is None:
        return None
    started = TreatmentSession.objects.started().filter(subject=subject, started_at__lte=drawn)
    session = started.order_by("-started_at").first()
    if session is None or (session.ended_at and drawn > session.ended_at + _AFTER_SESSION):
        return None
    return session


def _entry(
    term: str, description: str, onset: dt.datetime | None, grade: int | None = None
) -> Entry:
    values: dict[str, object] = {
        "term": " ".join(term.split())[:200],
        "description": description,
    }
    if onset is not None:
        values["started_on"] = onset.date().isoformat()
        values["started_time"] = onset.strftime("%H:%M")
    if grade is not None:
        values["grade"] = grade
    return read_values(AdverseEvent, values=values, missing={}, confirmed={}, units={})
