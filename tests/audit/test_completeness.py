"""No table of the trial is forgotten by a guard, and each exception has its reason."""

from __future__ import annotations

import psycopg
import pytest
from django.apps import apps
from django.db import connection, models

from tests.audit.conftest import act_as
from tests.factories import make_record, make_subject, make_visit
from trialsite.audit.models import Event
from trialsite.casebook.models import Subject
from trialsite.core.guards import guard_of, guarded_models

ALL = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]

#: Tables without an audit trail. A new one is argued here as well as on its guard.
UNAUDITED = {
    "account.EmailConfirmation",
    "access.IdempotentAnswer",
    "access.SignInAttempt",
    "audit.Event",
    "auth.Group",
    "auth.Group_permissions",
    "auth.Permission",
    "contenttypes.ContentType",
    "crf.Draft",
    "dashboard.OwedForm",
    "notify.DeliveryAttempt",
    "notify.Notice",
    "notify.Planning",
    "screening.EligibilityDraft",
    "screening.StudyEnrolment",
    "sessions.Session",
}
#: Tables with a site whose rows are visible beyond it.
UNSCOPED = {
    "access.ApiToken",
    "access.Membership",
    "casebook.SiteProtocolApproval",
    "notify.Notice",
}
#: Tables from which the application may remove rows; none holds the trial's data.
DELETABLE = {
    "account.EmailAddress",
    "crf.Draft",
    "mfa.Authenticator",
    "screening.EligibilityDraft",
    "sessions.Session",
}


def label(model: type[models.Model]) -> str:
    return model._meta.label


def has(model: type[models.Model], column: str) -> bool:
    return column in {each.column for each in model._meta.concrete_fields}


OF_A_SITE = [model for model in ALL if has(model, "site_id")]
OF_A_SUBJECT = [model for model in OF_A_SITE if has(model, "subject_id") and model is not Event]


@pytest.mark.requirement("AT1")
@pytest.mark.parametrize("model", ALL, ids=label)
def test_every_table_says_how_it_is_protected(model):
    assert guard_of(model) is not None


@pytest.mark.requirement("AT1")
def test_what_is_not_audited_stands_in_the_list_with_its_reason():
    found = {model._meta.label for model, guard in guarded_models() if guard.unaudited}
    assert found == UNAUDITED


@pytest.mark.requirement("CC4")
def test_the_application_removes_rows_of_no_trial_data():
    assert {model._meta.label for model, guard in guarded_models() if guard.deletable} == DELETABLE


@pytest.mark.requirement("CC4")
def test_the_application_can_neither_delete_nor_truncate_nor_hang_triggers_on_trial_data(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::integer")
        privileges = ["DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
        privileges += ["MAINTAIN"] if cursor.fetchone()[0] >= 170_000 else []
        cursor.execute(
            "SELECT c.relname, p FROM pg_class c, unnest(%s::text[]) p "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' "
            "AND has_table_privilege('trialsite_app', c.oid, p)",
            [privileges],
        )
        found = set(cursor.fetchall())
    tables = {apps.get_model(each)._meta.db_table for each in DELETABLE}
    assert found == {(table, "DELETE") for table in tables}


@pytest.mark.requirement("IA2")
@pytest.mark.parametrize("model", OF_A_SITE, ids=label)
def test_rows_of_a_site_are_under_forced_row_level_security(model, db):
    guard = guard_of(model)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
            [model._meta.db_table],
        )
        forced = cursor.fetchone()[0]
    assert guard is not None
    assert guard.site == "site_id"
    assert forced == (model._meta.label not in UNSCOPED)
    assert bool(guard.unscoped) == (model._meta.label in UNSCOPED)


@pytest.mark.requirement("IA2")
@pytest.mark.parametrize("model", OF_A_SUBJECT, ids=label)
def test_rows_of_a_subject_have_the_key_that_keeps_them_in_its_site(model, db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype = 'f'",
            [model._meta.db_table],
        )
        keys = [row[0] for row in cursor.fetchall()]
    held = [key for key in keys if key.startswith("FOREIGN KEY (site_id, subject_id")]
    assert held
    assert all("ON UPDATE CASCADE" in key for key in held)


@pytest.mark.requirement("IA2")
@pytest.mark.parametrize("model", OF_A_SUBJECT, ids=label)
def test_not_even_the_owner_puts_a_row_into_another_site_than_its_subject(model, study, owner):
    act_as(owner, study.cast.site.pk, study.cast.other_site.pk)
    table = model._meta.db_table
    given = {
        "site_id": study.cast.other_site.pk,
        "subject_id": study.ours.pk,
        "record_id": study.record.pk,
    }
    mine = {name: value for name, value in given.items() if has(model, name)}
    values = _columns(owner, table) | mine
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(["%s"] * len(values))
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="same_site"):
        owner.execute(
            f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({places})",
            list(values.values()),
        )


