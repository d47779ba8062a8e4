"""Who signs, what a signature says, and that nothing signed changes unseen."""

from __future__ import annotations

import datetime as dt
import uuid

import psycopg
import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import databases
from tests.api.conftest import fill
from tests.api.filling import text_for, texts_for
from tests.audit.conftest import act_as
from tests.factories import as_person, make_cast, make_record, make_subject, make_user
from tests.factories import given as as_system
from tests.signing import proof_of
from trialsite.access.capabilities import Role
from trialsite.access.signing import SigningProof
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.entry import read_texts
from trialsite.crf.items import items_of
from trialsite.crf.registry import form
from trialsite.crf.services import save_crf
from trialsite.review.models import Signature
from trialsite.review.signatures import (
    canonical,
    content_of,
    seal_of,
    sign,
    sign_many,
    sign_record,
    standing,
    standing_of,
    stands,
    void_signature,
)
from visits.models import VitalSigns

MEANING = "I am responsible for these data."
VS = form("F.VS")


def complete(cast, **changes: str) -> CrfRecord:
    """A completed vital signs record of site 001."""
    record = make_record(make_subject(cast.site))
    return save(record, cast.nurse, **changes)


def save(record: CrfRecord, by, *, reason: str = "", **changes: str) -> CrfRecord:
    with as_person(by):
        entry = read_texts(VitalSigns, texts_for(VitalSigns) | changes)
        assert not entry.errors
        version = CrfRecord.objects.get(pk=record.pk).version
        save_crf(
            record=record, entry=entry, by=by, base_version=version, complete=True, reason=reason
        )
        return CrfRecord.objects.select_related("site").get(pk=record.pk)


def signed(record: CrfRecord, by) -> Signature:
    with as_person(by):
        return sign_record(
            record=record, meaning=MEANING, by=by, proof=proof_of(by), seen_version=record.version
        )


@pytest.mark.requirement("ES2")
def test_a_signature_says_who_when_in_both_times_and_what_it_means(cast):
    signature = signed(complete(cast), cast.sub_investigator)
    assert signature.printed_name == cast.sub_investigator.full_name
    assert signature.meaning == MEANING
    assert signature.role == "sub_investigator"
    assert signature.time_zone == "Asia/Shanghai"
    assert abs(signature.signed_at - timezone.now()) < dt.timedelta(minutes=1)


@pytest.mark.requirement("ES5")
@pytest.mark.parametrize(
    "who", ["nurse", "monitor", "data_manager", "auditor", "administrator", "stranger"]
)
def test_only_investigators_of_the_site_sign(cast, who):
    record, person = complete(cast), getattr(cast, who)
    with as_person(cast.nurse):
        content = content_of(record)
    with as_person(person), pytest.raises(NotPermittedError):
        sign(
            record=record, kind="crf_record", target=record.pk, content=content, meaning=MEANING,
            by=person, proof=proof_of(person),
        )  # fmt: skip


@pytest.mark.requirement("ES5")
def test_an_investigator_of_another_site_signs_nothing_here(cast):
    record = complete(cast)
    other = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.other_site)
    with as_person(other), pytest.raises(NotPermittedError):
        sign(record=record, kind="x", target=record.pk, content="", meaning=MEANING, by=other,
             proof=proof_of(other))  # fmt: skip


@pytest.mark.parametrize("who", ["sub_investigator", "nurse", "data_manager"])
def test_the_study_is_configured_by_its_principal_investigator_alone(cast, who):
    person = getattr(cast, who)
    with as_person(person), pytest.raises(NotPermittedError):
        sign(kind="x", target=uuid.uuid4(), content="", meaning="m", by=person,
             proof=proof_of(person))  # fmt: skip


def test_a_sites_principal_investigator_does_not_configure_the_study(cast):
    local = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site)
    with as_person(local), pytest.raises(NotPermittedError):
        sign(kind="x", target=uuid.uuid4(), content="", meaning="m", by=local,
             proof=proof_of(local))  # fmt: skip


@pytest.mark.requirement("ES1")
def test_another_persons_proof_and_an_old_one_sign_nothing(cast):
    record, me = complete(cast), cast.sub_investigator
    old = SigningProof(user_id=me.pk, at=timezone.now() - dt.timedelta(minutes=6), method="totp")
    for proof in (old, proof_of(cast.investigator)):
        with as_person(me), pytest.raises(NotPermittedError):
            sign_record(record=record, meaning=MEANING, by=me, proof=proof,
                        seen_version=record.version)  # fmt: skip
    assert not as_system(Signature.objects.exists)()


def test_only_a_completed_form_in_the_version_one_has_read_is_signed(cast):
    me = cast.sub_investigator
    draft = fill(VS, cast.site, cast.nurse)
    done = complete(cast)
    with as_person(me):
        draft.refresh_from_db()
        for record, version in ((draft, draft.version), (done, done.version - 1)):
            with pytest.raises(TransitionError):
                sign_record(record=record, meaning=MEANING, by=me, proof=proof_of(me),
                            seen_version=version)  # fmt: skip


