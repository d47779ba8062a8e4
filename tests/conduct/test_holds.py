"""What stops enrolment and treatment, who may stop it, and who alone lets it go on."""

from __future__ import annotations

import datetime as dt
import html
import re

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from tests import databases
from tests.audit.conftest import act_as
from tests.factories import (
    PROTOCOL,
    as_person,
    given,
    make_cast,
    make_protocol,
    make_record,
    make_subject,
    make_user,
    make_visit,
    sign_in,
)
from tests.signing import factors_of, proof_of
from trialsite.access.capabilities import Role
from trialsite.access.models import User
from trialsite.audit.models import Event
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.casebook.protocols import protocol_of, register_version
from trialsite.conduct import order
from trialsite.conduct.gates import GateFacts, gate_facts, gate_refusal
from trialsite.conduct.models import Decision, GateReview, Hold, RuleActivation, RuleKind, Scope
from trialsite.conduct.reviews import last_review
from trialsite.conduct.rules import Standing, rules_of
from trialsite.conduct.selectors import (
    active_holds,
    enrolment_refusals,
    treatment_refusals,
)
from trialsite.conduct.services.committee import record_review
from trialsite.conduct.services.holds import lift_hold, place_hold, switch_rule
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.protocol import Text
from trialsite.protocol.proposals import GateKind, GateProposal
from trialsite.review.models import Signature
from trialsite.review.signatures import void_signature

PAGE = "/holds/"


@pytest.fixture
def version(cast) -> ProtocolVersion:
    found: ProtocolVersion = make_protocol(cast.site, cast.other_site)
    return found


def placed(cast, site=None, scope=Scope.BOTH, by: User | None = None) -> Hold:
    by = by or cast.investigator
    with as_person(by):
        return place_hold(site=site, scope=scope, reason="a device alarm", by=by)


def refusals(cast, version, site=None, enrolled: int = 0, who: User | None = None) -> list[str]:
    with as_person(who or cast.investigator):
        return enrolment_refusals(
            site_id=(site or cast.site).pk, version_id=version.pk, enrolled_before=enrolled
        )


def switch(cast, version, rule: str, *, active: bool = True, kind=RuleKind.GATE) -> None:
    with as_person(cast.investigator):
        switch_rule(
            version=version, kind=kind, rule=rule, active=active, reason="board of 3 May",
            by=cast.investigator, proof=proof_of(cast.investigator),
        )  # fmt: skip


def reviewed(cast, version, decision=Decision.CONTINUE, **changes) -> GateReview:
    by = cast.investigator
    with as_person(by):
        return record_review(
            **{
                "version": version,
                "gate": "cohort_review",
                "decision": decision,
                "meeting_on": dt.date(2026, 3, 1),
                "document": "minutes 3",
                "by": by,
                "proof": proof_of(by),
            }
            | changes
        )


def came_to(subject: Subject, event: str, on: dt.date) -> None:
    """A visit that took place, with data entered of it."""
    visit = make_visit(subject, event, status="attended", attended_on=on)
    make_record(subject, visit=visit, status="complete", version=1)


def enrolled(cast, site=None, *, day_zero: dt.date | None = None, **fields) -> Subject:
    fields = {"status": "enrolled"} | fields
    found: Subject = make_subject(site or cast.site, day_zero=day_zero, **fields)
    return found


@pytest.mark.parametrize(
    ("scope", "enrolment", "treatment"),
    [(Scope.ENROLMENT, 1, 0), (Scope.TREATMENT, 0, 1), (Scope.BOTH, 1, 1)],
)
@pytest.mark.parametrize("study_wide", [False, True])
def test_a_hold_stops_what_it_names_where_it_stands(
    cast, version, scope, enrolment, treatment, study_wide
):
    placed(cast, None if study_wide else cast.site, scope)
    for site, counts in ((cast.site, True), (cast.other_site, study_wide)):
        assert len(refusals(cast, version, site)) == (enrolment if counts else 0)
        with as_person(cast.investigator):
            assert len(treatment_refusals(site_id=site.pk)) == (treatment if counts else 0)
            assert active_holds(site.pk, scope).count() == counts


def test_without_a_hold_and_a_rule_enrolment_is_open(cast, version):
    assert refusals(cast, version, enrolled=9) == []