#: What a table's own constraints ask for beside a plausible value of its type.
_KNOWN: dict[str, dict[str, object]] = {
    "crf_coding": {"dictionary": "MedDRA"},
    "screening_eligibilityevaluation": {
        "decision": "ineligible",
        "against": ["EX06"],
        "content_hash": "0" * 64,
    },
    "samples_destructionline": {"outcome": "", "event_id": None},
    "screening_criterionanswer": {"state": "met", "answer": "met"},
    "screening_screeningentry": {"outcome": "open", "source": "ward", "comment": ""},
    "casebook_visit": {
        "status": "planned",
        **dict.fromkeys(("mode", "missed_reason", "not_required_cause"), ""),
    },
    "casebook_scheduleclosing": {"cause": "withdrawal", "status_before": ""},
    "screening_consent": {"kind": "initial", "signer": "participant", "relation": ""},
    "screening_capacityassessment": {"outcome": "present", "he_grade": "II"},
    "screening_withdrawal": {
        "scopes": "{treatment}",
        "stated_by": "participant",
        "relation": "",
    },
    "labs_labpanel": dict.fromkeys(("specimen", "timepoint", "significance", "comment"), ""),
    "labs_labresult": {
        **dict.fromkeys(("missing", "comparator", "flag", "significance", "unit"), ""),
        "canonical_unit": "",
    },
    "visits_eventlook": {"finding": "nothing"},
    "conduct_proposedhold": {"status": "open", "dismiss_reason": ""},
    "visits_devicedeficiency": {
        "component": "MACHINE",
        "occurred_on": "2026",
        "phase": "TREATMENT",
        "whereabouts": "IN USE",
        "void_reason": "",
    },
    "conduct_deviation": {
        "origin": "proposed",
        "status": "proposed",
        **dict.fromkeys(("importance", "dismiss_reason"), ""),
    },
    "visits_loadedproduct": {"viable_cells": 1, "checked_by_id": 2, "reactor_serial": "R"},
    "visits_treatmentsession": {
        "modality": '["PE"]',
        **dict.fromkeys(("stop_reason", "stop_comment"), ""),
    },
    "visits_checklistanswer": {"override_reason": ""},
    "outcomes_saecase": {
        "suspected": "unknown",
        "standing": "serious",
        **dict.fromkeys(
            (
                "close_reason",
                "expedited",
                "expedited_reason",
                "expedited_of",
                "agreed_reason",
                "eases_reason",
                "eased_reason",
            ),
            "",
        ),
    },
    "outcomes_furtherword": {"suspected": "unknown"},
    "outcomes_sponsorawareness": {"source": "call"},
    "outcomes_voidedacknowledgement": {"void_reason": "mistake"},
    "outcomes_unreporteddeath": {"settled_reason": ""},
    "outcomes_saedeadline": {"recipient": "sponsor", "replace_reason": ""},
    "outcomes_saereport": {
        "kind": "initial",
        "number": 0,
        "counts_as": 0,
        "content_hash": "a" * 64,
    },
    "outcomes_saereportpdf": {"sha256": "a" * 64},
    "outcomes_saereceipt": {"recipient": "sponsor", "way": "mail", "receipt_number": ""},
    "outcomes_saereconciliationline": {"found": "agrees", "decision": ""},
    "samples_specimen": {
        "state": "prepared",
        **dict.fromkeys(("draw_site", "urine_method", "dipstick", "void_reason"), ""),
    },
    "samples_aliquot": {"state": "made", "thaws": 0},
    "samples_custodyevent": {"kind": "lost", "time_zone": "UTC"},
    "samples_notcollected": {"reason": "refused"},
    "samples_shipmentline": {
        "state": "packed",
        "unexpected": False,
        "in_box": False,
        **dict.fromkeys(("condition", "explanation"), ""),
    },
    "labs_purificationinterval": {"kind": "PE", "source": "earlier"},
}

