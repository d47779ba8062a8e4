"""What adverse events mean for the protocol's safety rules: proposed, held once signed."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import AdverseEvent
from outcomes.selectors.safety import related_serious, toxicity_of
from outcomes.services.safety import ALERT
from tests.api.conftest import ApiClient
from tests.factories import (
    as_person,
    given,
    make_protocol,
    make_record,
    make_subject,
    make_user,
    sign_in,
)
from tests.outcomes.conftest import save_event, treated
from tests.signing import proof_of
from trialsite.access.capabilities import Role
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.services import void_record
from trialsite.conduct.models import (
    Hold,
    ProposalStatus,
    ProposedHold,
    RuleActivation,
    RuleKind,
    Scope,
)
from trialsite.conduct.selectors import enrolment_refusals, rule_lines
from trialsite.conduct.services.holds import lift_hold, switch_rule
from trialsite.conduct.services.proposals import dismiss_proposed, place_proposed
from trialsite.conduct.toxicity import Toxicity
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.exceptions import NotPermittedError
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices, planner_of

SUSAR = {
    "serious": "true",
    "other_important": "true",
    "life_threatening": "true",
    "grade": "4",
    "related_cells": "POSSIBLE",
    "expectedness": "UNEXPECTED",
}
RELATED = SUSAR | {"grade": "3", "expectedness": "EXPECTED", "life_threatening": ""}


@pytest.fixture
def version(cast):
    return make_protocol(cast.site, cast.other_site)


@pytest.fixture
def subject(cast, version) -> Subject:
    return participant(cast.site, "001-001", cast.nurse)


def participant(site, number: str, by, start: str = "2026-03-05T10:00") -> Subject:
    made: Subject = make_subject(site, number=number, status="enrolled")
    treated(made, by, start)
    return made


def happened(subject: Subject, by, **texts: Any) -> CrfRecord:
    record: CrfRecord = make_record(
        subject, form_oid="F.AE", repeat_key=given(CrfRecord.objects.count)() + 1
    )
    return save_event(record, by, **texts).record


@given
def proposals(**where) -> list[tuple[str, str, bool, bool]]:
    rows = ProposedHold.objects.filter(**where).order_by("raised_at", "trigger")
    return [(r.trigger, r.status, r.study_wide, r.cause_ended_at is None) for r in rows]


@given
def holds() -> list[Hold]:
    return list(Hold.objects.standing().select_related("site").order_by("placed_at"))


def switch(cast, version, kind: RuleKind, rule: str, *, active: bool = True) -> RuleActivation:
    by = cast.investigator
    with as_person(by):
        return switch_rule(
            version=version, kind=kind, rule=rule, active=active, reason="board of 3 May",
            by=by, proof=proof_of(by),
        )  # fmt: skip


def refused(cast, version, site) -> list[str]:
    with as_person(cast.investigator):
        return enrolment_refusals(site_id=site.pk, version_id=version.pk, enrolled_before=0)


@pytest.mark.parametrize(
    ("change", "raises"),
    [
        ({}, True),
        ({"grade": "3", "life_threatening": ""}, False),
        ({"grade": "", "life_threatening": ""}, False),
        ({"grade": "3"}, True),
        ({"grade": ""}, True),
        ({"grade": "", "life_threatening": "", "outcome": "FATAL"}, True),
        ({"grade": "3", "life_threatening": "", "results_in_death": "true"}, True),
        ({"serious": "false"}, False),
        ({"expectedness": "EXPECTED"}, False),
        ({"expectedness": "NOT_ASSESSED"}, False),
        ({"related_cells": "UNLIKELY", "related_circuit": "NOT RELATED"}, False),
        ({"related_cells": "UNLIKELY", "related_circuit": "NOT ASSESSABLE"}, True),
    ],
)
def test_a_susar_of_the_rules_grade_proposes_a_hold_of_its_site(cast, subject, change, raises):
    happened(subject, cast.nurse, **(SUSAR | change), complete="no")
    found = proposals(trigger="susar")
    assert found == ([("susar", "open", False, True)] if raises else [])
    assert holds() == []


@pytest.mark.requirement("PR1")
def test_switched_off_it_holds_nothing_and_switched_on_it_holds(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    assert refused(cast, version, cast.site) == []
    switch(cast, version, RuleKind.HOLD, "susar", active=True)
    (hold,) = holds()
    assert (hold.site, hold.scope, hold.placed_by) == (cast.site, Scope.BOTH, None)
    assert refused(cast, version, cast.site)
    assert refused(cast, version, cast.other_site) == []
    happened(subject, cast.nurse, **SUSAR)
    assert [row[1] for row in proposals(trigger="susar")] == [ProposalStatus.PLACED] * 2


def test_a_decided_proposal_is_not_held_for_when_the_rule_is_switched_on(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    with as_person(cast.investigator):
        row = ProposedHold.objects.get(trigger="susar")
        place_proposed(proposal=row, scope=Scope.ENROLMENT, by=cast.investigator)
        hold = Hold.objects.get()
        lift_hold(hold=hold, reason="explained", by=cast.investigator,
                  proof=proof_of(cast.investigator))  # fmt: skip
    switch(cast, version, RuleKind.HOLD, "susar")
    assert holds() == []


def test_a_correction_ends_the_cause_and_lifts_no_hold(cast, version, subject):
    switch(cast, version, RuleKind.HOLD, "susar")
    record = happened(subject, cast.nurse, **SUSAR)
    save_event(record, cast.nurse, 1, **(SUSAR | {"expectedness": "EXPECTED"}), reason="brochure")
    assert proposals(trigger="susar") == [("susar", "placed", False, False)]
    assert len(holds()) == 1
    assert refused(cast, version, cast.site)


def test_voiding_the_event_ends_the_cause_and_lifts_no_hold(cast, version, subject):
    switch(cast, version, RuleKind.HOLD, "susar")
    record = happened(subject, cast.nurse, **SUSAR)
    with as_person(cast.nurse):
        record.refresh_from_db()
        void_record(record=record, reason="wrong subject", by=cast.nurse)
    assert proposals(trigger="susar") == [("susar", "placed", False, False)]
    assert len(holds()) == 1


def test_another_change_of_the_event_proposes_nothing_anew(cast, version, subject):
    switch(cast, version, RuleKind.HOLD, "susar")
    record = happened(subject, cast.nurse, **SUSAR)
    (hold,) = holds()
    with as_person(cast.investigator):
        lift_hold(hold=hold, reason="explained", by=cast.investigator,
                  proof=proof_of(cast.investigator))  # fmt: skip
    save_event(record, cast.nurse, 1, **(SUSAR | {"term": "Hypotension, severe"}), reason="wording")
    assert holds() == []


@pytest.mark.requirement("PR1")
@pytest.mark.parametrize(
    "graver", [{"outcome": "FATAL"}, {"results_in_death": "true"}, {"life_threatening": "true"}]
)
def test_what_becomes_grave_is_judged_again_though_its_grade_is_not_entered(
    cast, version, subject, graver
):
    switch(cast, version, RuleKind.HOLD, "susar")
    first = SUSAR | {"grade": "", "life_threatening": ""}
    record = happened(subject, cast.nurse, **first, complete="no")
    assert holds() == []
    save_event(record, cast.nurse, 1, **(first | graver), complete="no", reason="worse")
    assert len(holds()) == 1


# -- Related serious events among the first treated ----------------------------------


def elsewhere(cast) -> object:
    return make_user(Role.RESEARCH_NURSE, cast.other_site)


def test_the_second_related_serious_event_among_the_first_three_stops_the_study(
    cast, version, subject
):
    """The events are at two sites, whose nurses see only their own."""
    other = elsewhere(cast)
    second = participant(cast.other_site, "002-001", other, "2026-03-06T10:00")
    switch(cast, version, RuleKind.HOLD, "related_sae")
    happened(subject, cast.nurse, **RELATED)
    assert proposals(trigger="related_sae") == []
    happened(second, other, **RELATED)
    assert proposals(trigger="related_sae") == [("related_sae", "placed", True, True)]
    (hold,) = holds()
    assert hold.site is None
    for site in (cast.site, cast.other_site):
        assert refused(cast, version, site)
    with as_person(cast.nurse):
        assert ProposedHold.objects.filter(trigger="related_sae").count() == 0
        assert Hold.objects.count() == 1


def test_the_fourth_treated_does_not_count_among_the_first_three(cast, version, subject):
    others = [
        participant(cast.site, f"001-00{n}", cast.nurse, f"2026-03-{n + 5:02d}T10:00")
        for n in (2, 3, 4)
    ]
    happened(subject, cast.nurse, **RELATED)
    happened(others[2], cast.nurse, **RELATED)
    assert proposals(trigger="related_sae") == []
    happened(others[1], cast.nurse, **RELATED)
    assert proposals(trigger="related_sae") == [("related_sae", "open", True, True)]


def test_beyond_the_first_three_an_event_proposes_nothing_though_the_count_is_reached(
    cast, version, subject
):
    others = [
        participant(cast.site, f"001-00{n}", cast.nurse, f"2026-03-{n + 5:02d}T10:00")
        for n in (2, 3, 4)
    ]
    for each in (subject, others[0]):
        happened(each, cast.nurse, **RELATED)
    happened(others[2], cast.nurse, **RELATED)
    assert len(proposals(trigger="related_sae")) == 1


@pytest.mark.parametrize(
    ("change", "events"),
    [
        ({}, 1),
        ({"grade": "2"}, 0),
        ({"grade": ""}, 0),
        ({"grade": "", "life_threatening": "true"}, 1),
        ({"grade": "", "outcome": "FATAL"}, 1),
        ({"grade": "2", "results_in_death": "true"}, 1),
        ({"serious": "false"}, 0),
        ({"related_cells": "NOT RELATED", "related_circuit": "UNLIKELY"}, 0),
    ],
)
def test_what_counts_as_a_related_serious_event(cast, version, subject, change, events):
    happened(subject, cast.nurse, **(RELATED | change), complete="no")
    (rule,) = (
        each for each in protocol_of(version.pk).proposals.holds if each.trigger == "related_sae"
    )
    with as_person(cast.nurse):
        found = related_serious(rule)
    assert (found.treated, found.events) == (1, events)


def test_a_count_that_falls_ends_the_cause_and_lifts_nothing(cast, version, subject):
    switch(cast, version, RuleKind.HOLD, "related_sae")
    first = happened(subject, cast.nurse, **RELATED)
    happened(subject, cast.nurse, **RELATED)
    assert len(holds()) == 1
    save_event(first, cast.nurse, 1, **(RELATED | {"serious": "false"}), reason="reassessed")
    assert proposals(trigger="related_sae") == [("related_sae", "placed", True, False)]
    assert len(holds()) == 1


def test_a_study_wide_proposal_is_decided_only_by_who_holds_the_whole_study(cast, version, subject):
    happened(subject, cast.nurse, **RELATED)
    happened(subject, cast.nurse, **RELATED)
    local = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site)
    with as_person(local):
        row = ProposedHold.objects.get(trigger="related_sae")
        with pytest.raises(NotPermittedError):
            place_proposed(proposal=row, scope=Scope.BOTH, by=local)
        with pytest.raises(NotPermittedError):
            dismiss_proposed(proposal=row, reason="Known to us", by=local)
    page = sign_in(local).get(f"/holds/proposals/{row.pk}/").content.decode()
    assert "dismiss-reason" not in page
    with as_person(cast.investigator):
        hold = place_proposed(proposal=row, scope=Scope.BOTH, by=cast.investigator)
    assert hold.site is None


# -- The toxicity monitor -------------------------------------------------------------

DLT = RELATED | {"serious": "false", "other_important": ""}


def seen(cast, version) -> Toxicity:
    (monitor,) = protocol_of(version.pk).proposals.monitors
    with as_person(cast.nurse):
        return toxicity_of(monitor)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"grade": "2"}, False),
        ({"grade": ""}, False),
        ({"grade": "", "life_threatening": "true"}, True),
        ({"grade": "", "ongoing": "false", "outcome": "FATAL"}, True),
        ({"related_cells": "UNLIKELY", "related_circuit": "UNLIKELY"}, False),
        ({"started_on": "2026-03-04", "started_time": "", "ended_on": ""}, False),
        ({"started_on": "2026-04-02", "started_time": "", "ended_on": ""}, True),
        ({"started_on": "2026-04-03", "started_time": "", "ended_on": ""}, False),
        ({"started_on": "2026-04", "started_time": "", "ended_on": ""}, True),
        ({"started_on": "2026", "started_time": "", "ended_on": ""}, True),
    ],
)
def test_what_is_a_toxicity_is_protocol_data(cast, version, subject, change, counts):
    change = {"ongoing": "true", "outcome": "NOT RECOVERED/NOT RESOLVED", "ended_on": ""} | change
    happened(subject, cast.nurse, **(DLT | change), complete="no")
    assert seen(cast, version).with_event == int(counts)


def test_a_subject_counts_with_the_event_or_when_its_days_are_over(cast, version, subject):
    today = given(trial_today)("Asia/Shanghai")
    recent = (today - dt.timedelta(days=3)).isoformat()
    participant(cast.other_site, "002-001", cast.nurse, f"{recent}T10:00")
    assert seen(cast, version) == Toxicity(treated=2, evaluable=1, with_event=0)


@pytest.mark.requirement("PR1")
def test_the_monitor_holds_the_study_when_it_crosses_once_it_is_signed(cast, version, subject):
    other = participant(cast.site, "001-002", cast.nurse, "2026-03-06T10:00")
    happened(subject, cast.nurse, **DLT)
    assert proposals(trigger="monitor") == []
    happened(other, cast.nurse, **(DLT | {"started_on": "2026-03-07", "ended_on": "2026-03-08"}))
    assert proposals(trigger="monitor") == [("monitor", "open", True, True)]
    assert holds() == []
    switch(cast, version, RuleKind.MONITOR, "toxicity")
    (hold,) = holds()
    assert (hold.site, hold.rule) == (None, "toxicity")
    assert refused(cast, version, cast.other_site)


def test_an_event_that_does_not_cross_proposes_nothing(cast, version, subject):
    for n in range(2, 6):
        participant(cast.site, f"001-00{n}", cast.nurse)
    happened(subject, cast.nurse, **DLT)
    happened(subject, cast.nurse, **DLT)
    assert seen(cast, version) == Toxicity(treated=5, evaluable=5, with_event=1)
    assert proposals(trigger="monitor") == []


def test_those_who_may_hold_are_told_at_once_whether_the_rule_is_on_or_off(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    plan_notices(trial_now(), kind=ALERT)
    rows = Notice.objects.filter(kind=ALERT)
    told = set(given(lambda: list(rows.values_list("recipient_id", flat=True)))())
    assert cast.investigator.pk in told
    assert cast.nurse.pk not in told
    assert planner_of(ALERT).urgent


def test_the_counts_of_other_sites_change_nothing_of_what_a_person_sees(cast, version, subject):
    other = participant(cast.other_site, "002-001", elsewhere(cast))
    happened(other, elsewhere(cast), **DLT)
    (monitor,) = protocol_of(version.pk).proposals.monitors
    with as_person(cast.nurse):
        before = set(AdverseEvent.objects.values_list("site_id", flat=True))
        assert toxicity_of(monitor).with_event == 1
        assert set(AdverseEvent.objects.values_list("site_id", flat=True)) == before == set()


# -- The page and the API ---------------------------------------------------------------


def shown(person) -> str:
    page = sign_in(person).get("/holds/").content.decode()
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


@pytest.mark.requirement("PR1")
def test_the_page_shows_what_each_rule_would_say_and_that_it_is_not_active(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    happened(subject, cast.nurse, **RELATED)
    said = shown(cast.investigator)
    assert "2 of 2 related serious events among the first 3 treated." in said
    assert "1 of 1 subjects with the event" in said
    assert said.count("Not active. It would hold.") == 2
    assert "Not active. It would not hold." in said
    assert "Closed until" not in said


def test_an_active_rule_says_that_it_is_met(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    switch(cast, version, RuleKind.HOLD, "susar")
    assert "The rule is met." in shown(cast.investigator)


def test_the_signature_page_says_what_switching_on_does(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    page = sign_in(cast.investigator).get("/holds/rules/hold/susar/on/").content.decode()
    assert "1 open proposal: its hold is placed at once." in page


def test_who_sees_one_site_reads_no_figures_of_the_others(cast, version, subject):
    for _ in range(2):
        happened(subject, cast.nurse, **RELATED)
    said = shown(cast.stranger)
    assert "related serious events among" not in said
    assert "whoever sees every site is shown them" in said
    assert "001-001" not in said
    rules = ApiClient(cast.stranger).get("rules/").json()["rules"]
    assert {(rule["met"], rule["inputs"]) for rule in rules} == {(None, None)}


def test_the_gates_name_who_is_missing(cast, version, subject):
    said = shown(cast.investigator)
    assert "1 enrolled subject" in said
    assert "001-001" in said


def test_the_api_says_what_the_page_says(cast, version, subject):
    happened(subject, cast.nurse, **SUSAR)
    rules = ApiClient(cast.investigator).get("rules/").json()["rules"]
    (susar,) = (rule for rule in rules if rule["key"] == "susar")
    assert (susar["met"], susar["standing"], susar["waiting"]) == (True, "off", 1)
    assert {"name": "Of the rule’s grade", "value": "1"} in susar["inputs"]


def test_the_page_asks_as_often_for_one_subject_as_for_many(cast, version, subject):
    with as_person(cast.investigator):
        rule_lines(version.pk)  # The protocol is read once for a process.
    with as_person(cast.investigator), CaptureQueriesContext(connection) as few:
        rule_lines(version.pk, viewer=cast.investigator)
    for n in range(2, 6):
        happened(participant(cast.site, f"001-00{n}", cast.nurse), cast.nurse, **RELATED)
    with as_person(cast.investigator), CaptureQueriesContext(connection) as many:
        rule_lines(version.pk, viewer=cast.investigator)
    assert len(many) == len(few)
