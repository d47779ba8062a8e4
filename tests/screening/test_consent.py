"""Consent as the trial needs it: whose it is, how it lapses, and what that stops."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from screening.models import Consent
from screening.models.consent import CapacityOutcome, ConsentKind, Scope, Signer
from screening.selectors.consent import (
    consent_fact,
    dated_before_consent,
    reconsent_due,
    standing_of,
    withdrawn_scopes,
)
from screening.services.consent import (
    ProcedureRefusedError,
    add_consent,
    complete_consent,
    give_consent,
    procedures_refusal,
    require_procedure_allowed,
)
from screening.services.consent_records import FieldsError, void_part
from screening.tasks import mark_consent_states
from tests.factories import (
    as_person,
    given,
    make_entry,
    make_protocol,
    make_record,
    make_subject,
    make_user,
)
from tests.screening.consenting import (
    an_act,
    approve,
    assess,
    consented,
    make_document,
    resume,
    sign,
    wall,
    withdraw,
)
from trialsite.access.capabilities import Role
from trialsite.audit.models import Event
from trialsite.casebook.models import ConsentState, LockState, RecordStatus, Subject, SubjectStatus
from trialsite.conduct.models import Deviation
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf
from visits.models import VitalSigns

DAY = dt.timedelta(days=1)


@pytest.fixture
def document(cast):
    make_protocol(cast.site, cast.other_site)
    return make_document(cast, cast.site, cast.other_site)


def state_of(subject) -> str:
    return given(lambda: Subject.objects.get(pk=subject.pk).consent_state)()


def fact_of(cast, subject):
    with as_person(cast.nurse):
        return consent_fact(Subject.objects.select_related("site").get(pk=subject.pk))


def refusal(cast, subject, scope=Scope.TREATMENT) -> str:
    with as_person(cast.nurse):
        return procedures_refusal(
            Subject.objects.select_related("site").get(pk=subject.pk), scope=scope
        )


def enter_vital_signs(cast, subject, **texts):
    record = make_record(subject, repeat_key=len(given(lambda: list(subject.records.all()))()) + 1)
    entry = read_texts(VitalSigns, {"assessed_at": "2026-03-05T14:30", "systolic": "118"} | texts)
    with as_person(cast.nurse):
        return save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)


# -- The subject comes with consent ----------------------------------------------------


def test_a_person_of_the_log_appears_as_a_subject_with_their_consent(cast, document):
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    with as_person(cast.nurse):
        act = an_act(cast, cast.site, document, hours=-1)
        consent = give_consent(entry=entry, act=act, by=cast.nurse)
        subject = consent.subject
        assert subject.screening_number == entry.number
        assert Subject.objects.get(pk=subject.pk).consent_state == ConsentState.GIVEN
        assert consent.record.status == RecordStatus.COMPLETE
        fact = consent_fact(subject)
    assert fact is not None
    assert (fact.signer, fact.version, fact.valid) == ("participant", "1.0", True)
    assert fact.given_on == act.signed_at.date()


def test_a_refused_consent_leaves_no_subject_behind(cast, document):
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    late = make_document(cast, version="2.0")
    with as_person(cast.nurse), pytest.raises(FieldsError) as refused:
        give_consent(entry=entry, act=an_act(cast, cast.site, late), by=cast.nurse)
    assert list(refused.value.errors) == ["document"]
    with as_person(cast.nurse):
        assert not Subject.objects.exists()
        entry.refresh_from_db()
        assert entry.subject_id is None


def test_a_first_consent_by_a_representative_is_kept_and_is_not_the_participants(cast, document):
    """Decisions C4, criterion IN08: the truth stays, the criterion is not met."""
    entry = make_entry(cast.site, cast.nurse, first_contact_on=wall(cast.site, days=-30).date())
    with as_person(cast.nurse):
        act = an_act(cast, cast.site, document, signer=Signer.REPRESENTATIVE, relation="wife")
        consent = give_consent(entry=entry, act=act, by=cast.nurse)
    fact = fact_of(cast, consent.subject)
    assert (fact.signer, fact.valid) == ("representative", False)
    assert "must be the participant's own" in refusal(cast, consent.subject)
    assess(cast, consent.subject, CapacityOutcome.PRESENT)
    own = sign(cast, consent.subject, document, kind=ConsentKind.OWN)
    fact = fact_of(cast, consent.subject)
    assert (fact.signer, fact.valid, fact.given_at) == ("participant", True, own.at)
    assert refusal(cast, consent.subject) == ""


def test_the_first_consent_is_given_once_even_behind_the_services_back(cast, document):
    subject = consented(cast, document)
    with as_person(cast.nurse):
        act = an_act(cast, cast.site, document)
        with pytest.raises(FieldsError) as refused:
            add_consent(subject=subject, act=act, by=cast.nurse)
        assert list(refused.value.errors) == ["kind"]
        row = Consent.objects.get(subject=subject)
        row.pk, row.record = None, make_record(subject, form_oid="F.IC", repeat_key=9)
        with pytest.raises(DatabaseError, match="given once"), transaction.atomic():
            row.save(force_insert=True)


# -- Documents, sites, days and languages ----------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Urumqi", "Pacific/Kiritimati", "America/Adak"])
def test_a_document_counts_from_its_effective_day_on_the_sites_own_calendar(cast, zone):
    make_protocol(cast.site)
    cast.site.time_zone = zone
    given(lambda: cast.site.save())()
    document = make_document(cast)
    on = wall(cast.site, days=-10).date()
    approve(cast, cast.site, document, on=on)
    midnight = dt.datetime.combine(on, dt.time())
    for signed_at, stands in (
        (midnight - dt.timedelta(minutes=1), False),
        (midnight, True),
        (midnight + DAY, True),
    ):
        subject = make_subject(cast.site)
        with as_person(cast.nurse):
            act = an_act(cast, cast.site, document, signed_at=signed_at)
            if stands:
                assert add_consent(subject=subject, act=act, by=cast.nurse).pk
            else:
                with pytest.raises(FieldsError) as refused:
                    add_consent(subject=subject, act=act, by=cast.nurse)
                assert list(refused.value.errors) == ["document"]


@pytest.mark.requirement("CC3")
def test_a_document_approved_elsewhere_counts_for_nothing_here(cast):
    make_protocol(cast.site)
    document = make_document(cast, cast.other_site)
    subject = make_subject(cast.site)
    with as_person(cast.nurse), pytest.raises(FieldsError) as refused:
        add_consent(subject=subject, act=an_act(cast, cast.site, document), by=cast.nurse)
    assert "not in force at this site" in refused.value.errors["document"][0]


def test_a_version_supersedes_only_its_own_language(cast, document):
    english = make_document(cast, cast.site, language="en", days=-90)
    make_document(cast, cast.site, version="2.0", days=-5)
    for old, allowed in ((document, False), (english, True)):
        subject = make_subject(cast.site)
        with as_person(cast.nurse):
            act = an_act(cast, cast.site, old)
            if allowed:
                add_consent(subject=subject, act=act, by=cast.nurse)
            else:
                with pytest.raises(FieldsError, match="not in force"):
                    add_consent(subject=subject, act=act, by=cast.nurse)


def test_not_even_plain_sql_records_a_consent_under_a_document_not_in_force(cast, document):
    subject = consented(cast, document)
    future = make_document(cast, cast.site, version="9", days=30)
    with as_person(cast.nurse):
        row = Consent.objects.get(subject=subject)
        row.pk, row.kind, row.document = None, ConsentKind.RECONSENT, future
        row.record = make_record(subject, form_oid="F.IC", repeat_key=9)
        with pytest.raises(DatabaseError, match="not in force"), transaction.atomic():
            row.save(force_insert=True)


def test_a_signed_consent_is_never_rewritten(cast, document):
    subject = consented(cast, document)
    earlier = dt.datetime.fromisoformat("2026-01-01T08:00")
    changes = {
        "witness": "nobody",
        "signed_at": earlier,
        "copy_given": False,
        "data_sharing": False,
    }
    for column, value in changes.items():
        refused = pytest.raises(DatabaseError, match="never rewritten")
        with as_person(cast.nurse), because("x"), refused, transaction.atomic():
            Consent.objects.filter(subject=subject).update(**{column: value})


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"hours": 1}, "signed_at"),
        ({"signer": ""}, "signer"),
        ({"signer": Signer.REPRESENTATIVE}, "relation"),
        ({"kind": ConsentKind.RECONSENT}, "kind"),
        ({"kind": "nonsense"}, "kind"),
        ({"resumes": ("treatment",)}, "resumes"),
    ],
)
def test_what_cannot_stand_is_said_beside_its_field(cast, document, said, field):
    subject = make_subject(cast.site)
    with as_person(cast.nurse), pytest.raises(FieldsError) as refused:
        add_consent(subject=subject, act=an_act(cast, cast.site, document, **said), by=cast.nurse)
    assert list(refused.value.errors) == [field]


def test_only_a_delegated_investigator_of_that_day_explains(cast, document):
    late = make_user(Role.SUB_INVESTIGATOR, cast.other_site)
    subject = make_subject(cast.site)
    for person in (cast.nurse, cast.monitor, late):
        with pytest.raises(FieldsError) as refused:
            sign(cast, subject, document, explained_by=person)
        assert list(refused.value.errors) == ["explained_by"]


def test_a_representative_continues_only_after_capacity_was_found_lost(cast, document):
    subject = consented(cast, document)
    continued = {"kind": ConsentKind.REPRESENTATIVE, "signer": Signer.REPRESENTATIVE}
    with pytest.raises(FieldsError, match="found capacity lost"):
        sign(cast, subject, document, **continued)
    assess(cast, subject, CapacityOutcome.LOST, grade="IV", hours=-2)
    with pytest.raises(FieldsError, match="found capacity lost"):
        sign(cast, subject, document, hours=-3, **continued)
    assert sign(cast, subject, document, hours=-1, **continued).kind == ConsentKind.REPRESENTATIVE


def test_a_consent_is_complete_with_the_copy_and_every_answer(cast, document):
    subject = make_subject(cast.site)
    consent = sign(cast, subject, document, copy_given=False, data_sharing=None)
    assert consent.record.status == RecordStatus.IN_PROGRESS
    with as_person(cast.nurse):
        half = complete_consent(consent=consent, by=cast.nurse, copy_given=True)
        assert half.record.status == RecordStatus.IN_PROGRESS
        done = complete_consent(
            consent=consent,
            by=cast.nurse,
            copy_given=False,
            options={"data_sharing": True, "future_use": False},
        )
        assert (done.record.status, done.data_sharing) == (RecordStatus.COMPLETE, True)
        assert (done.copy_given, done.future_use) == (True, True)
        with pytest.raises(TransitionError, match="Nothing is missing"):
            complete_consent(consent=consent, by=cast.nurse, copy_given=True)


# -- Capacity, re-consent, procedures --------------------------------------------------


def test_hepatic_coma_and_a_new_version_stop_procedures_and_no_observation(cast, document):
    """The acceptance of decisions C4, from grade II to the participant's own consent again."""
    subject = make_subject(cast.site)
    assess(cast, subject, CapacityOutcome.PRESENT, grade="II", days=-21)
    sign(cast, subject, document, days=-20, named_representative="wife")
    assert refusal(cast, subject) == ""
    assess(cast, subject, CapacityOutcome.LOST, grade="IV", days=-3)
    second = make_document(cast, cast.site, version="2.0", days=-2, reconsent=True)
    assert state_of(subject) == ConsentState.RECONSENT_DUE
    saved = enter_vital_signs(cast, subject)
    assert saved.record.version == 1
    reason = refusal(cast, subject)
    assert "encephalopathy IV" in reason
    assert "version 2.0 is due" in reason
    with as_person(cast.nurse), pytest.raises(ProcedureRefusedError, match="no representative"):
        require_procedure_allowed(subject=subject, by=cast.nurse, procedure="session")
    sign(
        cast,
        subject,
        second,
        days=-1,
        kind=ConsentKind.REPRESENTATIVE,
        signer=Signer.REPRESENTATIVE,
    )
    assert refusal(cast, subject) == ""
    assess(cast, subject, CapacityOutcome.PRESENT, grade="0", hours=-5)
    assert "own consent is due" in refusal(cast, subject)
    assert state_of(subject) == ConsentState.RECONSENT_DUE
    assert enter_vital_signs(cast, subject).record.version == 1
    sign(cast, subject, second, hours=-1, kind=ConsentKind.OWN)
    assert refusal(cast, subject) == ""
    assert state_of(subject) == ConsentState.GIVEN
    assert fact_of(cast, subject).signer == "participant"


