"""One thing of each kind that an address of the API names, made at a site."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from outcomes.models import UnreportedDeath
from outcomes.services.deputies import name_deputy
from outcomes.services.sae_awareness import Knowledge, record_sponsor_awareness
from outcomes.services.sae_reconciliation import reconcile_cases
from outcomes.services.survival import start_contact
from samples.models import DestructionLine
from samples.services.excursions import note_storage_excursion
from samples.services.expectations import state_not_collected
from screening.models.consent import Scope as ConsentScope
from screening.services.identity import ask_for_identity, keep_identity
from tests.api.filling import texts_for
from tests.factories import (
    as_person,
    given,
    make_entry,
    make_record,
    make_subject,
    make_user,
    make_visit,
)
from tests.labs.conftest import make_laboratory
from tests.labs.importing import HEAD, LONG, rows
from tests.outcomes.conftest import complicated, save_death, save_event, treated
from tests.outcomes.sae.conftest import first_word, sent, signed
from tests.outcomes.test_of_reading_or_result import read, resulted
from tests.samples.bench import (
    aliquoted,
    box_at,
    collected,
    labelled,
    sampled,
    stored,
    technician_at,
)
from tests.samples.shipping import drafted, packed, permitted
from tests.screening.consenting import assess, make_document, wall, withdraw
from tests.screening.consenting import sign as sign_consent
from tests.screening.deciding import confirm_all, decide, make_candidate
from tests.signing import proof_of
from tests.visits.products import load, make_session, received, registered, released
from tests.visits.treating import planned, treatable
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.audit.models import Event
from trialsite.conduct.models import Scope
from trialsite.conduct.services.deviations import DeviationFacts, report_deviation
from trialsite.conduct.services.holds import place_hold
from trialsite.conduct.services.proposals import propose_hold
from trialsite.conduct.services.snapshots import take_snapshot
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.api import slug_of
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import form
from trialsite.crf.services import save_row
from trialsite.exports.packages import request_package
from trialsite.labs.models import Laboratory, PurificationInterval, ReferenceRange
from trialsite.labs.services.imports import prepare_import
from trialsite.labs.services.mappings import keep_mapping
from trialsite.notify.models import Notice
from trialsite.review.services import raise_query
from trialsite.review.signatures import sign
from visits.services.deficiencies import DeficiencyFacts, report_deficiency
from visits.services.event_looks import look_for_events


@given
def everybody_at(site):
    """A person with every capability there is, at one site only."""
    person = make_user(Role.PRINCIPAL_INVESTIGATOR, site)
    others = (
        Role.DATA_MANAGER,
        Role.MONITOR,
        Role.RESEARCH_NURSE,
        Role.SAFETY_OFFICER,
        Role.SAMPLE_TECHNICIAN,
    )
    for role in others:
        Membership.objects.create(user=person, site=site, role=role, valid_from="2026-01-01")
    return person


def signature_under(record, by):
    with as_person(by):
        return sign(
            record=record, kind="x", target=record.pk, content="", meaning="m", by=by,
            proof=proof_of(by),
        )  # fmt: skip


def rows_of_site(cast, operation):
    """Something real of site 001 for each argument of the operation."""
    definition = form(operation.form_oid)
    subject = make_subject(cast.site)
    visit = make_visit(subject)
    record = make_record(subject, form_oid=definition.oid, visit=visit)
    ids = {"subject": subject.pk, "visit": visit.pk, "record": record.pk}
    for name, make in MADE.items():
        if name in operation.arguments:
            ids[name] = make(cast, record)
    if {"consent", "assessment", "withdrawal"} & set(operation.arguments):
        ids |= parts_of_consent(cast, subject)
    if "row" in operation.arguments:
        (group,) = (g for g in definition.groups if f">/{slug_of(g)}/" in operation.route)
        with as_person(cast.nurse):
            entry = read_texts(group, texts_for(group))
            ids["row"] = save_row(record=record, group=group, entry=entry, by=cast.nurse).row.pk
    if names := {"laboratory", "range", "purification"} & {*operation.arguments}:
        ids |= laboratory_rows(cast.site, subject, names)
    return ids | _together(cast, subject, set(operation.arguments))


def _together(cast, subject, arguments):
    """What belongs to something else that the address names, too."""
    ids: dict[str, Any] = {}
    if "look" in arguments:
        ids |= looked_after(cast, subject)
    if {"mapping", "lab_import"} & arguments:
        ids |= imported(cast, subject)
    if {"entry", "disclosure"} & arguments:
        ids |= identity_of_site(cast)
    return ids


def looked_after(cast, subject):
    """A session that has ended, and the look after it."""
    session = treated(subject, cast.nurse)
    with as_person(cast.nurse):
        look = look_for_events(session=session, finding="nothing", by=cast.nurse)
    return {"session": session.pk, "look": look.pk}


def imported(cast, subject):
    """A mapping of site 001's laboratory, and a file prepared by it."""
    laboratory = make_laboratory(cast.site)
    with as_person(cast.data_manager):
        mapping = keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
        found = prepare_import(
            laboratory=laboratory,
            content=(HEAD + rows(subject, "K,4.1,mmol/L")).encode(),
            filename="a.csv",
            by=cast.data_manager,
        )
    return {"mapping": mapping.pk, "lab_import": found.pk}


