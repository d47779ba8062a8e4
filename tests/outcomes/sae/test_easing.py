"""No running deadline ends or lies later because somebody at the site changes a suspicion."""

from __future__ import annotations

import datetime as dt

import pytest

from outcomes.models import SaeCase
from outcomes.services.sae_cases import correct_awareness, describe_case
from outcomes.services.sae_decisions import agree_easing, decline_easing
from tests.api.conftest import ApiClient
from tests.factories import as_person, given, sign_in
from tests.outcomes.sae.conftest import FRIDAY, local, received, sent, signed
from tests.outcomes.sae.test_cases import SITE_CLOCK, UNJUDGED, deadlines, fresh, reported, say
from tests.outcomes.sae.test_reminders import notices
from trialsite.audit.models import Event
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError

HOUR = dt.timedelta(hours=1)
NOT_RELATED = dict.fromkeys(UNJUDGED, "NOT RELATED")
GRAVE = {"hospitalisation": "", "life_threatening": "true"}


@pytest.fixture
def told(cast, case: SaeCase, officer, clock) -> SaeCase:
    """The sponsor has the first report; the authority's seven days run."""
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    received(sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse), FRIDAY + 1.6 * HOUR, officer)
    assert local(deadlines(case)["authority_grave"].due_at) == "Sat 2026-03-14 23:59"
    return case


def describe(case, by, suspected: str) -> None:
    with as_person(by):
        describe_case(case=case, reporter="Dr Wei", suspected=suspected, narrative="", by=by)


def agree(case, by, reason="Judged so") -> None:
    with as_person(by):
        agree_easing(case=case, reason=reason, by=by)


def test_a_nurse_who_suspects_the_disease_instead_ends_no_clock(cast, told, officer):
    describe(told, cast.nurse, "disease")
    now = fresh(told)
    assert (now.suspected, now.awaits_easing, now.eases_by_id) == (
        "disease",
        True,
        cast.nurse.pk,
    )
    assert local(deadlines(told)["authority_grave"].due_at) == "Sat 2026-03-14 23:59"
    agree(told, officer, "The circuit was not in use")
    assert set(deadlines(told)) == SITE_CLOCK
    before = deadlines(told, standing=False)["authority_grave"]
    assert before.replace_reason == "The circuit was not in use"
    assert (fresh(told).awaits_easing, fresh(told).eased_by_id) == (False, officer.pk)


def test_a_judgement_that_a_nurse_enters_waits_for_an_investigator(cast, told):
    say(told, cast.nurse, **GRAVE, **NOT_RELATED)
    assert "authority_grave" in deadlines(told)
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        agree_easing(case=told, reason="x", by=cast.nurse)
    with as_person(cast.sub_investigator), pytest.raises(DomainError, match="reason"):
        agree_easing(case=told, reason=" ", by=cast.sub_investigator)
    agree(told, cast.sub_investigator)
    assert "authority_grave" not in deadlines(told)
    with as_person(cast.sub_investigator), pytest.raises(TransitionError, match="No deadline"):
        agree_easing(case=told, reason="x", by=cast.sub_investigator)


def test_what_waits_is_not_agreed_to_by_another_change_of_the_form(cast, told):
    say(told, cast.nurse, **GRAVE, **NOT_RELATED)
    say(told, cast.sub_investigator, **GRAVE, **NOT_RELATED, term="Sepsis")
    assert "authority_grave" in deadlines(told)
    assert fresh(told).awaits_easing


def test_an_investigators_own_judgement_with_its_reason_counts_and_the_sponsor_hears_of_it(
    cast, told, officer, run, sink
):
    say(told, cast.sub_investigator, **GRAVE, **NOT_RELATED)
    assert "authority_grave" not in deadlines(told)
    assert fresh(told).eased_reason == "Known since"
    run(FRIDAY + 2.1 * HOUR)
    assert (officer.full_name, "eased-0") in notices()


