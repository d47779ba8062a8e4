"""The pages of the product on the demonstration study: whoever uses them reads them in both
languages, on desk and tablet, by day and at night."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import Browser, expect

from outcomes.models import AdverseEvent
from screening.models import ScreeningEntry
from tests import databases
from tests.demo.making import demonstration
from tests.e2e.stack import (
    Visitors,
    assert_accessible,
    assert_no_sideways_scroll,
    landed,
    screenshot,
    serve,
)
from trialsite.access.context import system_context
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.conduct.models import Deviation, SafetySnapshot
from trialsite.core.context import Channel, acting
from trialsite.demo.product import IN_USE
from trialsite.labs.models import Laboratory, ReferenceRange
from visits.models import Complication, TreatmentSession

DOCUMENTS = databases.ROOT / "docs/screenshots"

PAGES = {
    "nurse": {
        "today": "/",
        "log": "/screening/",
        "new-entry": "/screening/new/",
        "entry-before-consent": "/screening/{asked}/",
        "identifiers": "/screening/{asked}/identity/",
        "find-person": "/screening/identifiers/",
        "first-consent": "/screening/{asked}/consent/",
        "entry": "/screening/{waiting}/",
        "casebook": "/subjects/{subject}/",
        "outcome": "/subjects/{subject}/outcome/",
        "consent": "/subjects/{subject}/consent/",
        "capacity": "/subjects/{subject}/consent/capacity/",
        "withdrawal": "/subjects/{subject}/consent/withdraw/",
        "panel-empty": "/labs/panels/{empty}/",
        "panel-full": "/labs/panels/{full}/",
        "draws": "/labs/subjects/{subject}/",
        "ctcae-grades": "/labs/subjects/{subject}/grades/",
        "earlier-purification": "/labs/subjects/{subject}/purifications/",
        "history": "/records/{history}/",
        "month": "/calendar/",
        "visit": "/visits/{visit}/",
        "add-visit": "/subjects/{subject}/visits/add/",
        "sessions": "/subjects/{subject}/sessions/",
        "session-plan": "/subjects/{subject}/sessions/plan/",
        "session-prepared": "/sessions/{prepared}/",
        "session-ended": "/sessions/{ended}/",
        "products": "/products/",
        "accountability": "/products/accountability/",
        "lot": "/products/{lot}/",
        "notices": "/notices/",
        "preferences": "/notices/preferences/",
        "deficiencies": "/device-deficiencies/",
        "new-deficiency": "/device-deficiencies/new/",
    },
    "subi": {"eligibility": "/subjects/{candidate}/eligibility/"},
    "pi": {
        "documents": "/consent-documents/",
        "reconsent": "/consents/due/",
        "holds": "/holds/",
        "safety-snapshot": "/holds/snapshots/{snapshot}/",
        "deviations": "/deviations/",
        "deviation": "/deviations/{deviation}/",
        "today-pi": "/",
        "overview": "/overview/",
        "overview-rows": "/overview/rows/flow/?part=enrolled",
        "session-running": "/sessions/{running}/",
        "session-troubled": "/sessions/{troubled}/",
        "adverse-events": "/subjects/{harmed}/adverse-events/",
        "adverse-event": "/records/{event}/",
        "recall": "/products/{lot}/recall/",
    },
    "dm": {
        "laboratories": "/labs/laboratories/",
        "laboratory": "/labs/laboratories/{laboratory}/",
        "range": "/labs/ranges/{range}/",
        "today-dm": "/",
        "compliance": "/compliance/",
        "endpoints": "/outcomes/endpoints/",
        "endpoint-subjects": "/outcomes/endpoints/subjects/?of=milestone&what=enrolled&day=28",
        "changes": "/outcomes/changes/",
        "biomarkers": "/outcomes/biomarkers/",
        "biomarkers-ratio": "/outcomes/biomarkers/?scale=ratio&subject=001-001",
        "subject-biomarkers": "/subjects/{subject}/biomarkers/",
        "delivery-log": "/notices/log/",
    },
    "monitor": {"today-monitor": "/"},
    "safety": {"today-safety": "/"},
    "tech": {"today-tech": "/"},
}


@pytest.fixture(scope="module")
def demo_visit(browser: Browser, django_db_blocker) -> Iterator[Visitors]:
    """Visits to the product on the demonstration study."""
    with (
        django_db_blocker.unblock(),
        demonstration(databases.of_this_process("demopages")) as name,
        databases.using(name),
    ):
        stack = serve(name, DEMO="1")
        visitors = Visitors(browser, stack)
        try:
            yield visitors
            visitors.leave()
        finally:
            stack.stop()
            for connection in connections.all():
                connection.close()


@pytest.fixture(scope="module")
def places(demo_visit) -> dict[str, object]:
    """Whose pages are looked at."""
    with acting(system_context("test", Channel.COMMAND)):
        log = ScreeningEntry.objects.filter(outcome="open", site__code="001")
        waiting = log.get(subject__isnull=False)
        subject = Subject.objects.get(number="001-001")
        draws = CrfRecord.objects.filter(subject=subject, form_oid="F.LB", visit__isnull=False)
        laboratory = Laboratory.objects.get(site__code="003")
        sessions = TreatmentSession.objects.standing()
        troubled = Complication.objects.get()
        return {
            "visit": subject.visits.filter(status="attended").order_by("-attended_on")[0].pk,
            "prepared": sessions.get(started_at=None, site__code="001").pk,
            "ended": sessions.filter(subject=subject).latest("number").pk,
            "running": sessions.running()[0].pk,
            "troubled": troubled.record_id,
            "harmed": troubled.subject_id,
            "event": AdverseEvent.objects.get(record__adverse_event_origin__isnull=False).pk,
            "lot": IN_USE,
            "asked": log.get(subject=None).pk,
            "waiting": waiting.pk,
            "candidate": waiting.subject_id,
            "subject": subject.pk,
            "empty": draws.filter(status="not_started")[0].pk,
            "full": draws.filter(status="complete").order_by("visit__visit_number")[0].pk,
            "history": CrfRecord.objects.get(subject=subject, form_oid="F.MH").pk,
            "deviation": Deviation.objects.latest("pk").pk,
            "snapshot": SafetySnapshot.objects.get().pk,
            "laboratory": laboratory.pk,
            "range": ReferenceRange.objects.filter(laboratory=laboratory)[0].pk,
        }


@pytest.mark.requirement("TH2")
@pytest.mark.parametrize("login", PAGES)
@pytest.mark.parametrize(
    ("width", "language", "theme"), [(1440, "en", "light"), (820, "zh-hans", "dark")]
)
def test_the_pages_are_accessible_and_fit(demo_visit, places, login, width, language, theme):
    user = User.objects.get(email=f"{login}@demo.example")
    look = {"width": width, "language": language, "theme": theme, "touch": width == 820}
    page = demo_visit(user, "/account/profile/", **look)
    for name, path in PAGES[login].items():
        answer = page.goto(path.format(**places))
        assert answer is not None
        assert answer.status == 200, path
        screenshot(page, f"{name}-{language}-{width}-{theme}", full_page=True)
        assert_accessible(page)
        assert_no_sideways_scroll(page)


def test_the_investigator_opens_the_study_overview_and_a_figure_of_it_to_its_rows(demo_visit):
    """From Today by the rail; what the figure says is how many rows its list shows."""
    page = demo_visit(User.objects.get(email="pi@demo.example"), "/", width=1440)
    page.get_by_role("navigation").get_by_role("link", name="Study overview").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Study overview")
    figure = page.locator("a[data-figure='flow'][data-part='enrolled'][data-site='']").first
    count = int(figure.inner_text())
    figure.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Enrolled")
    expect(page.locator("tr[data-row]")).to_have_count(count)
    page.locator("tr[data-row] a").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "/screening/" in page.url


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_head_of_a_page_fits_from_tablet_to_desk(demo_visit, language):
    """With several sites to choose from and two versions of the protocol in force."""
    user = User.objects.get(email="pi@demo.example")
    page = demo_visit(user, "/account/profile/", width=1440, language=language)
    expect(page.locator(".brand-sub")).to_contain_text("1.1")
    for width in (1440, 1261, 1260, 1024, 960, 901, 900, 820, 768):
        page.set_viewport_size({"width": width, "height": 900})
        assert_no_sideways_scroll(page)


#: The pictures of the documents: whose page, which, how wide and in which language.
PICTURES = {
    "overview-en-1440": ("pi", "/overview/"),
    "eligibility-en-1440": ("subi", "/subjects/{candidate}/eligibility/"),
    "casebook-en-1440": ("dm", "/subjects/{subject}/"),
    "today-zh-820": ("nurse", "/"),
    "session-zh-820": ("pi", "/sessions/{running}/#readings"),
    "form-zh-820": ("nurse", "/records/{history}/"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_documents_show_what_the_product_shows(demo_visit, places, name):
    """`make pictures` keeps them; here they are taken, and every one has its place."""
    login, path = PICTURES[name]
    _subject, language, width = name.split("-")
    user = User.objects.get(email=f"{login}@demo.example")
    chosen = "zh-hans" if language == "zh" else language
    page = demo_visit(user, path.format(**places), width=int(width), language=chosen)
    expect(page.locator(".env-synthetic")).to_be_visible()
    landed(page)
    taken = screenshot(page, f"docs-{name}")
    kept = DOCUMENTS / f"{name}.png"
    if os.environ.get("PICTURES"):
        shutil.copyfile(taken, kept)
    assert kept.exists()


def test_every_picture_of_the_documents_is_taken_here():
    assert {path.stem for path in DOCUMENTS.glob("*.png")} == set(PICTURES)
