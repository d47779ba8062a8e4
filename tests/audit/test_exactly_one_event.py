"""Every change of a row leaves exactly one event, and the events add up to the row."""

from __future__ import annotations

import json

import pytest
from django.apps import apps
from django.db import connection
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.factories import PASSWORD, make_record, make_site, make_subject, make_user, make_visit
from trialsite.access.context import system_context
from trialsite.access.models import Site, User
from trialsite.audit.folding import audited_tables, state_of, unaccounted
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, NumberSequence, Subject, Visit
from trialsite.core.context import Channel, acting, because
from trialsite.core.guards import guarded_models
from visits.models import VitalSigns

pytestmark = pytest.mark.requirement("AT1")

NUMBERS = st.integers(min_value=0, max_value=300)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)
WAYS = st.sampled_from(["save", "update", "bulk_update", "raw"])


class Casebook(RuleBasedStateMachine):
    """Random work on guarded tables; `expected` counts what the trail must have gained."""

    def __init__(self) -> None:
        super().__init__()
        self.context = acting(system_context("tests", Channel.COMMAND))
        self.context.__enter__()
        self.sites = [Site.objects.get(code="001"), Site.objects.get(code="002")]
        self.start = Event.objects.count()
        self.expected = 0

    def teardown(self) -> None:
        connection.set_rollback(True)
        self.context.__exit__(None, None, None)

    @rule(count=st.integers(1, 3))
    def subjects_in_bulk(self, count: int) -> None:
        model = Subject.objects.all()[0]
        fresh = [
            Subject(
                site=self.sites[0],
                screening_number=f"B{Subject.objects.count()}-{n}",
                protocol_version_id=model.protocol_version_id,
            )
            for n in range(count)
        ]
        self.expected += len(Subject.objects.bulk_create(fresh))

    @rule()
    def a_visit_and_a_record(self) -> None:
        subject = Subject.objects.order_by("?")[0]
        n = Visit.objects.count()
        visit = Visit.objects.create(
            site_id=subject.site_id,
            subject=subject,
            event_oid="SE.X",
            repeat_key=n + 1,
            protocol_version_id=subject.protocol_version_id,
        )
        record = CrfRecord.objects.create(
            site_id=subject.site_id,
            subject=subject,
            visit=visit,
            form_oid="F.VS",
            protocol_version_id=subject.protocol_version_id,
        )
        VitalSigns.objects.create(
            record=record, site_id=record.site_id, subject=subject, time_zone="Asia/Shanghai"
        )
        self.expected += 3

    @precondition(lambda _self: VitalSigns.objects.exists())
    @rule(number=NUMBERS, text=TEXTS, way=WAYS)
    def a_value(self, number: int, text: str, way: str) -> None:
        row = VitalSigns.objects.order_by("?")[0]
        changed = (row.heart_rate, row.comment) != (number, text)
        row.heart_rate, row.comment = number, text
        match way:
            case "save":
                row.save()
            case "update":
                VitalSigns.objects.filter(pk=row.pk).update(heart_rate=number, comment=text)
            case "bulk_update":
                VitalSigns.objects.bulk_update([row], ["heart_rate", "comment"])
            case "raw":
                with connection.cursor() as cursor:
                    cursor.execute(
                        "UPDATE visits_vitalsigns SET heart_rate = %s, comment = %s "
                        "WHERE record_id = %s",
                        [number, text, row.pk],
                    )
        self.expected += changed

    @rule(status=st.sampled_from(["screening", "enrolled"]))
    def many_rows_at_once(self, status: str) -> None:
        self.expected += Subject.objects.exclude(status=status).update(status=status)

    @rule()
    def a_transfer_that_cascades(self) -> None:
        subject = Subject.objects.order_by("?")[0]
        other = self.sites[subject.site_id == self.sites[0].pk]
        followers = sum(
            model.objects.filter(subject=subject).count()
            for model in (Visit, CrfRecord, VitalSigns)
        )
        with because("moved to the other site"):
            Subject.objects.filter(pk=subject.pk).update(site=other)
        self.expected += 1 + followers

    @rule(last=NUMBERS)
    def an_upsert(self, last: int) -> None:
        before = NumberSequence.objects.filter(site=self.sites[0], kind="x").first()
        NumberSequence.objects.bulk_create(
            [NumberSequence(site=self.sites[0], kind="x", last=last)],
            update_conflicts=True,
            unique_fields=["site", "kind"],
            update_fields=["last"],
        )
        self.expected += before is None or before.last != last

    @invariant()
    def one_event_for_each_changed_row(self) -> None:
        assert Event.objects.count() - self.start == self.expected

    @invariant()
    def the_events_add_up_to_the_rows(self) -> None:
        for model in (Subject, Visit, CrfRecord, VitalSigns, NumberSequence):
            assert unaccounted(model._meta.db_table) == []