@pytest.mark.parametrize("withdrawn", [False, True])
def test_an_attempted_procedure_is_put_before_the_site_as_a_deviation_once_a_day(
    cast, document, withdrawn
):
    subject = make_subject(cast.site)
    if withdrawn:
        sign(cast, subject, document, hours=-1)
        withdraw(cast, subject, Scope.ALL_DATA)
    with as_person(cast.nurse):
        for _ in range(2):
            with pytest.raises(ProcedureRefusedError) as refused:
                require_procedure_allowed(subject=subject, by=cast.nurse, procedure="session")
            refused.value.propose()
        (deviation,) = Deviation.objects.filter(subject=subject)
        assert (deviation.kind, deviation.importance) == ("procedure_without_consent", "major")
        assert str(refused.value) in deviation.description
        assert Event.objects.filter(act="procedure_refused", subject_id=subject.pk).count() == 2


@pytest.mark.parametrize("outcome", [CapacityOutcome.LOST, CapacityOutcome.FLUCTUATING])
def test_capacity_that_cannot_be_relied_on_counts_as_lost(cast, document, outcome):
    subject = consented(cast, document)
    assert fact_of(cast, subject).capacity == "unknown"
    assess(cast, subject, outcome, grade="III")
    assert fact_of(cast, subject).capacity == "lost"
    assert "Capacity to consent was lost" in refusal(cast, subject)
    assert fact_of(cast, subject).reconsent_due is False