@pytest.mark.parametrize(
    ("who", "own_site", "study"),
    [
        ("investigator", True, True),
        ("nurse", False, False),
        ("sub_investigator", False, False),
        ("data_manager", False, False),
        ("monitor", False, False),
    ],
)
def test_who_may_place_a_hold(cast, who, own_site, study):
    person = getattr(cast, who)
    for site, allowed in ((cast.site, own_site), (None, study)):
        if allowed:
            placed(cast, site, by=person)
        else:
            with pytest.raises(NotPermittedError):
                placed(cast, site, by=person)


def test_a_sites_principal_investigator_holds_the_own_site_and_lifts_nothing(cast):
    local = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site)
    hold = placed(cast, cast.site, by=local)
    for site in (cast.other_site, None):
        with pytest.raises(NotPermittedError):
            placed(cast, site, by=local)
    with as_person(local), pytest.raises(NotPermittedError):
        lift_hold(hold=hold, reason="fine", by=local, proof=proof_of(local))


def test_the_safety_officer_stops_the_study_and_does_not_let_it_go_on(cast, version):
    officer = make_user(Role.SAFETY_OFFICER)
    hold = placed(cast, by=officer)
    assert refusals(cast, version)
    with as_person(officer), pytest.raises(NotPermittedError):
        lift_hold(hold=hold, reason="fine", by=officer, proof=proof_of(officer))


@pytest.mark.requirement("ES1", "AT6")
def test_lifting_is_signed_reasoned_and_once(cast, version):
    hold, me = placed(cast, cast.site), cast.investigator
    with as_person(me):
        with pytest.raises(DomainError):
            lift_hold(hold=hold, reason=" ", by=me, proof=proof_of(me))
        lifted = lift_hold(hold=hold, reason="sensor replaced", by=me, proof=proof_of(me))
        with pytest.raises(TransitionError):
            lift_hold(hold=hold, reason="again", by=me, proof=proof_of(me))
        signature = lifted.lift_signature
        assert signature is not None
        assert (signature.site_id, signature.target) == (cast.site.pk, hold.pk)
        assert Event.objects.filter(act="signed", site_id=cast.site.pk).count() == 1
        change = Event.objects.get(table_name="conduct_hold", operation="U")
        assert change.reason == "sensor replaced"
    assert refusals(cast, version) == []


def test_a_hold_of_a_site_is_not_seen_elsewhere_and_one_of_the_study_is(cast):
    own, whole = placed(cast, cast.site), placed(cast)
    for person, seen in ((cast.nurse, {own, whole}), (cast.stranger, {whole})):
        with as_person(person):
            assert set(Hold.objects.all()) == seen


# -- Gates ---------------------------------------------------------------------------


def gate(kind: GateKind, subjects: int, day: int) -> GateProposal:
    name = Text(en="Gate", zh="门")
    return GateProposal(key="g", name=name, kind=kind, active=False, subjects=subjects, day=day)


@pytest.mark.parametrize(
    ("subjects", "enrolled", "past", "waits"),
    [
        (1, 0, 0, False),
        (1, 1, 0, True),
        (1, 1, 1, False),
        (1, 2, 1, True),
        (1, 5, 5, False),
        (2, 1, 0, False),
        (2, 2, 0, True),
        (2, 3, 2, False),
        # Fewer seen than counted: whoever is not known to be past the day is not.
        (1, 3, 0, True),
    ],
)
def test_the_sentinel_lets_no_more_than_so_many_wait_at_a_time(subjects, enrolled, past, waits):
    facts = GateFacts(enrolled=enrolled, cleared=past, with_data=0)
    sentinel = gate(GateKind.SENTINEL, subjects, 7)
    says = gate_refusal(sentinel, enrolled=enrolled, facts=facts, review=None)
    assert bool(says) == waits