def test_random_work_is_accounted_for_change_by_change(cast):
    from hypothesis.stateful import run_state_machine_as_test

    make_visit(make_subject(cast.site))
    run_state_machine_as_test(
        Casebook,
        settings=hypothesis_settings(max_examples=12, stateful_step_count=15, deadline=None),
    )


def test_an_entered_row_is_its_first_event_and_a_removed_one_is_nothing(cast):
    from allauth.mfa.models import Authenticator

    authenticator = Authenticator.objects.filter(user=cast.nurse).first()
    table, key = Authenticator._meta.db_table, authenticator.pk
    with acting(system_context("tests", Channel.COMMAND, reason="lost")):
        state = state_of(table, key)
        assert state is not None
        assert (state["user_id"], state["type"]) == (cast.nurse.pk, "totp")
        entered = Event.objects.get(table_name=table, row_id=str(key))
        authenticator.delete()
        removed = Event.objects.get(table_name=table, row_id=str(key), operation="D")
        assert removed.old is not None
        assert removed.old["user_id"] == cast.nurse.pk
        assert removed.reason == "lost"
        assert state_of(table, key) is None
        assert state_of(table, key, until=entered.at) == state


def test_a_row_as_of_a_past_moment_is_told_by_its_events(cast):
    site = make_site("003", name="Before")
    with acting(system_context("tests", Channel.COMMAND)):
        Site.objects.filter(pk=site.pk).update(name="After")
        entered, changed = Event.objects.filter(table_name="access_site", row_id=str(site.pk))
        assert changed.changes() == {"name": ("Before", "After")}
        before = state_of("access_site", site.pk, until=entered.at) or {}
        after = state_of("access_site", site.pk) or {}
    assert (before["name"], after["name"]) == ("Before", "After")


def test_an_update_that_changes_nothing_leaves_no_event(cast):
    with acting(system_context("tests", Channel.COMMAND)):
        before = Event.objects.count()
        Site.objects.filter(pk=cast.site.pk).update(name=cast.site.name)
        assert Event.objects.count() == before


def test_only_audited_tables_can_be_judged(cast):
    with pytest.raises(LookupError, match="django_session"):
        unaccounted("django_session")


@pytest.mark.requirement("PR3")
def test_no_secret_ever_enters_the_trail(cast):
    from allauth.mfa.models import Authenticator

    user = make_user(password="a password nobody guesses")
    with acting(system_context("tests", Channel.COMMAND)):
        user.set_password("another password nobody guesses")
        user.save()
        secrets = {PASSWORD, *User.objects.values_list("password", flat=True)}
        for data in Authenticator.objects.values_list("data", flat=True):
            secrets |= {str(value) for value in data.values()}
        dump = json.dumps(list(Event.objects.values("old", "new", "reason")), default=str)
        assert "(secret)" in dump
        assert "nobody guesses" not in dump
        assert "argon2" not in dump
        assert [secret for secret in secrets if secret in dump] == []


def test_a_changed_secret_is_an_event_without_its_value(cast):
    with acting(system_context("tests", Channel.COMMAND)):
        cast.nurse.set_password("a third password, just as long")
        cast.nurse.save(update_fields=["password"])
        event = Event.objects.filter(table_name="access_user", operation="U").latest("eid")
    assert event.changes() == {"password": ("(secret)", "(secret)")}


@pytest.mark.parametrize("column", ["password", "data", "secret", "token", "key_hash"])
def test_a_column_named_like_a_secret_is_kept_out_of_the_trail(column):
    for model, guard in guarded_models():
        names = {each.column for each in model._meta.concrete_fields}
        if not guard.unaudited and {name for name in names if name == column}:
            assert column in guard.secret, model


def test_every_audited_table_is_a_model_of_an_installed_app():
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert set(audited_tables()) <= tables
    assert Event._meta.db_table not in audited_tables()


@given(number=NUMBERS)
@hypothesis_settings(max_examples=5)
def test_a_savepoint_that_is_rolled_back_takes_its_event_along(cast, number):
    from django.db import transaction

    with acting(system_context("tests", Channel.COMMAND)):
        record = make_record(make_subject(cast.site))
        before = Event.objects.count()
        mark = transaction.savepoint()
        VitalSigns.objects.create(
            record=record,
            site=cast.site,
            subject_id=record.subject_id,
            time_zone="UTC",
            heart_rate=number,
        )
        transaction.savepoint_rollback(mark)
        assert Event.objects.count() == before