def query_on(cast, record):
    with as_person(cast.data_manager):
        return raise_query(record=record, item_oid="", text="?", by=cast.data_manager).pk


def hold_at(cast, record):
    by = cast.investigator
    with as_person(by):
        return place_hold(site=record.site, scope=Scope.BOTH, reason="x", by=by).pk


def contact_with(cast, record):
    with as_person(cast.nurse):
        return start_contact(subject=record.subject, by=cast.nurse).pk


def snapshot_of(cast, record):
    by = cast.investigator
    with as_person(by):
        return take_snapshot(version=record.protocol_version, purpose="x", by=by).pk


def evaluation_of(cast, _record):
    candidate = make_candidate(cast)
    confirm_all(cast)
    return decide(cast, candidate, {"EX06": "met"}).pk


@given
def reminder_at(cast, record):
    now = trial_now()
    moments = {"due_at": now, "send_at": now, "try_at": now}
    of_site = {"site": record.site, "recipient": cast.nurse}
    return Notice.objects.create(
        kind="test", dedupe_key=f"test:{record.pk}", **of_site, **moments
    ).pk


def deviation_of(subject, nurse):
    facts = DeviationFacts(
        description="x",
        importance="minor",
        categories=["data"],
        occurred_on=None,
        discovered_on=dt.date(2026, 3, 1),
    )
    with as_person(nurse):
        return report_deviation(site=subject.site, subject=subject, facts=facts, by=nurse).pk


def movement_at(cast, _record):
    return received(cast, registered(cast)).pk


def loaded_at(cast, record):
    lot = released(cast)
    received(cast, lot)
    return load(cast, make_session(record.subject), lot).pk


def complication_of(cast, record):
    return complicated(treated(record.subject, cast.nurse), cast.nurse).pk


def reading_of(cast, record):
    return read(treated(record.subject, cast.nurse), cast.nurse).pk


def result_of(_cast, record):
    return resulted(record.subject).pk


def term_of(cast, record):
    event = make_record(record.subject, form_oid="F.AE")
    save_event(event, cast.nurse)
    return event.pk


@given
def proposal_at(_cast, record):
    return propose_hold(site=record.site, rule="", reason="x", key="x").pk


def deficiency_at(cast, record):
    facts = DeficiencyFacts(
        component="MACHINE",
        description="x",
        occurred_on=PartialDate.parse("2026-03"),
        phase="TREATMENT",
        harm=False,
        could_have_led=False,
        whereabouts="IN USE",
    )
    with as_person(cast.nurse):
        return report_deficiency(site=record.site, facts=facts, by=cast.nurse).pk


def case_of(cast, record):
    return first_word(record.subject, cast.nurse)


def safety_report_of(cast, record):
    return signed(case_of(cast, record), cast.sub_investigator)


def receipt_of(cast, record):
    report = safety_report_of(cast, record)
    with as_person(cast.nurse):
        now = trial_now()
    return sent(report, "sponsor", now, cast.nurse)


def awareness_of(cast, record):
    case = case_of(cast, record)
    with as_person(cast.nurse):
        knowledge = Knowledge(known_at=trial_now(), source="call", told="Ward to duty line")
        return record_sponsor_awareness(case=case, knowledge=knowledge, by=cast.nurse)


@given
def custody_of(cast):
    return collected(sampled(cast), cast.nurse).custody.get()


def statement_of(cast):
    visit = sampled(cast)
    with as_person(cast.nurse):
        return state_not_collected(visit=visit, kind="URINE", reason="refused", by=cast.nurse)


def line_of(cast):
    by, visit = technician_at(cast.site), sampled(cast)
    aliquot = stored(visit, by, box_at(cast.site, by))
    return packed(drafted(cast.site, by), by, aliquot)[0]


def listed_of(cast):
    """A sample that is to be destroyed after a withdrawal."""
    visit = sampled(cast)
    collected(visit, cast.nurse)
    withdraw(cast, visit.subject, ConsentScope.SAMPLES)
    with as_person(cast.nurse):
        return DestructionLine.objects.get(subject=visit.subject)


def excursion_of(cast):
    by, box = technician_at(cast.site), box_of(cast)
    with as_person(by):
        return note_storage_excursion(
            where=box, began_at=wall(cast.site), celsius=Decimal(-40), what="x", by=by
        )


def box_of(cast):
    return box_at(cast.site, technician_at(cast.site))


