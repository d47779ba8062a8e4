"""Each role finds its own work on Today, nobody finds another's, and no figure is a dead end."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.dashboard.sessions import make_reading, make_session
from tests.factories import (
    as_person,
    given,
    make_entry,
    make_protocol,
    make_subject,
    make_user,
    sign_in,
)
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership
from trialsite.casebook.models import VisitMode, VisitStatus
from trialsite.conduct.models import Scope
from trialsite.conduct.services.holds import place_hold
from trialsite.core.clock import trial_now, trial_today
from trialsite.dashboard.board import SECTIONS, WORDS
from trialsite.dashboard.sessions import sessions_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


def page_of(user) -> str:
    answer = sign_in(user).get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def main_of(page: str) -> str:
    return page.split("<main", 1)[1].split("</main>")[0]


@pytest.fixture
def busy(cast, visit_with_forms):
    """Site 001 with a visit of each kind, a session and a person in screening; 002 as a canary."""
    today = trial_today("Asia/Shanghai")
    make_protocol(cast.site, cast.other_site)
    made = {
        site.code: {
            "overdue": visit_with_forms(site, -9, -5, today=today),
            "open": visit_with_forms(site, -1, 3, today=today),
            "owing": visit_with_forms(
                site, -9, -7, today=today, status=VisitStatus.ATTENDED,
                attended_on=today - dt.timedelta(days=8), mode=VisitMode.ON_SITE,
            ),
        }
        for site in (cast.site, cast.other_site)
    }  # fmt: skip
    now = trial_now().astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0)
    for number, site in enumerate((cast.site, cast.other_site)):
        subject = make_subject(site, screening_number=f"{site.code}-R{number}")
        make_session(cast, subject, started_at=now - dt.timedelta(hours=2))
    make_entry(cast.site, cast.nurse)
    make_entry(cast.other_site, cast.stranger)
    return made


def everybody(cast) -> dict[Role, object]:
    """One person of each role, of site 001 where a role can be a site's."""
    return {role: make_user(role, cast.site) for role in Role}


def test_every_role_has_its_sections_and_its_words():
    assert set(SECTIONS) == set(WORDS) == set(Role)


@pytest.mark.parametrize("role", Role)
def test_every_role_is_told_what_the_page_is_for(cast, busy, role):
    assert str(WORDS[role]) in main_of(page_of(make_user(role, cast.site)))


def test_whoever_has_no_role_is_told_so(db):
    assert "The study administrator delegates a role to you" in page_of(make_user())


@pytest.mark.requirement("IA2")
@pytest.mark.parametrize("role", Role)
def test_nothing_of_another_site_stands_on_any_page(cast, busy, role):
    page = main_of(page_of(make_user(role, cast.site)))
    assert not re.search(r"\b002-", page)  # a key holds these letters by chance, never as a word
    for visit in busy["002"].values():
        assert visit.subject.screening_number not in page


#: What stands on the page of a role, by a word of it.
SEEN = {
    Role.RESEARCH_NURSE: ["Overdue", "Open now", "forms 0/1", "labs 0/", "Treatment sessions",
                          "Do the visit", "Continue where you left off", "Open queries to you",
                          "In screening", "Re-consent due", "Forms missing after visits"],
    Role.PRINCIPAL_INVESTIGATOR: ["Await your signature", "Safety", "Overdue", "Enrolled",
                                  "Proposed deviations", "Sessions of the last 7 days"],
    Role.SUB_INVESTIGATOR: ["Await your signature", "Safety", "Overdue"],
    Role.DATA_MANAGER: ["By site", "Answers to judge", "Overdue visits", "Forms missing",
                        "In the window, last 28 days"],
    Role.MONITOR: ["By site", "Answers to judge", "Overdue visits"],
    Role.SAFETY_OFFICER: ["Safety", "Serious adverse events going on", "Treatment sessions"],
    Role.SAMPLE_TECHNICIAN: ["Samples expected"],
    Role.AUDITOR: ["By site", "Overdue visits"],
    Role.SITE_RECRUITER: ["In screening"],
    Role.STUDY_ADMINISTRATOR: ["People whose access is incomplete"],
}  # fmt: skip
#: And what does not.
UNSEEN = {
    Role.PRINCIPAL_INVESTIGATOR: ["Open now", "By site"],
    Role.DATA_MANAGER: ["Do the visit", "Continue where", "In screening", "New screening entry"],
    Role.MONITOR: ["Do the visit", "Continue where", "In screening", "New screening entry"],
    Role.SAFETY_OFFICER: ["Do the visit", "forms 0/", "In screening", "By site"],
    Role.SAMPLE_TECHNICIAN: ["forms 0/", "labs 0/", "Do the visit", "Overdue", "Safety", "Queries",
                             "In screening", "Enrolled", "Treatment sessions"],
    Role.AUDITOR: ["Do the visit", "In screening", "Answers to judge"],
    Role.SITE_RECRUITER: ["Overdue", "/subjects/", "Safety"],
    Role.STUDY_ADMINISTRATOR: ["Overdue", "/subjects/", "Safety", "In screening"],
    Role.SPONSOR: ["Overdue", "/subjects/", "Safety", "In screening"],
}  # fmt: skip