def another(name: str) -> str:
    """A different value that the item accepts."""
    item = items_of(VitalSigns)[name]
    was = text_for(name, item)
    if item.choices:
        return next(str(code) for code, _label in item.choices if str(code) != was)
    if item.data_type in {"integer", "float"}:
        return str(int(float(was)) + 1)
    return {"datetime": "2026-03-05T14:31", "boolean": "false", "text": "else"}[item.data_type]


@pytest.mark.requirement("ES3")
@pytest.mark.parametrize("name", list(items_of(VitalSigns)))
def test_any_single_change_of_a_signed_form_breaks_its_signature(cast, name):
    before = complete(cast)
    signature = signed(before, cast.sub_investigator)
    with as_person(cast.nurse):
        assert standing(before) == [signature]
    after = save(before, cast.nurse, reason="source", **{name: another(name)})
    assert after.version == before.version + 1
    with as_person(cast.nurse):
        assert standing(after) == []
        assert not stands(signature, content_of(after))


@pytest.mark.requirement("ES3")
def test_a_value_changed_and_changed_back_is_signed_anew(cast):
    record = complete(cast)
    signed(record, cast.sub_investigator)
    save(record, cast.nurse, reason="slip", comment="x")
    back = save(record, cast.nurse, reason="slip of the slip")
    with as_person(cast.nurse):
        assert back.content_hash == record.content_hash
        assert standing(back) == []


_PLAIN = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), min_size=1)


@pytest.mark.requirement("ES3")
@given(content=_PLAIN, data=st.data())
@settings(max_examples=50)
def test_no_field_of_any_signed_content_changes_unseen(content, data):
    target = uuid.uuid4()
    name = data.draw(st.sampled_from(sorted(content)))
    value = data.draw(st.text(max_size=8).filter(lambda text: text != content[name]))
    signature = Signature(
        kind="k", target=target, signed_by_id=1, sense="approval", meaning="m",
        seal=seal_of("k", target, 1, "approval", "m", canonical(content)),
    )  # fmt: skip
    assert stands(signature, canonical(dict(reversed(content.items()))))
    assert not stands(signature, canonical(content | {name: value}))
    assert not stands(signature, canonical({k: v for k, v in content.items() if k != name}))
    for field, other in (
        ("kind", "other"), ("target", uuid.uuid4()), ("signed_by_id", 2), ("sense", "review"),
        ("meaning", "less"),
    ):  # fmt: skip
        was = getattr(signature, field)
        setattr(signature, field, other)
        assert not stands(signature, canonical(content))
        setattr(signature, field, was)


@pytest.mark.requirement("ES3")
def test_a_signature_does_not_fit_another_record_with_the_same_data(cast):
    mine, twin = complete(cast), complete(cast)
    signature = signed(mine, cast.sub_investigator)
    with as_person(cast.nurse):
        assert mine.content_hash == twin.content_hash
        assert not stands(signature, content_of(twin))
        assert standing(twin) == []


@pytest.mark.requirement("ES1")
def test_a_batch_is_one_proof_and_one_signature_each_or_none(cast):
    me = cast.sub_investigator
    records = [complete(cast) for _each in range(3)]
    manifest = [(each, each.version) for each in records]
    with as_person(me):
        made = sign_many(manifest=manifest, meaning=MEANING, by=me, proof=proof_of(me))
        assert {each.target for each in made} == {each.pk for each in records}
        assert len({each.seal for each in made}) == 3
    stale = [(records[0], records[0].version), (records[1], 99)]
    with as_person(me), pytest.raises(TransitionError):
        sign_many(manifest=stale, meaning=MEANING, by=me, proof=proof_of(me))
    assert len(as_system(lambda: list(Signature.objects.all()))()) == 3


def test_a_voided_signature_stands_for_nothing_and_is_not_voided_twice(cast):
    record, me = complete(cast), cast.sub_investigator
    signature = signed(record, me)
    with as_person(me):
        with pytest.raises(DomainError):
            void_signature(signature=signature, reason=" ", by=me)
        void_signature(signature=signature, reason="wrong form", by=me)
        assert standing(record) == []
        with pytest.raises(TransitionError):
            void_signature(signature=signature, reason="again", by=me)
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        void_signature(signature=signed(record, me), reason="x", by=cast.nurse)