#: Columns that may be empty, and are not in a plausible row.
_FILLED: dict[str, dict[str, object]] = {
    "samples_shipmentline": {"aliquot_id": "00000000-0000-4000-8000-000000000001"},
}


def _columns(owner: psycopg.Connection, table: str) -> dict[str, object]:
    """A plausible value for every column that must have one."""
    samples: dict[str, object] = {
        "uuid": "00000000-0000-4000-8000-000000000001",
        "jsonb": "{}",
        "boolean": False,
        "timestamp with time zone": "2026-01-01",
        "timestamp without time zone": "2026-01-01",
        "date": "2026-01-01",
        "ARRAY": "{}",
    }
    rows = owner.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = "
        "'public' AND table_name = %s AND is_nullable = 'NO'",
        [table],
    ).fetchall()
    known = {"lock_state": "open", "status": "planned", "not_done_reason": "", "void_reason": ""}
    if table == "casebook_attachment":
        known |= {"kind": "other", "media_type": "application/pdf", "sha256": "a" * 64}
    if table == "casebook_crfrecord":
        known["status"] = "not_started"
    if table == "review_query":
        known["status"] = "open"
    if table == "review_signature":
        known |= {"seal": "a" * 64, "sense": "review"}
    further = {**known, **_KNOWN.get(table, {})}
    return {
        name: further.get(name, samples.get(kind, 1 if "int" in kind else "x"))
        for name, kind in rows
    } | _FILLED.get(table, {})


@pytest.mark.requirement("AT1")
def test_every_audited_table_reports_what_is_entered(study, owner):
    """The one trigger stands on each table with the very columns of its model."""
    for model, guard in guarded_models():
        if guard.unaudited:
            continue
        pk = model._meta.pk
        assert pk is not None
        (definition,) = owner.execute(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'audit' "
            "AND tgrelid = %s::regclass AND tgenabled = 'A'",
            [model._meta.db_table],
        ).fetchone()
        assert "AFTER INSERT OR DELETE OR UPDATE" in definition
        assert "FOR EACH ROW EXECUTE FUNCTION trialsite.record_event(" in definition
        assert f"record_event('{pk.column}', '{guard.site}'" in definition
        for column in filter(None, (guard.site, guard.subject, guard.record)):
            assert has(model, column), (model, column)
        assert all(has(model, column) for column in guard.secret)


@pytest.mark.requirement("AT1")
def test_what_is_entered_into_the_casebook_names_its_subject_and_record(cast):
    from trialsite.access.context import system_context
    from trialsite.core.context import Channel, acting

    subject = make_subject(cast.site)
    record = make_record(subject, visit=make_visit(subject))
    with acting(system_context("tests", Channel.COMMAND)):
        events = Event.objects.filter(subject_id=subject.pk).order_by("eid")
        assert [event.table_name for event in events] == [
            Subject._meta.db_table,
            "casebook_visit",
            "casebook_crfrecord",
        ]
        assert {event.site_id for event in events} == {cast.site.pk}
        assert [event.record_id for event in events][-1] == record.pk
