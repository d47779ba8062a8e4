"""What the invented people have: texts for each form, SYNTHETIC wherever they say anything."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from screening.models.forms import (
    Aetiology,
    Allergies,
    Condition,
    Demographics,
    Examination,
    MedicalHistory,
    Medication,
    PregnancyTest,
)
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.casebook.services import open_record
from trialsite.core.clock import trial_now, trial_today
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfRow
from trialsite.crf.registry import form
from trialsite.crf.services import save_crf, save_row
from visits.models import SessionEnd, SessionPreparation, VitalSigns

Texts = dict[str, str]

#: The severity above which encephalopathy reaches the second grade, and the third.
_LETHARGY, _STUPOR = 1.12, 1.45


@dataclass(frozen=True, slots=True)
class Patient:
    """Who an invented person is at a visit, and how ill (`trialsite.demo.severity`)."""

    chance: random.Random
    sex: str
    age: int
    weight: float
    severity: float
    #: What is other than usual, by form.
    says: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def recovery(self) -> float:
        """0 at the worst, 1 when well again."""
        return 1 - min(1.0, self.severity)


def fill_visit(*, visit: Visit, by: User, patient: Patient) -> None:
    """Complete every form of a visit that this demonstration knows texts for."""
    at = trial_now().astimezone(ZoneInfo(visit.site.time_zone))
    for record in CrfRecord.objects.filter(visit=visit).order_by("form_oid"):
        make = TEXTS.get(record.form_oid)
        if make is None:
            continue
        for group, texts in GROUPS.get(record.form_oid, ()):
            save_row(record=record, group=group, entry=read_texts(group, texts), by=by)
        _complete(record, make(patient, at) | dict(patient.says.get(record.form_oid, {})), by)


def give_medicines(*, subject: Subject, by: User, chance: random.Random) -> None:
    """What nearly every liver failure is given, one record each."""
    since = trial_today(subject.site.time_zone) - dt.timedelta(days=chance.randrange(1, 6))
    for texts in MEDICINES:
        record = open_record(subject=subject, form_oid=Medication.form_oid, by=by)
        _complete(record, texts | {"started_on": since.isoformat()}, by)


def _complete(record: CrfRecord, texts: Texts, by: User) -> None:
    table = form(record.form_oid).data
    assert table is not None
    record.refresh_from_db()
    entry = read_texts(table, texts)
    save_crf(record=record, entry=entry, by=by, base_version=record.version, complete=True)


def _at(moment: dt.datetime, chance: random.Random) -> str:
    wanted = moment.replace(hour=8, minute=30 + chance.randrange(25))
    return min(wanted, moment - dt.timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M")


def demographics(patient: Patient, at: dt.datetime) -> Texts:
    born = at.date() - dt.timedelta(days=patient.age * 365 + 10 + patient.chance.randrange(350))
    return {
        "birth_date": born.isoformat(),
        "sex": patient.sex,
        "ethnic_group": patient.chance.choice(["汉族", "壮族", "苗族"]),
        "race": "ASIAN",
    }


def history(patient: Patient, at: dt.datetime) -> Texts:
    chance = patient.chance
    first = at.date() - dt.timedelta(days=chance.randrange(12, 25))
    jaundice = first + dt.timedelta(days=chance.randrange(1, 5))
    return {
        "cause": "HBV",
        "failure_type": "ALF",
        "failure_stage": chance.choice(["EARLY", "INTERMEDIATE"]),
        "first_symptom_on": first.isoformat(),
        "jaundice_on": jaundice.isoformat(),
        "hbsag": "POSITIVE",
        "hbeag": chance.choice(["POSITIVE", "NEGATIVE"]),
        "hbv_antiviral": "ENTECAVIR",
        "hbv_antiviral_since": jaundice.isoformat()[:7],
        "hbv_reactivation": "false",
        "chronic_liver_disease": "false",
        "cirrhosis": "false",
        "ascites_before": "false",
        "varices": "false",
        "transplant_before": "false",
        "dialysis": "false",
        "diabetes": "false",
        "autoimmune": "false",
        "comment": "SYNTHETIC",
    }


def allergies(patient: Patient, _at: dt.datetime) -> Texts:
    chance = patient.chance
    agents = ("plasma", "heparin", "protamine", "dmso", "nafamostat")
    texts = dict.fromkeys(agents, "NONE")
    if chance.random() < 0.2:
        return texts | {"plasma": "MILD", "plasma_reaction": "Urticaria (SYNTHETIC)"}
    return texts | {"none_known": "true"}


def examination(patient: Patient, at: dt.datetime) -> Texts:
    recovery = patient.recovery
    return {
        "assessed_at": _at(at, patient.chance),
        "assessor": "Ward physician (SYNTHETIC)",
        "assessor_role": "PHYSICIAN",
        **_encephalopathy(patient),
        "gcs_motor": "6",
        "sedatives": "false",
        "ascites": "NONE" if recovery > 0.2 else patient.chance.choice(["NONE", "MILD"]),
        "jaundice": "true" if recovery < 0.5 else "false",
        "oedema": "NONE",
        "bleeding": "false",
        "pe_general": "NORMAL",
        "pe_heart": "NORMAL",
        "pe_lungs": "NORMAL",
        "pe_abdomen": "NORMAL",
    }


def _encephalopathy(patient: Patient) -> Texts:
    """The grade as the ammonia has it: none when well, lethargic when very ill."""
    time, place, flaps, verbal, eye = "0", "0", "false", "5", "4"
    if patient.severity > _STUPOR:
        grade, time, place, flaps, verbal, eye = "III", "5", "4", "true", "3", "3"
    elif patient.severity > _LETHARGY:
        grade, time, flaps, verbal = "II", "3", "true", "4"
    elif patient.severity > 0.8 and patient.chance.random() < 0.4:
        grade, time = "I", "1"
    else:
        grade = "0"
    return {
        "grade": grade,
        "wrong_in_time": time,
        "wrong_in_place": place,
        "asterixis": flaps,
        "gcs_verbal": verbal,
        "gcs_eye": eye,
    }


def pregnancy(patient: Patient, at: dt.datetime) -> Texts:
    if patient.sex == "M":
        return {"childbearing": "false", "reason": "MALE"}
    if patient.age > 52:
        return {"childbearing": "false", "reason": "POSTMENOPAUSAL"}
    return {
        "childbearing": "true",
        "tested_on": at.date().isoformat(),
        "specimen": "SERUM",
        "result": "NEGATIVE",
    }


def vital_signs(patient: Patient, at: dt.datetime) -> Texts:
    """A plausible bedside reading: early on fast and warm, calmer as weeks go by."""
    chance, unrest = patient.chance, min(patient.severity, 1.2)
    systolic = max(100, round(chance.gauss(118 - 6 * unrest, 6)))
    pulse = min(118, round(chance.gauss(76 + 20 * unrest, 6)))
    temperature = min(37.9, round(chance.gauss(36.6 + 0.6 * unrest, 0.2), 1))
    return {
        "assessed_at": _at(at, chance),
        "position": "SUPINE",
        "systolic": str(systolic),
        "diastolic": str(max(56, min(systolic - 25, round(chance.gauss(68, 5))))),
        "heart_rate": str(pulse),
        "respiratory_rate": str(round(chance.gauss(17 + 2 * unrest, 1.5))),
        "temperature": str(temperature),
        "temperature.unit": "Cel",
        "oxygen_saturation": str(min(100, max(94, round(chance.gauss(97, 1))))),
        "oxygen_support": "ROOM AIR",
        "fio2": "21",
        "weight": str(round(chance.gauss(patient.weight, 0.6), 1)),
        "weight.unit": "kg",
        "comment": "SYNTHETIC",
    }


def session_preparation(patient: Patient, at: dt.datetime) -> Texts:
    chance, day = patient.chance, at.date()
    return {
        "prepared_at": _at(at, chance),
        "machine_model": "DEMO-PX 1 (SYNTHETIC)",
        "machine_serial": "PX-0007",
        "separator_model": "DEMO-SEP (SYNTHETIC)",
        "separator_lot": "S-1201",
        "separator_expiry": (day + dt.timedelta(days=400)).isoformat(),
        "separator_area": "0.5",
        "barrier_model": "DEMO-BAR (SYNTHETIC)",
        "barrier_lot": "B-0331",
        "barrier_pore": "0.2",
        "access_type": "CVC",
        "access_site": "R-IJ",
        "access_inserted_on": (day - dt.timedelta(days=1)).isoformat(),
        "access_size": "12",
        "weight": str(round(chance.gauss(patient.weight, 0.4), 1)),
        "haematocrit": str(round(chance.gauss(33, 2), 1)),
        "blood_flow": "120",
        "plasma_flow": "22",
        "reactor_flow": "150",
        "reactor_temperature": "37",
        "anticoagulant": "NAFAMOSTAT",
        "nafamostat_priming": "40",
        "nafamostat_rate": "30",
        "comment": "SYNTHETIC",
    }


def session_end(patient: Patient, at: dt.datetime) -> Texts:
    chance = patient.chance
    return {
        "recorded_at": (at - dt.timedelta(minutes=4)).strftime("%Y-%m-%dT%H:%M"),
        "plasma_exchanged": str(2000 + chance.randrange(0, 150, 10)),
        "plasma_processed": str(7000 + chance.randrange(0, 500, 50)),
        "ffp_volume": "2000",
        "ffp_units": "10",
        "ffp_group": "A",
        "own_group": "A",
        "ffp_numbers": "SYNTHETIC 01-10",
        "net_balance": str(chance.randrange(-300, 300, 50)),
        "filter_clotting": str(chance.choice([0, 0, 1])),
        "chamber_clotting": "0",
        "blood_returned": "true",
        "blood_loss": "20",
        "any_complication": "false",
        "performance_ok": "true",
        "disposal": "DESTROYED",
        "comment": "SYNTHETIC",
    }


#: Form -> its texts for one visit of one invented person.
TEXTS: dict[str, Callable[[Patient, dt.datetime], Texts]] = {
    Demographics.form_oid: demographics,
    MedicalHistory.form_oid: history,
    Allergies.form_oid: allergies,
    VitalSigns.form_oid: vital_signs,
    Examination.form_oid: examination,
    PregnancyTest.form_oid: pregnancy,
    SessionPreparation.form_oid: session_preparation,
    SessionEnd.form_oid: session_end,
}

#: Rows that the form's own row stands above.
GROUPS: dict[str, tuple[tuple[type[CrfRow], Texts], ...]] = {
    MedicalHistory.form_oid: (
        (Aetiology, {"cause": "ALCOHOL"}),
        (
            Condition,
            {"term": "Hypertension (SYNTHETIC)", "started_on": "2019", "ongoing": "true"},
        ),
    ),
}

_DAILY = {
    "route": "ORAL",
    "frequency": "QD",
    "ongoing": "true",
    "indication": "DISEASE UNDER STUDY",
}
MEDICINES: tuple[Texts, ...] = (
    {
        "treatment": "Entecavir (SYNTHETIC)",
        "category": "ANTIVIRAL",
        "dose": "0.5",
        "dose_unit": "mg",
        **_DAILY,
    },
    {
        "treatment": "Lactulose (SYNTHETIC)",
        "category": "LACTULOSE",
        "dose": "15",
        "dose_unit": "mL",
        **_DAILY,
        "frequency": "TID",
    },
)