@pytest.mark.requirement("AT6")
def test_signing_and_voiding_are_acts_in_the_trail(cast):
    record, me = complete(cast), cast.sub_investigator
    signature = signed(record, me)
    with as_person(me):
        void_signature(signature=signature, reason="wrong form", by=me)
    with as_person(cast.auditor):
        for act in ("signed", "signature_voided"):
            (event,) = Event.objects.filter(act=act, record_id=record.pk)
            assert event.actor_id == me.pk
            assert event.new is not None
            assert event.new["signature"] == str(signature.pk)
        assert Event.objects.get(act="signature_voided").site_id == cast.site.pk


def test_signatures_of_the_study_are_seen_at_every_site_and_others_at_their_own(cast):
    own = signed(complete(cast), cast.sub_investigator)
    with as_person(cast.investigator):
        study = sign(kind="x", target=uuid.uuid4(), content="c", meaning="m",
                     by=cast.investigator, proof=proof_of(cast.investigator))  # fmt: skip
        assert standing_of(kind="x", target=study.target, content="c") == [study]
    for person, seen in ((cast.nurse, {own, study}), (cast.stranger, {study})):
        with as_person(person):
            assert set(Signature.objects.all()) == seen
            assert set(Signature.objects.visible_to(person)) == seen
    with as_person(make_user()):
        assert not Signature.objects.visible_to(make_user()).exists()


def test_nobody_signs_in_another_name_whatever_the_code_says(cast):
    record, me = complete(cast), cast.sub_investigator
    refused = pytest.raises(DatabaseError, match="another name")
    with as_person(cast.investigator), refused, transaction.atomic():
        sign_record(record=record, meaning=MEANING, by=me, proof=proof_of(me),
                    seen_version=record.version)  # fmt: skip


ATTACKS = {
    "another name": "UPDATE review_signature SET printed_name = 'x'",
    "another meaning": "UPDATE review_signature SET meaning = 'less'",
    "another seal": f"UPDATE review_signature SET seal = '{'a' * 64}'",
    "another time": "UPDATE review_signature SET signed_at = '2020-01-01'",
    "another person": "UPDATE review_signature SET signed_by_id = {nurse}",
    "another target": "UPDATE review_signature SET target = gen_random_uuid()",
    "another site for what has none": "UPDATE review_signature SET site_id = {site}",
    "deleting": "DELETE FROM review_signature",
    "truncating": "TRUNCATE review_signature CASCADE",
    "signing for somebody": "INSERT INTO review_signature (id, kind, target, seal, sense, meaning, "
    "signed_by_id, printed_name, role, method, signed_at, trial_at, time_zone, void_reason) SELECT "
    "gen_random_uuid(), kind, target, seal, sense, meaning, signed_by_id, printed_name, role, "
    "method, signed_at, trial_at, time_zone, '' FROM review_signature LIMIT 1",
    "voiding without a reason": "UPDATE review_signature SET voided_at = now()",
}


@pytest.mark.requirement("ES3", "AT2")
def test_the_applications_own_connection_cannot_alter_a_signature(committed):
    cast = make_cast()
    with as_person(cast.investigator):
        sign(kind="x", target=uuid.uuid4(), content="c", meaning="m", by=cast.investigator,
             proof=proof_of(cast.investigator))  # fmt: skip
    with psycopg.connect(databases.app_url(committed), autocommit=True) as app:
        act_as(app, cast.site.pk, cast.other_site.pk, actor=cast.nurse.pk)
        before = app.execute("SELECT * FROM review_signature").fetchall()
        for name, attack in ATTACKS.items():
            with pytest.raises(psycopg.Error) as refused:
                app.execute(attack.format(nurse=cast.nurse.pk, site=cast.site.pk))
            assert refused.value.sqlstate in {"TS003", "42501", "23514"}, name
        assert app.execute("SELECT * FROM review_signature").fetchall() == before
        app.execute("UPDATE review_signature SET voided_at = now(), voided_by_id = %s, "
                    "void_reason = 'x'", [cast.nurse.pk])  # fmt: skip
        with pytest.raises(psycopg.Error, match="voided, never changed"):
            app.execute("UPDATE review_signature SET voided_at = NULL, voided_by_id = NULL, "
                        "void_reason = ''")  # fmt: skip


def test_the_time_of_a_signature_is_the_databases(committed):
    cast = make_cast()
    with psycopg.connect(databases.app_url(committed), autocommit=True) as app:
        act_as(app, cast.site.pk, actor=cast.investigator.pk)
        recent = app.execute(
            "INSERT INTO review_signature (id, kind, target, seal, sense, meaning, signed_by_id, "
            "printed_name, role, method, signed_at, trial_at, time_zone, void_reason) VALUES "
            "(gen_random_uuid(), 'k', gen_random_uuid(), %s, 'review', 'm', %s, 'n', '', '', "
            "'2020-01-01', '2020-01-01', 'UTC', '') "
            "RETURNING clock_timestamp() - signed_at < interval '1 minute'",
            ["a" * 64, cast.investigator.pk],
        ).fetchone()
    assert recent == (True,)