@pytest.mark.parametrize(
    ("reconsent", "days", "status", "due"),
    [
        (True, 0, SubjectStatus.SCREENING, True),
        (True, 1, SubjectStatus.SCREENING, False),
        (False, -1, SubjectStatus.SCREENING, False),
        (True, -1, SubjectStatus.ENROLLED, True),
        (True, -1, SubjectStatus.COMPLETED, False),
        (True, -1, SubjectStatus.DIED, False),
    ],
)
def test_who_owes_a_new_consent(cast, document, reconsent, days, status, due):
    subject = consented(cast, document)
    given(lambda: Subject.objects.filter(pk=subject.pk).update(status=status))()
    second = make_document(cast, cast.site, version="2.0", days=days, reconsent=reconsent)
    with as_person(cast.nurse):
        lines = reconsent_due([cast.site.pk])
    assert [line.subject for line in lines] == ([subject] if due else [])
    if due:
        assert lines[0].since == wall(cast.site, days=days).date()
        sign(cast, subject, second, kind=ConsentKind.RECONSENT)
        with as_person(cast.nurse):
            assert reconsent_due([cast.site.pk]) == []


def test_a_later_version_makes_the_skipped_one_no_longer_owed(cast, document):
    subject = consented(cast, document)
    make_document(cast, cast.site, version="2.0", days=-5, reconsent=True)
    third = make_document(cast, cast.site, version="3.0", days=-2)
    sign(cast, subject, third, kind=ConsentKind.RECONSENT)
    assert fact_of(cast, subject).reconsent_due is False