@pytest.mark.parametrize(
    ("enrolled", "decision", "next_after", "waits"),
    [
        (0, None, None, False),
        (2, None, None, False),
        (3, None, None, True),
        (4, None, None, True),
        (3, Decision.CONTINUE, None, False),
        (9, Decision.CONTINUE, None, False),
        (3, Decision.MODIFY, None, False),
        (1, Decision.PAUSE, None, True),
        (3, Decision.STOP, None, True),
        (5, Decision.CONTINUE, 6, False),
        (6, Decision.CONTINUE, 6, True),
    ],
)
def test_the_cohort_gate_opens_by_a_review_that_continues(enrolled, decision, next_after, waits):
    facts = GateFacts(enrolled=enrolled, with_data=3)
    review = decision and GateReview(
        decision=decision, next_after=next_after, meeting_on=dt.date(2026, 3, 1)
    )
    says = gate_refusal(
        gate(GateKind.COHORT_REVIEW, 3, 28), enrolled=enrolled, facts=facts, review=review
    )
    assert bool(says) == waits


@pytest.mark.requirement("IA2")
def test_the_facts_count_every_site_and_show_none(cast, version):
    """A nurse of one site learns the counts of the study, and still sees her site only."""
    long_ago, today = dt.date(2026, 1, 5), dt.date(2099, 1, 1)
    a = enrolled(cast, cast.site, number="001-001", day_zero=long_ago)
    enrolled(cast, cast.other_site, number="002-001", day_zero=long_ago)
    enrolled(cast, cast.other_site, number="002-002", day_zero=today)
    enrolled(cast, cast.other_site, number="002-003")
    enrolled(cast, cast.other_site, number="002-004", status="died", died_on="2026-02")
    enrolled(cast, cast.other_site, number="002-005", status="withdrawn")
    enrolled(cast, cast.other_site, number="002-006", status="screening")
    make_subject(cast.other_site)
    came_to(a, "SE.W8", dt.date(2026, 3, 2))
    proposal = gate(GateKind.COHORT_REVIEW, 3, 28)
    with as_person(cast.nurse):
        before = list(Subject.objects.values_list("site_id", flat=True))
        facts = gate_facts(proposal, protocol_of(version.pk))
        assert list(Subject.objects.values_list("site_id", flat=True)) == before
    assert set(before) == {cast.site.pk}
    assert facts == GateFacts(
        enrolled=6, with_data=2, cleared=3, treated=3, exposed=2, reviewable=1
    )


@pytest.mark.parametrize(("days_ago", "cleared"), [(6, 0), (7, 1), (8, 1)])
def test_a_gates_day_is_reached_on_the_sites_calendar(cast, version, days_ago, cleared):
    today = given(trial_today)("Asia/Shanghai")
    subject = enrolled(cast, number="001-001", day_zero=today - dt.timedelta(days=days_ago))
    came_to(subject, "SE.D7", today)
    with as_person(cast.nurse):
        facts = gate_facts(gate(GateKind.SENTINEL, 1, 7), protocol_of(version.pk))
    assert facts.cleared == cleared


def test_every_rule_is_shipped_off_and_says_nothing(cast, version):
    with as_person(cast.investigator):
        rules = rules_of(protocol_of(version.pk))
    assert rules
    assert {rule.standing for rule in rules} == {Standing.OFF}
    enrolled(cast, number="001-001")
    assert refusals(cast, version, enrolled=5) == []


def test_a_gate_binds_once_it_is_switched_on_and_no_longer_when_off(cast, version):
    enrolled(cast, cast.other_site, number="002-001")
    switch(cast, version, "sentinel")
    (said,) = refusals(cast, version, enrolled=1, who=cast.nurse)
    assert "day 7" in said
    switch(cast, version, "sentinel", active=False)
    assert refusals(cast, version, enrolled=1) == []


@pytest.mark.parametrize("who", ["nurse", "sub_investigator", "data_manager", "monitor", "auditor"])
def test_only_the_studys_principal_investigator_switches_rules_and_records_reviews(
    cast, version, who
):
    person = getattr(cast, who)
    with as_person(person):
        with pytest.raises(NotPermittedError):
            switch_rule(version=version, kind=RuleKind.GATE, rule="sentinel", active=True,
                        reason="x", by=person, proof=proof_of(person))  # fmt: skip
        with pytest.raises(NotPermittedError):
            record_review(version=version, gate="cohort_review", decision=Decision.STOP,
                          meeting_on=dt.date(2026, 3, 1), document="x", by=person,
                          proof=proof_of(person))  # fmt: skip