@pytest.mark.parametrize("role", SEEN)
def test_a_role_finds_its_own_work(cast, busy, role):
    page = main_of(page_of(make_user(role, cast.site)))
    assert [word for word in SEEN[role] if word not in page] == []


@pytest.mark.parametrize("role", UNSEEN)
def test_a_role_finds_no_work_of_another(cast, busy, role):
    page = main_of(page_of(make_user(role, cast.site)))
    assert [word for word in UNSEEN[role] if word in page] == []


def test_a_person_of_two_roles_finds_both(cast, busy):
    person = make_user(Role.MONITOR, cast.site)
    _also(person, cast.site, Role.SAFETY_OFFICER)
    page = main_of(page_of(person))
    assert "By site" in page
    assert "Serious adverse events going on" in page


@given
def _also(person, site, role) -> None:
    Membership.objects.create(user=person, site=site, role=role, valid_from="2026-01-01")


def _tiles(page: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r'<a href="([^"]+)"><strong>([^<]+)</strong><span>([^<]+)</span>', page)
    return {title: (figure, href.replace("&amp;", "&")) for href, figure, title in found}


@pytest.mark.parametrize(
    "role", [Role.PRINCIPAL_INVESTIGATOR, Role.DATA_MANAGER, Role.SAFETY_OFFICER]
)
def test_every_figure_of_the_board_opens(cast, busy, role):
    client = sign_in(make_user(role, cast.site))
    page = client.get("/").content.decode()
    tiles = _tiles(page)
    assert len(tiles) >= 5
    for figure, href in tiles.values():
        if href.startswith("#"):
            assert f'id="{href[1:]}"' in page
        else:
            assert client.get(href).status_code == 200, href
        assert re.fullmatch(r"\d+(/\d+)?", figure)


def test_the_figures_are_the_length_of_the_lists_behind_them(cast, busy):
    client = sign_in(cast.nurse)
    tiles = _tiles(client.get("/").content.decode())
    for title, expected in {"Overdue visits": 1, "Forms missing after visits": 1}.items():
        figure, href = tiles[title]
        assert int(figure) == expected == client.get(href).context["page"].paginator.count


def test_the_sites_stand_side_by_side_and_each_figure_opens(cast, busy):
    client = sign_in(cast.data_manager)
    page = main_of(client.get("/").content.decode())
    for code in ("001", "002"):
        address = f"/compliance/visits/?state=overdue&amp;site={code}"
        assert f'href="{address}">1</a>' in page
        behind = client.get(address.replace("&amp;", "&"))
        assert [line.visit for line in behind.context["lines"]] == [busy[code]["overdue"]]
        owed = client.get(f"/compliance/forms/?site={code}")
        assert [row.visit for row, _form, _name in owed.context["lines"]] == [busy[code]["owing"]]


def test_a_hold_stands_before_investigator_and_safety_officer(cast):
    make_protocol(cast.site)
    with as_person(cast.investigator):
        place_hold(
            site=cast.site, scope=Scope.BOTH, reason="Haemolysis in two", by=cast.investigator
        )
    for person in (cast.investigator, make_user(Role.SAFETY_OFFICER, cast.site)):
        page = main_of(page_of(person))
        assert "Haemolysis in two" in page
        assert _tiles(page)["Holds that stand"][0] == "1"
    assert "Haemolysis" not in page_of(cast.stranger)