def test_a_late_translation_of_the_old_version_follows_nothing(cast, document):
    subject = consented(cast, document)
    make_document(cast, cast.site, version="2.0", days=-5, reconsent=True)
    make_document(cast, cast.site, language="en", days=-2)
    assert fact_of(cast, subject).reconsent_due is True


def test_the_nightly_task_changes_only_what_is_behind_and_nothing_the_second_time(cast, document):
    subject = consented(cast, document)
    given(lambda: Subject.objects.filter(pk=subject.pk).update(consent_state="none"))()
    assert fact_of(cast, subject).valid is True
    assert mark_consent_states() == 1
    assert state_of(subject) == ConsentState.GIVEN
    assert mark_consent_states() == 0


def test_the_due_list_costs_the_same_for_any_number_of_subjects(
    cast, document, django_assert_num_queries
):
    for _ in range(2):
        consented(cast, document)
    make_document(cast, cast.site, version="2.0", days=-1, reconsent=True)
    with as_person(cast.nurse), django_assert_num_queries(6):
        assert len(reconsent_due([cast.site.pk])) == 2
    with_one = make_document(cast, version="old")
    approve(cast, cast.site, with_one, on=wall(cast.site, days=-200).date())
    for _ in range(5):
        subject = make_subject(cast.site)
        sign(cast, subject, with_one, days=-150)
    with as_person(cast.nurse), django_assert_num_queries(6):
        assert len(reconsent_due([cast.site.pk])) == 7


