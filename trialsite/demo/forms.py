"""What the invented people have: texts for each form, SYNTHETIC wherever they say anything."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from decimal import Decimal
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


def fill_visit(*, visit: Visit, by: User, chance: random.Random, recovery: float) -> None:
    """Complete every form of a visit that this demonstration knows texts for.

    `recovery` goes from 0 at the start to 1 at the end of the study.
    """
    sex = chance.choice("MMF")
    at = trial_now().astimezone(ZoneInfo(visit.site.time_zone))
    for record in CrfRecord.objects.filter(visit=visit).order_by("form_oid"):
        make = TEXTS.get(record.form_oid)
        if make is None:
            continue
        for group, texts in GROUPS.get(record.form_oid, ()):
            save_row(record=record, group=group, entry=read_texts(group, texts), by=by)
        _complete(record, make(chance, at, recovery, sex), by)


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


def demographics(chance: random.Random, at: dt.datetime, _recovery: float, sex: str) -> Texts:
    born = at.date() - dt.timedelta(days=chance.randrange(24 * 365, 62 * 365))
    return {
        "birth_date": born.isoformat(),
        "sex": sex,
        "ethnic_group": chance.choice(["汉族", "壮族", "苗族"]),
        "race": "ASIAN",
    }


def history(chance: random.Random, at: dt.datetime, _recovery: float, _sex: str) -> Texts:
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


def allergies(chance: random.Random, _at: dt.datetime, _recovery: float, _sex: str) -> Texts:
    agents = ("plasma", "heparin", "protamine", "dmso", "nafamostat")
    texts = dict.fromkeys(agents, "NONE")
    if chance.random() < 0.2:
        return texts | {"plasma": "MILD", "plasma_reaction": "Urticaria (SYNTHETIC)"}
    return texts | {"none_known": "true"}


def examination(chance: random.Random, at: dt.datetime, recovery: float, _sex: str) -> Texts:
    drowsy = recovery < 0.1 and chance.random() < 0.4
    return {
        "assessed_at": _at(at, chance),
        "assessor": "Ward physician (SYNTHETIC)",
        "assessor_role": "PHYSICIAN",
        "grade": "I" if drowsy else "0",
        "wrong_in_time": "1" if drowsy else "0",
        "wrong_in_place": "0",
        "asterixis": "false",
        "gcs_eye": "4",
        "gcs_verbal": "5",
        "gcs_motor": "6",
        "sedatives": "false",
        "ascites": "NONE" if recovery > 0.2 else chance.choice(["NONE", "MILD"]),
        "jaundice": "true" if recovery < 0.5 else "false",
        "oedema": "NONE",
        "bleeding": "false",
        "pe_general": "NORMAL",
        "pe_heart": "NORMAL",
        "pe_lungs": "NORMAL",
        "pe_abdomen": "NORMAL",
    }


def pregnancy(chance: random.Random, at: dt.datetime, _recovery: float, sex: str) -> Texts:
    if sex == "M":
        return {"childbearing": "false", "reason": "MALE"}
    if chance.random() < 0.3:
        return {"childbearing": "false", "reason": "POSTMENOPAUSAL"}
    return {
        "childbearing": "true",
        "tested_on": at.date().isoformat(),
        "specimen": "SERUM",
        "result": "NEGATIVE",
    }


def vital_signs_texts(chance: random.Random, at: dt.datetime, recovery: float, _sex: str) -> Texts:
    return vital_signs(chance, at, recovery=recovery)


def vital_signs(chance: random.Random, at: dt.datetime, *, recovery: float) -> dict[str, str]:
    """A plausible bedside reading: early on fast and warm, calmer as weeks go by."""
    unrest = 1 - min(recovery, 1)
    systolic = round(chance.gauss(112 + 6 * recovery, 7))
    pulse = round(chance.gauss(78 + 22 * unrest, 8))
    temperature = Decimal(str(round(chance.gauss(36.7 + 0.6 * unrest, 0.25), 1)))
    return {
        "assessed_at": _at(at, chance),
        "position": "SUPINE",
        "systolic": str(systolic),
        "diastolic": str(min(systolic - 25, round(chance.gauss(68, 5)))),
        "heart_rate": str(pulse),
        "respiratory_rate": str(round(chance.gauss(17 + 2 * unrest, 1.5))),
        "temperature": str(temperature),
        "temperature.unit": "Cel",
        "oxygen_saturation": str(min(100, round(chance.gauss(96.5, 1)))),
        "oxygen_support": "ROOM AIR",
        "fio2": "21",
        "weight": str(round(chance.gauss(66, 6), 1)),
        "weight.unit": "kg",
        "comment": "SYNTHETIC",
    }


def session_preparation(
    chance: random.Random, at: dt.datetime, _recovery: float, _sex: str
) -> Texts:
    day = at.date()
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
        "weight": str(round(chance.gauss(66, 5), 1)),
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


def session_end(chance: random.Random, at: dt.datetime, _recovery: float, _sex: str) -> Texts:
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
TEXTS: dict[str, Callable[[random.Random, dt.datetime, float, str], Texts]] = {
    Demographics.form_oid: demographics,
    MedicalHistory.form_oid: history,
    Allergies.form_oid: allergies,
    VitalSigns.form_oid: vital_signs_texts,
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