def test_a_rule_is_not_switched_to_where_it_is_nor_made_up(cast, version):
    with pytest.raises(TransitionError):
        switch(cast, version, "sentinel", active=False)
    switch(cast, version, "sentinel")
    with pytest.raises(TransitionError):
        switch(cast, version, "sentinel")
    with pytest.raises(TransitionError):
        switch(cast, version, "no_such_rule")


def test_an_amended_gate_stays_closed_until_it_is_signed_anew(cast, version, tmp_path):
    switch(cast, version, "cohort_review")
    text = PROTOCOL.read_text("utf-8")
    old = "kind: cohort_review\n      active: false\n      subjects: 3"
    assert old in text
    path = tmp_path / "amended.yaml"
    amended = text.replace(old, old.replace("3", "4")).replace(
        f"version: {version.version}", "version: 9.9", 1
    )
    amended = amended.replace(f'version: "{version.version}"', 'version: "9.9"', 1)
    path.write_text(amended, "utf-8")
    new = given(register_version)(path)
    assert new.pk != version.pk
    (said,) = refusals(cast, new)
    assert "other parameters" in said
    assert refusals(cast, version) == []
    switch(cast, new, "cohort_review")
    assert refusals(cast, new) == []


def seen_on_day_28(cast, count: int) -> None:
    for n in range(count):
        subject = enrolled(cast, number=f"001-{n:03d}", day_zero=dt.date(2026, 1, 5))
        came_to(subject, "SE.D28", dt.date(2026, 2, 2))


@pytest.mark.parametrize(
    ("with_data", "decision", "allowed"),
    [
        (2, Decision.CONTINUE, False),
        (2, Decision.MODIFY, False),
        (2, Decision.PAUSE, True),
        (0, Decision.STOP, True),
        (3, Decision.CONTINUE, True),
    ],
)
def test_no_review_lets_the_study_go_on_before_the_data_are_there(
    cast, version, with_data, decision, allowed
):
    seen_on_day_28(cast, with_data)
    switch(cast, version, "cohort_review")
    if not allowed:
        with pytest.raises(DomainError, match="data of day 28"):
            reviewed(cast, version, decision)
        return
    reviewed(cast, version, decision)
    assert bool(refusals(cast, version, enrolled=3)) == (decision != Decision.CONTINUE)


def test_the_last_review_decides_and_a_voided_one_does_not(cast, version):
    seen_on_day_28(cast, 3)
    switch(cast, version, "cohort_review")
    reviewed(cast, version)
    stopped = reviewed(cast, version, Decision.PAUSE)
    assert refusals(cast, version, enrolled=3)
    with as_person(cast.investigator):
        void_signature(signature=stopped.signature, reason="wrong file", by=cast.investigator)
        found = last_review("cohort_review")
        assert found is not None
        assert found.number == 1
    assert refusals(cast, version, enrolled=3) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"document": " "},
        {"meeting_on": dt.date(2099, 1, 1)},
        {"next_after": 3},
        {"gate": "sentinel"},
        {"gate": "no_such_gate"},
    ],
)
def test_an_unsound_review_is_refused(cast, version, changes):
    seen_on_day_28(cast, 3)
    with pytest.raises(DomainError):
        reviewed(cast, version, **changes)


# -- The application's own connection --------------------------------------------------

ATTACKS = {
    "a milder reason": "UPDATE conduct_hold SET reason = 'nothing'",
    "a narrower scope": "UPDATE conduct_hold SET scope = 'enrolment'",
    "another site": "UPDATE conduct_hold SET site_id = {site}",
    "deleting": "DELETE FROM conduct_hold",
    "lifting without signature": "UPDATE conduct_hold SET lifted_at = now(), lifted_by_id = {pi}, "
    "lift_reason = 'x'",
    "switching a rule": "UPDATE conduct_ruleactivation SET active = false",
    "forgetting a rule": "DELETE FROM conduct_ruleactivation",
    "another decision": "UPDATE conduct_gatereview SET decision = 'continue'",
    "a narrower count": "CREATE OR REPLACE FUNCTION trialsite.study_facts(day integer, events "
    "text[], released uuid[]) RETURNS integer[] LANGUAGE sql AS 'SELECT ARRAY[0,0,0,0,0,0]'",
}