# -- Withdrawal ------------------------------------------------------------------------


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize(
    ("taken", "gone", "state", "valid"),
    [
        ([Scope.TREATMENT], {Scope.TREATMENT}, ConsentState.GIVEN, False),
        ([Scope.SAMPLES], {Scope.SAMPLES}, ConsentState.GIVEN, True),
        ([Scope.CONTACT], {Scope.CONTACT}, ConsentState.GIVEN, True),
        (
            [Scope.TREATMENT, Scope.CONTACT],
            {Scope.TREATMENT, Scope.CONTACT},
            ConsentState.GIVEN,
            False,
        ),
        ([Scope.ALL_DATA], set(Scope), ConsentState.WITHDRAWN, False),
    ],
)
def test_a_withdrawal_takes_back_what_it_names(cast, document, taken, gone, state, valid):
    subject = consented(cast, document)
    withdraw(cast, subject, *taken)
    with as_person(cast.nurse):
        assert withdrawn_scopes(subject) == gone
    assert state_of(subject) == state
    assert fact_of(cast, subject).valid is valid
    for scope in Scope:
        assert bool(refusal(cast, subject, scope)) == (scope in gone)
    if state == ConsentState.WITHDRAWN:
        with pytest.raises(DomainError, match="withdrawn consent for all data"):
            enter_vital_signs(cast, subject)
    else:
        assert enter_vital_signs(cast, subject).record.version == 1


def test_a_withdrawal_is_taken_back_in_part_and_only_by_a_new_consent(cast, document):
    subject = consented(cast, document)
    withdraw(cast, subject, Scope.ALL_DATA, hours=-3)
    with pytest.raises(FieldsError) as refused:
        sign(cast, subject, document, kind=ConsentKind.RECONSENT, hours=-1)
    assert list(refused.value.errors) == ["resumes"]
    with pytest.raises(FieldsError, match="Only the participant"):
        resume(cast, subject, document, Scope.ALL_DATA, signer=Signer.REPRESENTATIVE)
    resume(cast, subject, document, Scope.ALL_DATA, Scope.CONTACT, hours=-1)
    with as_person(cast.nurse):
        assert withdrawn_scopes(subject) == {Scope.TREATMENT, Scope.SAMPLES}
    assert state_of(subject) == ConsentState.GIVEN
    assert enter_vital_signs(cast, subject).record.version == 1
    assert "Treatment" in refusal(cast, subject)


def test_nothing_is_withdrawn_that_was_never_given_or_twice(cast, document):
    subject = make_subject(cast.site)
    with pytest.raises(FieldsError, match="nothing to withdraw"):
        withdraw(cast, subject, Scope.TREATMENT)
    sign(cast, subject, document, hours=-2)
    withdraw(cast, subject, Scope.TREATMENT, hours=-1)
    with pytest.raises(FieldsError, match="withdrawn already"):
        withdraw(cast, subject, Scope.TREATMENT)
    with pytest.raises(FieldsError, match="Say what is withdrawn"):
        withdraw(cast, subject)