def test_the_administrator_sees_whose_access_is_incomplete_and_no_data(cast):
    untrained = make_user(Role.RESEARCH_NURSE, cast.site, trained=False, full_name="Uta Untrained")
    make_user(full_name="Rita Roleless")
    page = main_of(page_of(cast.administrator))
    assert "Uta Untrained" in page
    assert "no training on record" in page
    assert "Rita Roleless" in page
    assert f"/people/{untrained.pk}/" in page
    assert "Nora Nurse" not in page
    ours = make_user(Role.STUDY_ADMINISTRATOR, cast.other_site)
    assert "Uta Untrained" not in page_of(ours)


def wall(hours: float) -> dt.datetime:
    """That many hours from now on the clock in Shanghai, to the minute."""
    moment = trial_now().astimezone(SHANGHAI) + dt.timedelta(hours=hours)
    return moment.replace(tzinfo=None, second=0, microsecond=0)


def mine(user, now=None):
    with as_person(user):
        return sessions_of(user, now=now or trial_now())


def test_a_running_session_says_when_its_next_reading_is_due(cast):
    session = make_session(cast, make_subject(cast.site), started_at=wall(-1))
    (line,) = mine(cast.nurse).running
    assert line.reading_late
    assert line.reading_at <= session.started_at + dt.timedelta(minutes=30)
    make_reading(session, wall(0), 60)
    (line,) = mine(cast.nurse).running
    assert not line.reading_late
    assert line.reading_at > session.started_at + dt.timedelta(minutes=60)
    assert "next reading" in page_of(cast.nurse)


@pytest.mark.parametrize(("hours_ago", "asked"), [(23, False), (25, True), (70, True), (73, False)])
def test_a_day_after_a_session_adverse_events_are_asked_about(cast, hours_ago, asked):
    subject = make_subject(cast.site)
    make_session(cast, subject, started_at=wall(-hours_ago - 4), ended_at=wall(-hours_ago))
    checks = [session.subject for session, _due in mine(cast.nurse).checks]
    assert checks == ([subject] if asked else [])
    assert ("Adverse event check" in page_of(cast.nurse)) == asked


def test_a_voided_session_is_no_work(cast):
    make_session(
        cast,
        make_subject(cast.site),
        started_at=wall(-1),
        voided_at=trial_now(),
        void_reason="Wrong subject",
    )
    assert mine(cast.nurse).running == []


def _cost(client, path="/") -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_today_costs_each_role_the_same_at_10_and_at_200_visits(cast, visit_with_forms):
    today = trial_today("Asia/Shanghai")
    make_protocol(cast.site)

    def add(count: int) -> None:
        for number in range(count):
            visit = visit_with_forms(
                cast.site, number % 19 - 9, number % 19 - 6, today=today, subject=subject
            )
            if number % 2:
                _attend(visit, today)

    subject = make_subject(cast.site)
    roles = [role for role in Role if SECTIONS[role]]
    clients = {role: sign_in(make_user(role, cast.site)) for role in roles}

    def costs() -> dict[Role, int]:
        """Of a second look each: a first one after half a minute notes that somebody is there."""
        return {role: [_cost(client), _cost(client)][-1] for role, client in clients.items()}

    add(10)
    few = costs()
    add(190)
    assert costs() == few


@given
def _attend(visit, today) -> None:
    type(visit).objects.filter(pk=visit.pk).update(
        status=VisitStatus.ATTENDED, attended_on=today, mode=VisitMode.ON_SITE
    )


def test_sessions_cost_the_same_however_many(cast):
    client = sign_in(cast.nurse)

    def add(count: int) -> None:
        for _ in range(count):
            make_session(cast, make_subject(cast.site), started_at=wall(-2))

    add(2)
    _cost(client)
    few = _cost(client)
    add(10)
    assert _cost(client) == few


def test_the_paper_list_has_boxes_for_the_visit_and_for_what_is_missing(cast, busy, nurse_client):
    page = main_of(nurse_client.get("/").content.decode())
    row = page.split(busy["001"]["open"].subject.screening_number, 1)[0].rpartition("<tr>")[2]
    assert 'class="tick-box"' in row
    assert '<li><span class="tick-box"></span>Vital signs</li>' in page


def test_today_speaks_chinese_where_that_is_read(cast, busy):
    nurse = make_user(Role.RESEARCH_NURSE, cast.site, language="zh-hans")
    page = main_of(page_of(nurse))
    assert "第7天" in page.replace(" ", "")