@pytest.mark.requirement("AT2")
def test_the_applications_own_connection_lifts_no_hold_and_opens_no_gate(committed):
    cast = make_cast()
    version = make_protocol(cast.site)
    placed(cast)
    switch(cast, version, "sentinel")
    reviewed(cast, version, Decision.PAUSE)
    with psycopg.connect(databases.app_url(committed), autocommit=True) as app:
        act_as(app, cast.site.pk, actor=cast.investigator.pk)
        for name, attack in ATTACKS.items():
            with pytest.raises(psycopg.Error) as refused:
                app.execute(attack.format(site=cast.site.pk, pi=cast.investigator.pk))
            assert refused.value.sqlstate in {"TS003", "42501", "23514"}, name


def test_a_forged_activation_without_its_signature_is_off(cast, version):
    """A row that somebody writes past the services does not carry a seal that fits."""
    switch(cast, version, "sentinel")
    with as_person(cast.investigator):
        real = RuleActivation.objects.get()
        RuleActivation.objects.create(
            kind="gate", rule="cohort_review", number=1, version=version, content=real.content,
            active=True, reason="x", signature=real.signature, decided_by=cast.investigator,
            decided_at=real.decided_at,
        )  # fmt: skip
        standings = {
            rule.key: rule.standing
            for rule in rules_of(protocol_of(version.pk))
            if rule.kind is RuleKind.GATE
        }
    assert standings == {"sentinel": Standing.ACTIVE, "cohort_review": Standing.OFF}


def test_a_hold_waits_for_the_enrolment_that_is_being_decided(committed):
    """And so no enrolment goes on beside a hold that it has not seen."""
    cast = make_cast()
    version = make_protocol(cast.site)
    with psycopg.connect(databases.app_url(committed)) as deciding:
        act_as(deciding, cast.site.pk, actor=cast.nurse.pk)
        deciding.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [order.NAME]
        )
        with as_person(cast.investigator), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            assert refusals(cast, version) == []
            with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
                placed(cast)
        deciding.rollback()
        placed(cast)
    assert refusals(cast, version)


# -- Pages -----------------------------------------------------------------------------


@pytest.fixture
def investigator(cast) -> Client:
    return sign_in(cast.investigator)


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_the_page_shows_what_stands_and_what_is_not_active(cast, version, investigator):
    placed(cast, cast.site)
    enrolled(cast, number="001-001")
    page = text(investigator.get(PAGE))
    assert "a device alarm" in page
    assert "Not active" in page
    assert "not active; it would say:" in page
    assert "1 subject has no data of day 7 yet" in page
    nurse = text(sign_in(cast.nurse).get(PAGE))
    assert "a device alarm" in nurse
    assert "Place a hold" not in nurse
    assert "/lift/" not in nurse
    assert "a device alarm" not in text(sign_in(cast.stranger).get(PAGE))


def test_the_page_stands_before_any_protocol_is_loaded(cast, investigator):
    assert investigator.get(PAGE).status_code == 200


def test_the_page_costs_the_same_for_many_holds(
    cast, version, investigator, django_assert_max_num_queries
):
    placed(cast, cast.site)
    investigator.get(PAGE)
    with django_assert_max_num_queries(60) as few:
        investigator.get(PAGE)
    for _each in range(5):
        placed(cast, cast.site)
    with django_assert_max_num_queries(len(few)):
        investigator.get(PAGE)


def test_a_hold_is_placed_and_lifted_at_the_pages(cast, version, investigator):
    where = {"where": str(cast.site.pk), "scope": "both", "reason": "alarm of the pump"}
    assert investigator.post("/holds/place/", where).status_code == 302
    (hold,) = given(lambda: list(Hold.objects.all()))()
    lift = f"/holds/{hold.pk}/lift/"
    page = text(investigator.get(lift))
    for words in ("Petra Principal", "UTC", "Asia/Shanghai", "I lift this hold."):
        assert words in page
    wrong = investigator.post(
        lift, {"reason": "pump replaced", "password": "wrong", "code": "000000"}
    )
    assert wrong.status_code == 422
    assert "pump replaced" in text(wrong)
    assert "Incorrect password." in text(wrong)
    done = investigator.post(
        lift, {"reason": "pump replaced", **factors_of(cast.investigator)}, follow=True
    )
    assert "The hold is lifted." in text(done)
    assert refusals(cast, version) == []