def test_an_investigators_judgement_without_a_reason_is_no_agreement(cast, told):
    """A form that is not complete asks for no reason; who gives none has not agreed."""
    say(told, cast.sub_investigator, **GRAVE, **NOT_RELATED, reason="", complete="no")
    assert "authority_grave" in deadlines(told)
    assert fresh(told).awaits_easing


def test_a_change_that_eases_nothing_is_no_agreement_to_anything(cast, told):
    say(told, cast.sub_investigator, **GRAVE, related_circuit="PROBABLE", term="Sepsis")
    assert (fresh(told).eased_at, fresh(told).eased_reason) == (None, "")
    assert "authority_grave" in deadlines(told)


def test_while_something_waits_no_receipt_eases_it(cast, told):
    describe(told, cast.nurse, "disease")
    sent(given(told.reports.get)(), "ethics", FRIDAY + 1.7 * HOUR, cast.nurse)
    assert "authority_grave" in deadlines(told)
    assert fresh(told).awaits_easing


def test_what_is_taken_back_to_what_stood_waits_no_more(cast, told):
    describe(told, cast.nurse, "disease")
    describe(told, cast.nurse, "circuit")
    assert not fresh(told).awaits_easing
    assert "authority_grave" in deadlines(told)


def test_investigators_and_safety_officers_are_told_at_once_that_a_word_is_awaited(
    cast, told, officer, run, sink
):
    describe(told, cast.nurse, "disease")
    run(FRIDAY + 2.1 * HOUR)
    assert {who for who, step in notices() if step == "easing-0"} == {
        cast.sub_investigator.full_name,
        cast.investigator.full_name,
        officer.full_name,
    }


def test_an_event_found_less_grave_keeps_the_shorter_clock_until_agreed(cast, told, officer):
    say(told, cast.nurse, related_circuit="PROBABLE")
    found = deadlines(told)
    assert {"authority_grave", "authority_other"} <= set(found)
    agree(told, officer)
    assert "authority_grave" not in deadlines(told)
    assert "authority_other" in deadlines(told)


def test_a_later_awareness_lengthens_no_running_clock_until_agreed(cast, case):
    later = (FRIDAY + dt.timedelta(minutes=4)).replace(tzinfo=None)
    with as_person(cast.nurse):
        correct_awareness(case=case, aware_at=later, reason="Ward log", by=cast.nurse)
    assert {local(each.due_at) for each in deadlines(case).values()} == {"Sat 2026-03-07 23:50"}
    agree(case, cast.sub_investigator)
    assert {local(each.due_at) for each in deadlines(case).values()} == {"Sat 2026-03-07 23:54"}


def test_an_earlier_awareness_counts_at_once(cast, case):
    with as_person(cast.nurse):
        correct_awareness(
            case=case, aware_at=(FRIDAY - HOUR).replace(tzinfo=None), reason="Ward log",
            by=cast.nurse,
        )  # fmt: skip
    assert {local(each.due_at) for each in deadlines(case).values()} == {"Sat 2026-03-07 22:50"}
    assert not fresh(case).awaits_easing


def test_sending_the_report_meets_the_clock_and_nothing_waits_any_more(cast, told, officer):
    describe(told, cast.nurse, "disease")
    report = given(told.reports.get)()
    sent(report, "authority", FRIDAY + 1.7 * HOUR, officer)
    # Further information is owed as well until somebody agrees that it is not.
    assert set(deadlines(told)) == SITE_CLOCK | {"authority_grave_follow_up"}
    agree(told, officer)
    assert set(deadlines(told)) == SITE_CLOCK


def test_the_page_says_what_waits_and_takes_the_agreement(cast, told, officer):
    describe(told, cast.nurse, "disease")
    nurse, doctor = sign_in(cast.nurse), sign_in(cast.sub_investigator)
    path = f"/safety/cases/{told.pk}/"
    assert "The stricter deadline stands" in nurse.get(path).content.decode()
    assert "ease" not in nurse.get(path).context["forms"]
    body = {"ease-reason": "Not in use", "ease-version": fresh(told).version}
    assert nurse.post(f"{path}ease/", body).status_code == 403
    shown = sign_in(officer).get("/safety/?look=decide").context["page"].object_list
    assert [line.case.pk for line in shown] == [told.pk]
    refused = doctor.post(f"{path}ease/", body | {"ease-reason": ""})
    assert refused.status_code == 422
    done = doctor.post(f"{path}ease/", body, follow=True).content.decode()
    assert "Not in use" in done
    assert "authority_grave" not in deadlines(told)


