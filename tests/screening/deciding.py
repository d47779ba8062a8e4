"""A person in screening whose data decide: forms, a draw, consent, assumptions confirmed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from screening.models import ConsentDocument, EligibilityEvaluation
from screening.models.forms import Allergies, Demographics, Examination, MedicalHistory
from screening.selectors.eligibility import Live, live_evaluation
from screening.selectors.log import screening_records
from screening.services.eligibility import sign_eligibility
from tests.factories import Cast, as_person, given, make_protocol, make_record
from tests.labs.conftest import make_laboratory, make_range
from tests.screening.conftest import make_screened
from tests.screening.consenting import make_document, sign, wall
from tests.signing import proof_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, ProtocolVersion, Subject
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.crf.entry import read_texts
from trialsite.crf.items import items_of
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf
from trialsite.labs.entry import read_panel
from trialsite.labs.models import Laboratory
from trialsite.labs.services.panels import save_panel
from trialsite.protocol import CriterionCategory
from trialsite.review.assumptions import confirm_assumptions

#: Forms of a person whom no criterion keeps out.
HISTORY = {
    "cause": "HBV",
    "hbsag": "POSITIVE",
    "failure_type": "ALF",
    "failure_stage": "EARLY",
    "chronic_liver_disease": "false",
    "cirrhosis": "false",
    "ascites_before": "false",
    "varices": "false",
    "transplant_before": "false",
    "dialysis": "false",
    "diabetes": "false",
    "autoimmune": "false",
    "first_symptom_on": "2026-02-20",
}
NO_ALLERGIES = dict.fromkeys(("plasma", "heparin", "protamine", "dmso", "nafamostat"), "NONE")
PERSON = {"birth_date": "1980-05-06", "sex": "M"}

#: As the laboratory of the site prints it: MELD 25 by UNOS.
RESULTS = {"BILI": "320", "PTA": "31", "INR": "1.9", "CREAT": "60", "SODIUM": "137", "CRP": "30"}
UNITS = {
    "BILI": "umol/L",
    "PTA": "%",
    "INR": "{INR}",
    "CREAT": "umol/L",
    "SODIUM": "mmol/L",
    "CRP": "mg/L",
    "FIBRINO": "g/L",
}


def make_candidate(cast: Cast, *, results: Mapping[str, str] = RESULTS, **texts: Any) -> Subject:
    """Somebody who consented, with the screening forms completed and one draw."""
    make_protocol(cast.site, cast.other_site)
    subject: Subject = make_screened(cast.site, cast.nurse)
    document = given(ConsentDocument.objects.first)() or make_document(cast, cast.site)
    sign(cast, subject, document, hours=-5)
    given(subject.refresh_from_db)()
    complete(cast, subject, Demographics, PERSON | texts.get("person", {}))
    complete(cast, subject, MedicalHistory, HISTORY | texts.get("history", {}))
    complete(cast, subject, Allergies, NO_ALLERGIES | texts.get("allergies", {}))
    complete(cast, subject, Examination, examination(subject) | texts.get("examination", {}))
    make_laboratory_of(cast)
    draw(cast, subject, results, units=texts.get("units"))
    return subject


def examination(subject: Subject, **texts: str) -> dict[str, str]:
    at = given(wall)(subject.site, hours=-2).isoformat(timespec="minutes")
    return {"assessed_at": at, "assessor": "Ward physician", "grade": "0"} | texts


def complete(
    cast: Cast,
    subject: Subject,
    table: type[CrfData],
    texts: Mapping[str, str],
    *,
    finished: bool = True,
    record: CrfRecord | None = None,
) -> CrfRecord:
    """Save a form; what its items want beside these texts is not available."""
    record = record or record_of(subject, table.form_oid)
    entry = read_texts(table, _filled(table, texts))
    assert not entry.errors, entry.errors
    with as_person(cast.nurse):
        record.refresh_from_db()
        save_crf(
            record=record,
            entry=entry,
            by=cast.nurse,
            base_version=record.version,
            complete=finished,
            reason="Corrected against the source." if record.version else "",
        )
    given(record.refresh_from_db)()
    return record


def _filled(table: type[CrfData], texts: Mapping[str, str]) -> dict[str, str]:
    wanted = {
        f"{name}.missing": "NAV"
        for name, item in items_of(table).items()
        if item.required and name not in texts
    }
    return {**wanted, **texts}


@given
def record_of(subject: Subject, form_oid: str) -> CrfRecord:
    """The record that the screening visit expects."""
    records = screening_records([subject])[subject.pk]
    return next(each for each in records if each.form_oid == form_oid)


@given
def make_laboratory_of(cast: Cast) -> Laboratory:
    """The laboratory of the site; CRP has a range."""
    found = Laboratory.objects.filter(site=cast.site, code="CENTRAL").first()
    if found is None:
        found = make_laboratory(cast.site)
        make_range(found, "CRP", None, "8", "mg/L")
    return found


def draw(
    cast: Cast,
    subject: Subject,
    results: Mapping[str, str],
    *,
    hours: float = -1,
    units: Mapping[str, str] | None = None,
    record: CrfRecord | None = None,
) -> CrfRecord:
    """Results of one draw, as the nurse transcribes them."""
    at = wall(subject.site, hours=hours).isoformat(timespec="minutes")
    texts: dict[str, str] = {"laboratory": "CENTRAL", "collected_at": at, "specimen": "SERUM"}
    known = UNITS | dict(units or {})
    for analyte, text in results.items():
        texts |= {analyte: text, f"{analyte}.unit": known[analyte]}
    found = record or _new_draw(subject)
    with as_person(cast.nurse):
        entry = read_panel(protocol_of(found.protocol_version_id), texts)
        assert not entry.errors, entry.errors
        save_panel(record=found, entry=entry, by=cast.nurse, base_version=found.version)
    return found


@given
def _new_draw(subject: Subject) -> CrfRecord:
    taken = CrfRecord.objects.filter(subject=subject, form_oid="F.LB", visit=None).count()
    made: CrfRecord = make_record(subject, form_oid="F.LB", repeat_key=taken + 1)
    return made


def confirm_all(cast: Cast, *, but: Iterable[str] = ()) -> ProtocolVersion:
    """Every assumption of the version in force confirmed, except those that begin so."""
    with as_person(cast.investigator):
        version = version_in_force(cast.site)
        paths = [
            each.path
            for each in protocol_of(version.pk).assumptions()
            if not each.path.startswith(tuple(but) or ("-",))
        ]
        confirm_assumptions(
            version=version, paths=paths, by=cast.investigator, proof=proof_of(cast.investigator)
        )
    return version


def live(cast: Cast, subject: Subject, at: dt.datetime | None = None) -> Live:
    with as_person(cast.nurse):
        return live_evaluation(subject, at=at)


def favourable(cast: Cast, subject: Subject) -> dict[str, str]:
    """An answer to every criterion that lets the person in."""
    protocol = live(cast, subject).protocol
    return {
        each.id: "met" if each.category is CriterionCategory.INCLUSION else "not_met"
        for each in protocol.criteria
    }


def decide(
    cast: Cast,
    subject: Subject,
    answers: Mapping[str, str] | None = None,
    *,
    by: User | None = None,
    **said: Any,
) -> EligibilityEvaluation:
    """The sub-investigator signs; favourable answers unless given."""
    person = by or cast.sub_investigator
    given_answers = favourable(cast, subject) if answers is None else answers
    with as_person(person):
        return sign_eligibility(
            subject=subject, answers=given_answers, by=person, proof=proof_of(person), **said
        )