@pytest.mark.requirement("ES1")
def test_a_session_without_factors_signs_nothing(cast, version, investigator):
    hold = placed(cast, cast.site)
    assert investigator.post(f"/holds/{hold.pk}/lift/", {"reason": "x"}).status_code == 422
    assert given(lambda: Signature.objects.count())() == 0
    assert refusals(cast, version)


def test_an_incomplete_hold_keeps_what_was_typed(cast, investigator):
    answer = investigator.post("/holds/place/", {"where": "", "scope": "", "reason": "the pump"})
    assert answer.status_code == 422
    assert "the pump" in text(answer)
    assert not given(lambda: Hold.objects.exists())()


def seen_at(client, path: str) -> str:
    """The parameters that a switch's page shows, as it sends them back."""
    match = re.search(r'name="seen" value="([^"]*)"', client.get(path).content.decode())
    assert match is not None
    return html.unescape(match[1])


def test_what_changed_since_it_was_read_is_not_signed(cast, version, investigator, tmp_path):
    path = "/holds/rules/gate/cohort_review/on/"
    seen = seen_at(investigator, path)
    old = "kind: cohort_review\n      active: false\n      subjects: 3"
    amended = PROTOCOL.read_text("utf-8").replace(old, old.replace("3", "4"))
    amended = amended.replace(f'version: "{version.version}"', 'version: "9.9"', 1)
    (tmp_path / "amended.yaml").write_text(amended, "utf-8")
    make_protocol(cast.site, path=tmp_path / "amended.yaml")
    typed = {"reason": "board of 3 May", "seen": seen, **factors_of(cast.investigator)}
    answer = investigator.post(path, typed)
    assert answer.status_code == 422
    assert "other parameters than those you read" in text(answer)
    assert not given(RuleActivation.objects.exists)()


def test_a_rule_is_switched_on_and_a_review_recorded_at_the_pages(cast, version, investigator):
    path = "/holds/rules/gate/cohort_review/on/"
    read = {"seen": seen_at(investigator, path)}
    switched = investigator.post(
        path, {"reason": "board of 3 May", **read, **factors_of(cast.investigator)}, follow=True
    )
    assert "The rule is switched on." in text(switched)
    typed = {
        "decision": "pause",
        "meeting_on": "2026-03-01",
        "document": "minutes 3",
        **factors_of(cast.investigator, later=1),
    }
    done = investigator.post("/holds/gates/cohort_review/review/", typed, follow=True)
    assert "The review is recorded." in text(done)
    assert "minutes 3" in text(done)
    assert refusals(cast, version)


@pytest.mark.parametrize("who", ["nurse", "data_manager", "monitor"])
def test_others_neither_place_nor_sign(cast, version, who):
    hold, client = placed(cast, cast.site), sign_in(getattr(cast, who))
    for path in (
        f"/holds/{hold.pk}/lift/",
        "/holds/rules/gate/sentinel/on/",
        "/holds/gates/cohort_review/review/",
    ):
        assert client.get(path).status_code == 403
        assert client.post(path, factors_of(getattr(cast, who))).status_code == 403
    assert client.post("/holds/place/", {"where": "*"}).status_code == 403


def test_a_sites_principal_investigator_gets_no_signing_page_of_the_study(cast, version):
    local = sign_in(make_user(Role.PRINCIPAL_INVESTIGATOR, cast.other_site))
    hold = placed(cast, cast.site)
    assert local.get(f"/holds/{hold.pk}/lift/").status_code == 404
    assert local.get("/holds/rules/gate/sentinel/on/").status_code == 403


def test_an_address_of_no_rule_is_not_found(cast, version, investigator):
    for path in (
        "/holds/rules/gate/nothing/on/",
        "/holds/rules/gate/sentinel/sideways/",
        "/holds/gates/nothing/review/",
    ):
        assert investigator.get(path).status_code == 404


def test_the_tabs_lead_between_the_parts_of_the_study(cast, version, investigator):
    page = text(investigator.get("/protocol/"))
    assert 'href="/holds/"' in page
    assert 'aria-current="page">Holds and gates' in text(investigator.get(PAGE))
