"""The frame of every page: two languages, two widths, two themes, keyboard, no JavaScript."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange
from playwright.sync_api import expect

from tests import databases
from tests.e2e.stack import assert_accessible, assert_no_sideways_scroll, onward, screenshot
from tests.factories import given, make_record, make_subject, make_visit
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, SubjectStatus, VisitStatus
from trialsite.core.clock import trial_today
from trialsite.crf.models import Draft
from trialsite.review.models import Query

PLAN = (
    ("SE.SCR", 10, -14, 0), ("SE.D0", 20, 0, 0), ("SE.D1", 70, 1, 1), ("SE.D3", 80, 3, 4),
    ("SE.D5", 90, 5, 5), ("SE.D7", 100, 6, 8), ("SE.D14", 110, 12, 16), ("SE.D28", 120, 25, 31),
    ("SE.W8", 130, 49, 63), ("SE.W12", 140, 77, 91),
)  # fmt: skip
PAST = (
    RecordStatus.COMPLETE, RecordStatus.COMPLETE, RecordStatus.NOT_DONE, RecordStatus.IN_PROGRESS,
)  # fmt: skip


def enrolled(site: Site, number: str, *, day: int) -> Subject:
    """A subject on this day of the study, with the whole schedule laid out."""
    zero = trial_today(site.time_zone) - dt.timedelta(days=day)
    subject = make_subject(
        site, number=number, day_zero=zero, status=SubjectStatus.ENROLLED, consent_state="given"
    )
    for index, (event, visit_number, first, last) in enumerate(PLAN):
        begins, ends = (zero + dt.timedelta(days=each) for each in (first, last))
        attended = last < day - 3
        visit = make_visit(
            subject,
            event,
            visit_number=visit_number,
            target_on=begins + (ends - begins) / 2,
            window=DateRange(begins, ends, "[]"),
            status=VisitStatus.ATTENDED if attended else VisitStatus.PLANNED,
            attended_on=begins if attended else None,
        )
        status = PAST[index % 4] if attended else RecordStatus.NOT_STARTED
        reason = {"not_done_reason": "Too ill"} if status == RecordStatus.NOT_DONE else {}
        make_record(subject, visit=visit, status=status, **reason)
    make_record(subject)
    return subject


@given
def left_and_asked(subject: Subject, user: User) -> None:
    """The person's draft in the subject's last form, and a query about its first."""
    records = CrfRecord.objects.filter(subject=subject, visit__isnull=False)
    begun, asked = (
        records.filter(status=status).order_by("visit__visit_number")[0]
        for status in (RecordStatus.NOT_STARTED, RecordStatus.COMPLETE)
    )
    where = {"site_id": subject.site_id, "subject_id": subject.pk}
    Draft.objects.create(
        **where, record=begun, user=user, fields={"heart_rate": "0"}, base_version=0
    )
    Query.objects.create(**where, record=asked, item_oid="I.VS.HR")


@pytest.fixture(scope="module")
def subjects(stack, crew, django_db_blocker) -> list[Subject]:
    with django_db_blocker.unblock(), databases.using(stack.database):
        made = [
            enrolled(crew.site, f"001-{number:03d}", day=day)
            for number, day in enumerate((2, 4, 8, 13, 16, 18, 24), start=101)
        ]
        left_and_asked(made[3], crew.nurse)
    return made


LOOKS = [
    (language, width, theme)
    for language in ("en", "zh-hans")
    for width in (1440, 820)
    for theme in ("light", "dark")
]


@pytest.mark.parametrize(("language", "width", "theme"), LOOKS)
def test_the_pages_hold_in_every_language_width_and_theme(
    visit, cast, subjects, language, width, theme
):
    page = visit(cast.nurse, "/", language=language, width=width, theme=theme, touch=width == 820)
    for name, path in (
        ("today", "/"),
        ("subjects", "/subjects/"),
        ("casebook", f"/subjects/{subjects[3].pk}/"),
        ("screening", "/screening/"),
        ("new-entry", "/screening/new/"),
        ("search-nothing", "/search/?q=999"),
    ):
        page.goto(path)
        screenshot(page, f"{name}-{language}-{width}-{theme}")
        assert_accessible(page)
        assert_no_sideways_scroll(page)


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-hans", "dark")])
def test_errors_and_the_empty_study_hold_as_well(visit, cast, language, theme):
    visit.expect("404")
    visit.expect("403")
    page = visit(cast.administrator, "/", language=language, theme=theme)
    screenshot(page, f"welcome-{language}-{theme}")
    assert_accessible(page)
    for name, path in (("missing", "/nowhere/"), ("refused", "/subjects/")):
        page.goto(path)
        screenshot(page, f"{name}-{language}-{theme}")
        assert_accessible(page)
    nobody_yet = visit(cast.stranger, "/", language=language, theme=theme)
    screenshot(nobody_yet, f"empty-{language}-{theme}")
    assert_accessible(nobody_yet)


def test_the_device_decides_the_colours_until_the_person_does(visit, cast):
    page = visit(cast.nurse, "/", theme="auto", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.click("button[name=theme]")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    assert page.evaluate(background) != dark


def test_slash_goes_to_the_search_and_a_number_to_the_casebook(visit, cast, subjects):
    page = visit(cast.nurse, "/")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("001-103")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("001-103")
    page.locator("#search").fill("a/b")
    expect(page.locator("#search")).to_have_value("a/b")


def test_the_keyboard_reaches_everything_and_sees_where_it_is(visit, cast, subjects):
    page = visit(cast.investigator, "/")
    count = page.evaluate(
        """[...document.querySelectorAll('a[href], button, input, select, summary')]
           .filter(each => each.type !== 'hidden' && each.checkVisibility()).length"""
    )
    seen: set[int] = set()
    # A region that scrolls takes the focus too, and is none of these.
    while len(seen) < count:
        page.keyboard.press("Tab")
        place = page.evaluate(
            """() => {
              const all = [...document.querySelectorAll('a[href], button, input, select, summary')];
              const style = getComputedStyle(document.activeElement);
              return [all.indexOf(document.activeElement), parseFloat(style.outlineWidth),
                      style.outlineStyle];
            }"""
        )
        assert place[1] >= 2, place
        assert place[2] != "none", place
        on_page = page.evaluate("document.activeElement !== document.body")
        assert on_page, f"{len(seen)} of {count} reached"
        seen |= {place[0]} - {-1}


def test_a_phone_shows_the_frame_without_overlap(visit, cast, subjects):
    page = visit(cast.investigator, "/subjects/", width=390, height=844, touch=True, is_mobile=True)
    screenshot(page, "subjects-phone")
    bar = page.locator(".topbar").bounding_box()
    search = page.locator(".search").bounding_box()
    heading = page.locator("h1").bounding_box()
    assert bar is not None
    assert search is not None
    assert heading is not None
    assert search["y"] + search["height"] <= bar["y"] + bar["height"] <= heading["y"]
    assert_no_sideways_scroll(page)
    assert_accessible(page)


def test_the_first_tab_skips_to_the_content(visit, cast):
    page = visit(cast.nurse, "/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_the_person_menu_opens_and_closes_by_key(visit, cast):
    page = visit(cast.nurse, "/")
    page.locator(".person summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".person .menu-list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".person .menu-list")).to_be_hidden()
    expect(page.locator(".person summary")).to_be_focused()


def test_the_details_open_beside_the_page_and_close_by_key(visit, cast, subjects):
    page = visit(cast.nurse, "/subjects/")
    page.evaluate("document.querySelector('tbody th a').setAttribute('data-drawer', '')")
    page.locator("tbody th a").first.click()
    expect(page.locator("#drawer")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    expect(page.locator("tbody th a").first).to_be_focused()


def test_choosing_a_site_narrows_the_lists(visit, cast, subjects):
    page = visit(cast.investigator, "/subjects/")
    ours = page.locator("tbody tr", has_text="001-10")
    expect(ours).to_have_count(len(subjects))
    page.select_option("#site-switch", str(cast.other_site.pk))
    expect(ours).to_have_count(0)
    assert page.url.endswith("/subjects/")


def test_everything_works_without_javascript(visit, cast, subjects):
    page = visit(cast.investigator, "/subjects/", javascript=False)
    page.select_option("#site-switch", str(cast.site.pk))
    with onward(page):
        page.click(".switch button")
    page.fill("#filter-q", "001-10")
    page.select_option("#filter-status", "enrolled")
    with onward(page):
        page.click("text=Filter")
    expect(page.locator("tbody tr")).to_have_count(len(subjects))
    with onward(page):
        page.click("text=001-101")
    expect(page.locator("h1")).to_have_text("001-101")
    page.click(".person summary")
    expect(page.locator(".person .menu-list")).to_be_visible()
    with onward(page):
        page.click("button[name=theme]")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.locator("[data-print]")).to_be_hidden()
    page.fill("#search", "001-102")
    page.press("#search", "Enter")
    expect(page.locator("h1")).to_have_text("001-102")


def test_a_person_considered_is_entered_into_the_log_from_the_list(visit, cast):
    page = visit(cast.stranger, "/subjects/")
    with onward(page):
        page.get_by_role("link", name="New screening entry").click()
    page.locator("[name=source]").select_option("ward")
    with onward(page):
        page.locator("main button[type=submit]").first.click()
    expect(page.locator("h1")).to_contain_text("002-S001")
    expect(page.locator(".notice-success")).to_be_visible()


def test_paper_holds_the_list_and_nothing_to_press(visit, cast, subjects):
    page = visit(cast.nurse, "/")
    page.emulate_media(media="print")
    screenshot(page, "today-paper")
    for hidden in (".rail", ".search", ".page-actions", ".lane .btn"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator(".lane").first).to_be_visible()
    expect(page.locator(".env-badge")).to_be_visible()


def test_targets_are_large_enough_for_a_finger(visit, cast, subjects):
    page = visit(cast.nurse, f"/subjects/{subjects[3].pk}/", width=820, touch=True, is_mobile=True)
    small = page.evaluate(
        """[...document.querySelectorAll('a.btn, button, .cell, .rail a, select, summary')]
           .filter(each => each.checkVisibility())
           .filter(each => each.getBoundingClientRect().height < 43.5)
           .map(each => each.outerHTML.slice(0, 120))"""
    )
    assert small == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_environment_has_its_own_colour_and_all_are_legible(visit, cast, theme):
    page = visit(cast.nurse, "/subjects/", theme=theme)
    colours = set()
    for name in ("demo", "training", "production", "test"):
        page.evaluate("(name) => (document.body.className = `shell env-${name}`)", name)
        colours.add(
            page.evaluate("getComputedStyle(document.querySelector('.topbar')).borderTopColor")
        )
        assert_accessible(page)
    assert len(colours) == 4
