"""The study overview: every figure is right, opens to exactly its rows, and is of own sites."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import Disposition, EndReason, Scope
from outcomes.selectors.sae_board import Look
from outcomes.services.dispositions import open_disposition
from screening.models.eligibility import Decided
from tests.dashboard.overview.opening import LISTS, OVERVIEW, numbers_on, rows_behind
from tests.dashboard.overview.study import (
    evaluated,
    histories,
    of_everything,
    subject_in,
    visits_of,
)
from tests.factories import as_person, given, make_record, make_subject, make_user, sign_in
from tests.outcomes.changes.conftest import api
from tests.outcomes.conftest import save_death, treated
from tests.outcomes.following import save
from trialsite.access.capabilities import GRANTS, Capability, Role
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import void_record
from trialsite.core.clock import trial_now, trial_today
from trialsite.dashboard.overview.board import Board, board_of
from trialsite.dashboard.overview.enrolment import FRAME, _scale
from trialsite.dashboard.overview.figures import FIGURES
from trialsite.dashboard.overview.flow import PARTS, Box, Stand, flow_of, stands_of
from trialsite.dashboard.overview.rows import LISTERS
from trialsite.dashboard.overview.scope import scope_of

__all__ = ["api"]


@pytest.fixture
def study(cast) -> None:
    of_everything(cast)


def board(user) -> Board:
    with as_person(user):
        return board_of(scope_of(user, now=trial_now()))


def counts(found: Board, figure: str, site: str = "") -> dict[str, int]:
    return {n.part: n.count for n in found.numbers if (n.figure, n.site) == (figure, site)}


# Every figure opens to its rows


@pytest.mark.parametrize("who", ["nurse", "investigator"])
def test_every_figure_opens_to_as_many_rows_as_it_counts(cast, study, who):
    """Of one site, and of two with each beside their sum."""
    client = sign_in(getattr(cast, who))
    opened: Counter[str] = Counter()
    for href, figure, part, site, count in numbers_on(client):
        assert bool(href) == (count > 0), (figure, part)
        if href:
            assert rows_behind(client, href) == count, (figure, part, site)
            opened[figure] += 1
    assert set(opened) == set(FIGURES), "a figure that this study has nothing of is not proven"


def test_every_number_that_is_registered_is_shown_and_no_other(cast, study):
    """What page and API count is the same set: no number stands on the page by itself."""
    client = sign_in(cast.investigator)
    shown = {(f, part, site, n) for _href, f, part, site, n in numbers_on(client)}
    kept = {(n.figure, n.part, n.site, n.count) for n in board(cast.investigator).numbers}
    assert shown <= kept
    # Who was never treated and why is told where somebody is; errors where there are any.
    for figure, part, site, count in kept - shown:
        assert figure == "flow", (figure, part, site)
        assert part.startswith("untreated_"), part
        assert site or not count


def test_a_nought_opens_to_nothing_too(cast, study):
    """The API gives the address of every number, also of those that the page does not link."""
    client = sign_in(cast.nurse)
    noughts = [each for each in board(cast.nurse).numbers if each.count == 0]
    assert {each.figure for each in noughts} > {"flow", "effective", "visits", "events"}
    for each in noughts:
        assert rows_behind(client, each.href) == 0, (each.figure, each.part)


def test_each_list_of_the_overview_belongs_to_a_figure_and_each_figure_to_a_known_list():
    own = {key for key, figure in FIGURES.items() if figure.address("", "").startswith(OVERVIEW)}
    assert own == set(LISTERS)
    assert len(LISTS) == 4


def test_a_cell_of_a_table_holds_a_number_of_the_registry_or_an_estimate(cast, study):
    page = sign_in(cast.investigator).get(OVERVIEW).content.decode()
    for cell in re.findall(r'<td class="number[^"]*">(.*?)</td>', page, re.DOTALL):
        plain = re.sub(r"<[^>]+>", "", cell).strip()
        assert "data-figure" in cell or not plain.isdecimal(), cell


# What is counted


def test_the_flow_is_the_one_of_the_histories(cast, study):
    """One of each kind at our site: two of the ended were never treated, one is on treatment."""
    found = counts(board(cast.nurse), "flow")
    expected = {
        Box.CONSIDERED: 11, Box.CONSENTED: 7, Box.SCREENED: 6, Box.ENROLLED: 4, Box.TREATED: 1,
        Box.NEVER_TREATED: 3, Stand.ELIGIBLE: 1, Stand.IN_SCREENING: 0, Stand.SCREEN_FAILED: 1,
        Stand.WAITING: 0, Stand.ON_STUDY: 1, Stand.UNTREATED_DIED: 1, Stand.DIED: 0,
        Stand.UNTREATED_WITHDRAWN: 1, Stand.UNTREATED_COMPLETED: 1, Stand.VOIDED: 1,
    }  # fmt: skip
    assert {part: found[part.value] for part in expected} == expected


def test_every_box_is_the_sum_of_its_parts_and_every_stand_is_in_one(cast, study):
    with as_person(cast.investigator):
        found = flow_of([cast.site.pk, cast.other_site.pk])
    for site in ("", "001", "002"):
        for box, parts in PARTS.items():
            assert found.of(box, site) == sum(found.of(part, site) for part in parts)
    leaves = [part for parts in PARTS.values() for part in parts if isinstance(part, Stand)]
    assert sorted(leaves) == sorted(set(Stand) - {Stand.VOIDED})
    assert stands_of(Box.CONSIDERED) == set(leaves)


def test_who_is_lost_is_told_from_who_withdrew(cast):
    histories(cast)
    subject = subject_in(cast.site, "withdrawn")
    enrolled = [each for each in _withdrawn(cast) if each != subject] or [subject]
    from_the_flow = counts(board(cast.nurse), "flow")
    assert from_the_flow[Stand.UNTREATED_WITHDRAWN] == 1
    end_as_lost(cast, enrolled[0])
    treated(enrolled[0], cast.nurse)
    now = counts(board(cast.nurse), "flow")
    assert (now[Stand.LOST], now[Stand.WITHDRAWN], now[Stand.UNTREATED_WITHDRAWN]) == (1, 0, 0)


def test_whose_treatment_ended_before_it_began_is_never_treated_and_waits_for_nothing(cast):
    histories(cast)
    subject = subject_in(cast.site, "enrolled")
    before = counts(board(cast.nurse), "flow")
    assert (before[Stand.WAITING], before[Stand.UNTREATED_ON_STUDY]) == (1, 0)
    with as_person(cast.nurse):
        record = open_disposition(subject=subject, scope=Scope.TREATMENT, by=cast.nurse)
    save(record, cast.nurse, scope="TREATMENT", ended_on="2026-03-20", reason="PHYSICIAN DECISION")
    found = counts(board(cast.nurse), "flow")
    assert (found[Stand.WAITING], found[Stand.UNTREATED_ON_STUDY]) == (0, 1)
    assert found[Box.NEVER_TREATED] == before[Box.NEVER_TREATED] + 1
    assert found[Box.ENROLLED] == before[Box.ENROLLED]
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=record.pk), reason="x", by=cast.nurse)
    assert counts(board(cast.nurse), "flow") == before


def _withdrawn(cast) -> list[Subject]:
    with as_person(cast.investigator):
        rows = Subject.objects.filter(site=cast.site, status="withdrawn", enrolments__isnull=False)
        return list(rows)


def end_as_lost(cast, subject: Subject) -> None:
    given(Disposition.objects.create)(
        record=make_record(subject, "F.DS"),
        site_id=subject.site_id,
        subject=subject,
        time_zone=subject.site.time_zone,
        scope=Scope.STUDY,
        reason=EndReason.LOST,
        ended_on="2026-03-20",
    )


def test_only_the_latest_evaluation_counts_for_the_verdicts(cast, study):
    found = counts(board(cast.nurse), "verdicts")
    assert (found["IN03.met"], found["IN03.not_met"]) == (2, 0)
    assert (found["EX04.met"], found["EX04.not_met"]) == (1, 1)
    assert counts(board(cast.nurse), "failed_by")["EX04"] == 1


def test_a_later_refusal_takes_a_person_out_of_the_eligible(cast, study):
    candidate = subject_in(cast.site, "screening")
    evaluated(cast, candidate, Decided.INELIGIBLE, 3, IN03="met")
    found = counts(board(cast.nurse), "flow")
    assert (found[Stand.ELIGIBLE], found[Stand.IN_SCREENING]) == (0, 1)


def test_sessions_stand_in_the_hour_that_the_circuit_ran(cast, study):
    """Six hours, two and a half, and one that still runs: it stands in no band."""
    treated(subject_in(cast.site, "enrolled"), cast.nurse, "2026-03-09T10:00", ended_at=None,
            stop_reason="")  # fmt: skip
    found = board(cast.nurse)
    bands = counts(found, "effective")
    assert {band: n for band, n in bands.items() if n} == {"6": 1, "2": 1}
    sessions = counts(found, "sessions")
    assert (sessions["all"], sessions["running"], sessions["early"]) == (3, 1, 1)
    assert (sessions["COMPLETED"], sessions["CLOTTING"]) == (1, 1)
    treatment = found.treatment
    assert (treatment.shortest, treatment.median, treatment.longest) == (
        Decimal("150.0"), Decimal("255.0"), Decimal("360.0"),
    )  # fmt: skip


def test_the_states_of_a_milestone_add_up_to_the_enrolled(cast, study):
    outcomes = board(cast.investigator).outcomes
    assert outcomes is not None
    assert outcomes.found.enrolled == 5
    for row in outcomes.states:
        assert sum(number.count for number in row.states) == row.all.count == 5


def test_who_died_before_a_day_has_come_is_said_beside_its_proportion(cast):
    """They stand under "Dead" and not in the fraction: 1/1 beside a death wants its word."""
    histories(cast)
    subject = subject_in(cast.other_site, "enrolled")
    treated(subject, cast.stranger, f"{_ago(2)}T10:00")
    given(Subject.objects.filter(pk=subject.pk).update)(day_zero=_ago(2))
    save_death(subject, cast.stranger, died_on=_ago(1))
    outcomes = board(cast.investigator).outcomes
    assert outcomes is not None
    early = [row.row.early for row in outcomes.states]
    assert any(early), "the study has nobody who died so soon: nothing is proven"
    page = sign_in(cast.investigator).get(OVERVIEW).content.decode()
    assert page.count("died before the day has come: not evaluable") == sum(map(bool, early))


def test_events_are_counted_once_in_every_column_they_belong_to(cast, study):
    """One of grade 2 that the circuit probably caused; one serious that has no grade yet."""
    found = counts(board(cast.nurse), "events")
    assert (found["all.2"], found["related.2"], found["serious.2"]) == (1, 1, 0)
    assert (found["all.0"], found["serious.0"], found["all"], found["serious"]) == (1, 1, 2, 1)


def test_an_axis_of_persons_has_whole_numbers_only():
    for most in (1, 3, 9, 10, 11, 24, 60, 997, 10_000):
        marks = _scale(most).marks
        assert marks[-1] >= most
        assert len(marks) <= 6
        assert all(mark == int(mark) for mark in marks)
    assert FRAME.left < FRAME.right


def test_the_overview_says_its_moment_its_anchor_and_its_sites(cast, study):
    page = sign_in(cast.nurse).get(OVERVIEW).content.decode()
    assert "As of" in page
    assert "Asia/Shanghai" in page
    assert "date of the first treatment session" in page


def test_an_empty_study_says_so(cast):
    page = sign_in(cast.investigator).get(OVERVIEW).content.decode()
    assert "Nobody is enrolled yet." in page
    assert "No session has been started yet." in page


# What is owed


def test_a_death_without_its_event_is_overdue_here_as_on_the_safety_board(cast, study, api):
    """One selector counts for the board, the overview and the API."""
    subject = make_subject(cast.site, number="001-902", status="enrolled")
    contact = make_record(subject, "F.SS")
    save(contact, cast.nurse, contact_on=_ago(3), status="DEAD", informant="FAMILY")
    client = sign_in(cast.investigator)
    seen = dict(client.get("/safety/").context["counts"])
    assert seen[Look.OVERDUE] == 1
    for user in (cast.nurse, cast.investigator):
        found = counts(board(user), "cases")
        assert (found["overdue"], found["open"], found["running"]) == (1, 1, 1)
    (href,) = {h for h, f, p, _s, _n in numbers_on(client) if (f, p) == ("cases", "overdue")}
    assert rows_behind(client, href) == 1
    assert rows_behind(client, "/safety/?look=running") == 1
    page = client.get(OVERVIEW).content.decode()
    assert "Death without a serious adverse event" in page
    said = {(n["figure"], n["part"]): n["count"] for n in
            api("investigator").get("overview/").json()["numbers"]}  # fmt: skip
    assert said["cases", "overdue"] == 1
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=contact.pk), reason="x", by=cast.nurse)
    assert counts(board(cast.investigator), "cases")["overdue"] == 0


def test_a_death_of_today_runs_and_is_not_overdue(cast, study):
    subject = make_subject(cast.site, number="001-902", status="enrolled")
    save(make_record(subject, "F.SS"), cast.nurse, contact_on=_ago(0), status="DEAD")
    found = counts(board(cast.investigator), "cases")
    assert (found["overdue"], found["running"]) == (0, 2)
    client = sign_in(cast.investigator)
    assert rows_behind(client, "/safety/?look=running") == 2
    assert len(client.get("/safety/?look=overdue").context["deaths"]) == 0
    for look in ("open", "decide", "suspected", "late", "closed", "all"):
        assert len(client.get(f"/safety/?look={look}").context["deaths"]) == 1


def _ago(days: int) -> str:
    return (trial_today("Asia/Shanghai") - dt.timedelta(days=days)).isoformat()


# Who sees what


def test_a_nurse_sees_her_site_and_nothing_of_another(cast, study):
    mine = board(cast.nurse)
    before = [(n.figure, n.part, n.count) for n in mine.numbers]
    foreign = make_subject(cast.other_site, number="002-900", status="enrolled")
    treated(foreign, cast.nurse)
    visits_of(foreign)
    assert [(n.figure, n.part, n.count) for n in board(cast.nurse).numbers] == before
    assert "002" not in {n.site for n in mine.numbers}


@pytest.mark.parametrize(
    "address",
    ["rows/flow/?part=enrolled&site=002", "rows/flow/?part=nowhere", "rows/nothing/",
     "rows/verdicts/?part=EX04", "rows/effective/?part=99", "rows/effective/?part=²",
     "rows/enrolled/?part=2026-13", "rows/sessions/?part=", "rows/complications/?part=NO",
     "rows/events/?part=all.9", "rows/failed_by/", "rows/cases/?part=open"],
)  # fmt: skip
def test_what_is_no_list_of_mine_does_not_exist(cast, study, address):
    assert sign_in(cast.nurse).get(f"{OVERVIEW}{address}").status_code == 404


def test_the_chosen_site_narrows_every_figure_and_its_lists(cast, study):
    client = sign_in(cast.investigator)
    client.post("/choices/site/", {"site": cast.other_site.pk})
    found = numbers_on(client)
    assert {count for _h, figure, part, _s, count in found if (figure, part) == ("enrolled", "")
            } == {1}  # fmt: skip
    for href, figure, part, _site, count in found:
        if href:
            assert rows_behind(client, href) == count, (figure, part)


def test_the_sponsor_knows_how_many_and_not_who(cast, study):
    sponsor = make_user(Role.SPONSOR)
    client = sign_in(sponsor)
    page = client.get(OVERVIEW).content.decode()
    found = numbers_on(client)
    assert not any(href for href, *_rest in found)
    theirs = {(f, p, s, n) for _h, f, p, s, n in numbers_on(sign_in(cast.investigator))}
    assert {(f, p, s, n) for _h, f, p, s, n in found} == theirs
    with as_person(cast.investigator):
        subjects = Subject.objects.values_list("screening_number", "number", "pk")
        known = {str(word) for row in subjects for word in row if word}
    assert known
    assert not [word for word in known if word in page]
    for figure in FIGURES:
        assert client.get(f"{OVERVIEW}rows/{figure}/").status_code == 404
    assert 'href="/outcomes/' not in page
    assert 'href="/subjects/' not in page


def test_who_sees_casebooks_sees_the_figures_and_who_hands_out_access_does_not():
    seeing = {role for role in Role if Capability.VIEW_OVERVIEW in GRANTS[role]}
    casebooks = {role for role in Role if Capability.VIEW_CASEBOOK in GRANTS[role]}
    assert seeing == casebooks | {Role.SPONSOR}


def test_a_role_without_the_log_has_the_counts_of_the_flow_and_no_list(cast, study):
    technician = make_user(Role.SAMPLE_TECHNICIAN, cast.site)
    client = sign_in(technician)
    flow = [each for each in numbers_on(client) if each[1] == "flow"]
    assert flow
    assert not any(href for href, *_rest in flow)
    assert client.get(f"{OVERVIEW}rows/flow/?part=enrolled").status_code == 404


# How much it asks of the database


def test_the_number_of_queries_does_not_grow(cast, study):
    client = sign_in(cast.investigator)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(OVERVIEW).status_code == 200
        return len(captured)

    queries()
    few = queries()
    histories(cast, times=5)
    for n in range(8):
        subject = make_subject(cast.site, number=f"001-9{n:02d}", status="enrolled")
        treated(subject, cast.nurse)
        visits_of(subject)
    assert queries() == few
    assert few <= 60


# The API


def test_the_api_answers_the_numbers_of_the_page(cast, study, api):
    answer = api("investigator").get("overview/").json()
    page = {(f, p, s or None, n) for _h, f, p, s, n in numbers_on(sign_in(cast.investigator))}
    said = {(n["figure"], n["part"], n["site"], n["count"]) for n in answer["numbers"]}
    assert page <= said
    assert answer["sites"] == ["001", "002"]
    assert answer["target_enrolment"] == 10
    assert dt.datetime.fromisoformat(answer["as_of"]).tzinfo is not None
    assert "first treatment" in answer["anchor"]
    client = sign_in(cast.investigator)
    assert all(rows_behind(client, n["rows"]) == n["count"] for n in answer["numbers"][:40])


def test_the_api_narrows_to_a_site_and_knows_no_foreign_one(cast, study, api):
    answer = api("investigator").get("overview/", site="002").json()
    assert answer["sites"] == ["002"]
    assert api("nurse").get("overview/", site="002").status_code == 404
    assert api("nurse").get("overview/", site="nowhere").status_code == 404