def test_what_was_entered_in_error_is_voided_and_the_rest_stands_anew(cast, document):
    subject = consented(cast, document)
    withdrawal = withdraw(cast, subject, Scope.ALL_DATA)
    assert state_of(subject) == ConsentState.WITHDRAWN
    with as_person(cast.nurse):
        void_part(part=withdrawal, reason="another participant", by=cast.nurse)
        assert withdrawn_scopes(subject) == frozenset()
        event = Event.objects.filter(record_id=withdrawal.record_id, operation="U").last()
    assert event is not None
    assert event.reason == "another participant"
    assert state_of(subject) == ConsentState.GIVEN
    with as_person(cast.nurse):
        consent = Consent.objects.get(subject=subject)
        void_part(part=consent, reason="another participant", by=cast.nurse)
    assert state_of(subject) == ConsentState.NONE
    assert fact_of(cast, subject) is None
    sign(cast, subject, document)
    assert state_of(subject) == ConsentState.GIVEN


# -- Before consent --------------------------------------------------------------------


def test_what_is_dated_before_consent_is_routine_care(cast, document):
    subject = make_subject(cast.site)
    with as_person(cast.nurse):
        assert dated_before_consent(subject, wall(cast.site).date()) is True
    at = sign(cast, subject, document, days=-1).at
    with as_person(cast.nurse):
        minute = dt.timedelta(minutes=1)
        assert dated_before_consent(subject, at - minute) is True
        assert dated_before_consent(subject, at) is False
        assert dated_before_consent(subject, at + minute) is False
        day = fact_of(cast, subject).given_on
        assert dated_before_consent(subject, day - DAY) is True
        assert dated_before_consent(subject, day) is False


# -- Who may ---------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor", "stranger"])
def test_whoever_does_not_enter_data_here_records_nothing(cast, document, who):
    subject = make_subject(cast.site)
    person = getattr(cast, who)
    with pytest.raises((NotPermittedError, Subject.DoesNotExist)):
        sign(cast, subject, document, by=person)
    with pytest.raises((NotPermittedError, Subject.DoesNotExist)):
        assess(cast, subject, CapacityOutcome.PRESENT, by=person)


def test_documents_are_kept_by_the_study_wide_investigator(cast, document):
    from screening.services.consent_documents import add_document

    for person in (cast.nurse, cast.sub_investigator, cast.data_manager):
        with as_person(person), pytest.raises(NotPermittedError):
            add_document(
                version="3",
                language="zh",
                title="x",
                change_note="",
                reconsent_required=False,
                reference="TMF",
                by=person,
            )


def test_a_locked_casebook_takes_no_consent(cast, document):
    subject = make_subject(cast.site, lock_state=LockState.LOCKED)
    with pytest.raises(TransitionError, match="locked"):
        sign(cast, subject, document)


def test_the_trail_tells_who_recorded_what_and_by_which_approval(cast, document):
    subject = consented(cast, document)
    with as_person(cast.auditor):
        made = Event.objects.get(table_name="screening_consent", subject_id=subject.pk)
        approval = Event.objects.filter(table_name="screening_consentapproval").first()
        state = Event.objects.filter(
            table_name="casebook_subject", operation="U", subject_id=subject.pk
        ).get()
    assert (made.actor_id, made.record_id is not None) == (cast.nurse.pk, True)
    assert state.new is not None
    assert state.new["consent_state"] == ConsentState.GIVEN
    assert approval is not None
    assert "EC-2026-7" in approval.reason


def test_consents_of_one_subject_stand_in_the_order_they_were_signed(cast, document):
    subject = consented(cast, document, days=-10)
    sign(cast, subject, document, days=-2, kind=ConsentKind.RECONSENT)
    sign(cast, subject, document, days=-5, kind=ConsentKind.RECONSENT)
    with as_person(cast.nurse):
        walls = [each.wall for each in standing_of(subject).consents]
    assert walls == sorted(walls)
    assert len(walls) == 3