def unreported_death_of(cast, record):
    save_death(record.subject, cast.nurse, died_on="2026-03-01")
    with as_person(cast.nurse):
        return UnreportedDeath.objects.get(subject=record.subject).pk


def deputy_at(cast, record):
    by = cast.sub_investigator
    with as_person(by):
        today = trial_today(record.site.time_zone)
        return name_deputy(
            site=record.site, person=by, deputy=cast.nurse, first_day=today, last_day=today, by=by
        ).pk


def reconciled(cast, record):
    """A comparison of the study with a line of site 001."""
    first_word(record.subject, cast.nurse)
    officer = make_user(Role.SAFETY_OFFICER)
    with as_person(officer):
        return reconcile_cases(text="subject,term\n001-9,Fall\n", source="DB", by=officer)


def reconciled_line(cast, record):
    run = reconciled(cast, record)
    with as_person(make_user(Role.SAFETY_OFFICER)):
        return run.lines.exclude(site=None).first().pk


def package_of(cast):
    with as_person(cast.data_manager):
        return request_package(by=cast.data_manager)


@given
def event_of(record):
    """Something in the trail about a subject of site 001."""
    return Event.objects.filter(record_id=record.pk).latest("eid").pk


#: What one argument needs, made of a record of site 001.
MADE = {
    "query": query_on,
    "hold": hold_at,
    "snapshot": snapshot_of,
    "reminder": reminder_at,
    "signature": lambda cast, record: signature_under(record, cast.sub_investigator).pk,
    "deviation": lambda cast, record: deviation_of(record.subject, cast.nurse),
    "evaluation": evaluation_of,
    "session": lambda cast, _record: planned(cast, treatable(cast)).pk,
    "movement": movement_at,
    "loaded": loaded_at,
    "complication": complication_of,
    "contact": contact_with,
    "reading": reading_of,
    "result": result_of,
    "term": term_of,
    "proposal": proposal_at,
    "deficiency": deficiency_at,
    "case": lambda cast, record: case_of(cast, record).pk,
    "report": lambda cast, record: safety_report_of(cast, record).pk,
    "awareness": lambda cast, record: awareness_of(cast, record).pk,
    "receipt": lambda cast, record: receipt_of(cast, record).pk,
    "specimen": lambda cast, _record: labelled(sampled(cast), cast.nurse)[0].pk,
    "aliquot": lambda cast, _record: aliquoted(sampled(cast), cast.nurse)[0].pk,
    "custody": lambda cast, _record: custody_of(cast).pk,
    "statement": lambda cast, _record: statement_of(cast).pk,
    "shipment": lambda cast, _record: drafted(cast.site, technician_at(cast.site)).pk,
    "line": lambda cast, _record: line_of(cast).pk,
    "destruction": lambda cast, _record: listed_of(cast).destruction_id,
    "listed": lambda cast, _record: listed_of(cast).pk,
    "excursion": lambda cast, _record: excursion_of(cast).pk,
    "permission": lambda cast, _record: permitted(cast).pk,
    "freezer": lambda cast, _record: box_of(cast).rack.freezer_id,
    "box": lambda cast, _record: box_of(cast).pk,
    "death": unreported_death_of,
    "deputy": deputy_at,
    "reconciliation": lambda cast, record: reconciled(cast, record).pk,
    "difference": reconciled_line,
    "event": lambda _cast, record: event_of(record),
    "package": lambda cast, _record: package_of(cast).pk,
}


def parts_of_consent(cast, subject):
    """A consent, an assessment and a withdrawal of site 001's subject."""
    made = {
        "consent": sign_consent(cast, subject, make_document(cast, cast.site)),
        "assessment": assess(cast, subject, "present"),
        "withdrawal": withdraw(cast, subject, ConsentScope.CONTACT),
    }
    return {name: part.pk for name, part in made.items()}


@given
def laboratory_rows(site, subject, names):
    laboratory = Laboratory.objects.create(site=site, code="CENTRAL", name="Central")
    ids = {"laboratory": laboratory.pk}
    if "range" in names:
        ids["range"] = ReferenceRange.objects.create(
            site=site,
            laboratory=laboratory,
            analyte="K",
            low=Decimal(3),
            unit="mmol/L",
            valid=("2026-01-01", None),
        ).pk
    if "purification" in names:
        ids["purification"] = PurificationInterval.objects.create(
            site=site,
            subject=subject,
            kind="PE",
            source="earlier",
            started_at="2026-03-01T10:00",
            time_zone="Asia/Shanghai",
        ).pk
    return ids


def identity_of_site(cast):
    """An entry of the screening log whose identifiers were just asked for."""
    entry = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        keep_identity(entry_id=entry.pk, site=cast.site, name="Canary", by=cast.nurse)
        asked = ask_for_identity(entry_id=entry.pk, reason="x", by=cast.nurse)
    return {"entry": entry.pk, "disclosure": asked}