def test_a_machine_agrees_from_the_version_it_read(cast, told, officer):
    describe(told, cast.nurse, "disease")
    client = ApiClient(officer)
    read = client.get(f"sae-cases/{told.pk}/").json()
    assert read["eases_reason"] == "The suspected cause was changed"
    path, body = f"sae-cases/{told.pk}/easing/", {"reason": "Not in use"}
    assert client.post(path, body).status_code == 428
    done = client.post(path, body, version=read["version"])
    assert done.json()["eased_reason"] == "Not in use"
    assert done.json()["eases_since"] is None


def decline(case, by, reason="The circuit ran on that day") -> None:
    with as_person(by):
        decline_easing(case=case, reason=reason, by=by)


def test_who_may_agree_may_decline_and_the_stricter_deadline_stands_by_their_word(
    cast, told, officer
):
    describe(told, cast.nurse, "disease")
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        decline_easing(case=told, reason="x", by=cast.nurse)
    with as_person(officer), pytest.raises(DomainError, match="reason"):
        decline_easing(case=told, reason=" ", by=officer)
    before = deadlines(told)["authority_grave"]
    version = fresh(told).clock_version
    decline(told, officer)
    now = deadlines(told)["authority_grave"]
    assert (now.due_at, now.since, now.answers_from) == (
        before.due_at, before.since, before.answers_from,
    )  # fmt: skip
    assert (now.kept_by_id, now.reason) == (officer.pk, "The circuit ran on that day")
    assert deadlines(told, standing=False)["authority_grave"].replace_reason == now.reason
    assert (fresh(told).awaits_easing, fresh(told).eases_reason) == (False, "")
    assert (fresh(told).eased_at, fresh(told).clock_version) == (None, version)
    assert deadlines(told)["sponsor"].kept_by_id is None
    with as_person(officer), pytest.raises(TransitionError, match="No deadline"):
        decline_easing(case=told, reason="x", by=officer)


def test_what_was_declined_is_eased_by_no_proof_and_by_nobodys_own_judgement(cast, told, officer):
    """A sending or receipt asks nothing anew; a judgement does, and waits for a decision."""
    describe(told, cast.nurse, "disease")
    decline(told, officer)
    report = given(told.reports.get)()
    sent(report, "ethics", FRIDAY + 1.7 * HOUR, cast.nurse)
    assert "authority_grave" in deadlines(told)
    assert not fresh(told).awaits_easing
    say(told, cast.sub_investigator, **GRAVE, **NOT_RELATED)
    assert "authority_grave" in deadlines(told)
    assert fresh(told).awaits_easing
    assert fresh(told).eased_at is None
    sent(report, "institution", FRIDAY + 1.8 * HOUR, cast.nurse)
    assert fresh(told).awaits_easing
    agree(told, officer, "Read again")
    assert set(deadlines(told)) == SITE_CLOCK
    assert fresh(told).eased_reason == "Read again"


def test_after_a_decline_the_next_change_asks_anew_and_is_told_anew(
    cast, told, officer, run, sink, clock
):
    describe(told, cast.nurse, "disease")
    run(FRIDAY + 2.1 * HOUR)
    decline(told, officer)
    clock(FRIDAY + 3 * HOUR)
    say(told, cast.nurse, term="Sepsis")
    assert fresh(told).awaits_easing
    run(FRIDAY + 3.1 * HOUR)
    assert notices().count((officer.full_name, "easing-0")) == 2


def test_a_stricter_judgement_counts_at_once_also_after_a_decline(cast, told, officer):
    describe(told, cast.nurse, "disease")
    decline(told, officer)
    with as_person(cast.nurse):
        correct_awareness(
            case=told, aware_at=(FRIDAY - HOUR).replace(tzinfo=None), reason="Log", by=cast.nurse
        )
    assert local(deadlines(told)["sponsor"].due_at) == "Sat 2026-03-07 22:50"
    assert "authority_grave" in deadlines(told)


def test_the_page_takes_the_refusal_beside_the_agreement_and_says_who_declined(cast, told, officer):
    describe(told, cast.nurse, "disease")
    nurse, doctor = sign_in(cast.nurse), sign_in(cast.sub_investigator)
    path = f"/safety/cases/{told.pk}/"
    body = {"ease-reason": "It was in use", "ease-version": fresh(told).version}
    assert f"{path}decline/" in doctor.get(path).content.decode()
    assert nurse.post(f"{path}decline/", body).status_code == 403
    refused = doctor.post(f"{path}decline/", body | {"ease-reason": ""})
    assert refused.status_code == 422
    page = doctor.post(f"{path}decline/", body, follow=True).content.decode()
    assert f"Easing declined by {cast.sub_investigator.full_name}: It was in use" in page
    assert "The stricter deadline stands" not in page
    assert sign_in(officer).get("/safety/?look=decide").context["page"].object_list == []


def test_a_machine_declines_and_reads_why_the_deadline_stands(cast, told, officer):
    describe(told, cast.nurse, "disease")
    client = ApiClient(officer)
    read = client.get(f"sae-cases/{told.pk}/").json()
    path, body = f"sae-cases/{told.pk}/easing-refusal/", {"reason": "It was in use"}
    assert client.post(path, body).status_code == 428
    done = client.post(path, body, version=read["version"]).json()
    kept = {each["rule"]: each["kept_because"] for each in done["clocks"]}
    assert kept["authority_grave"] == "It was in use"
    assert set(kept.values()) == {"It was in use", ""}
    assert done["eases_since"] is None


def test_the_trail_says_who_declined_and_why(cast, told, officer):
    describe(told, cast.nurse, "disease")
    decline(told, officer)
    kept = deadlines(told)["authority_grave"]
    event = given(Event.objects.get)(table_name="outcomes_saedeadline", row_id=str(kept.pk))
    assert (event.reason, event.actor_id) == ("The circuit ran on that day", officer.pk)


def test_an_event_found_less_grave_is_news_to_all_who_were_told_that_it_was(
    cast, case, officer, clock
):
    reported(case, cast, officer, clock)
    clock(FRIDAY + 5 * HOUR)
    say(case, cast.sub_investigator, related_circuit="PROBABLE")
    found = deadlines(case)
    assert {local(found[to].due_at) for to in SITE_CLOCK} == {"Sun 2026-03-08 04:50"}
    reported(case, cast, officer, clock, "follow_up", FRIDAY + 6 * HOUR)
    line = sign_in(officer).get(f"/safety/cases/{case.pk}/").context["line"]
    assert {each.deadline.recipient for each in line.running} == {"authority"}


def test_the_authority_that_was_told_it_is_grave_is_told_that_it_is_not(cast, case, officer, clock):
    first = reported(case, cast, officer, clock)
    sent(first, "authority", FRIDAY + 1.4 * HOUR, officer)
    clock(FRIDAY + 5 * HOUR)
    say(case, cast.sub_investigator, related_circuit="PROBABLE")
    second = reported(case, cast, officer, clock, "follow_up", FRIDAY + 6 * HOUR)
    assert local(deadlines(case)["authority_other"].since) == "Sat 2026-03-07 06:10"
    line = sign_in(officer).get(f"/safety/cases/{case.pk}/").context["line"]
    assert {each.deadline.rule for each in line.running} == {"authority_other"}
    sent(second, "authority", FRIDAY + 6.4 * HOUR, officer)
    line = sign_in(officer).get(f"/safety/cases/{case.pk}/").context["line"]
    assert line.running == []
