"""Every kind of notice that an app registers: it has a name, and reads in both languages."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

import pytest
from django.conf import settings
from django.utils.encoding import force_str
from django.utils.translation import override

from outcomes.models import Suspected, UnreportedDeath
from outcomes.services.sae_entry import FirstWord, report_event
from samples.models import Destruction
from screening.models.consent import Scope
from tests.factories import Cast, as_person, make_protocol, make_subject, make_visit
from tests.outcomes.conftest import save_death
from tests.samples.bench import collected, sampled, technician_at
from tests.samples.shipping import drafted
from tests.screening.consenting import consented, make_document, withdraw
from tests.visits.ledger import Course
from tests.visits.products import released
from trialsite.conduct.services.proposals import propose_hold
from trialsite.core.date_ranges import closed
from trialsite.core.partial_dates import PartialDate
from trialsite.notify.models import Lane, Notice
from trialsite.notify.planning import Mail, Planner, planner_of, planners, render
from trialsite.notify.selectors import kinds
from visits.models import LotDecision
from visits.services.products import quarantine_lot

#: What the tests' own app registers.
OWN = {"test-device", "test-round"}


def _reconsent(cast: Cast) -> uuid.UUID:
    make_protocol(cast.site)
    return consented(cast, make_document(cast, cast.site)).pk


def _visit(cast: Cast) -> uuid.UUID:
    day = dt.date(2026, 3, 6)
    return make_visit(make_subject(cast.site), target_on=day, window=closed(day, day)).pk


def _session(cast: Cast) -> uuid.UUID:
    course = Course.begin(cast)
    return course.session_ended("2026-03-02 22:00", "2026-03-03 01:00").record_id


def _proposal(cast: Cast) -> uuid.UUID:
    make_protocol(cast.site)
    with as_person(cast.investigator):
        return propose_hold(site=cast.site, rule="", reason="A test failed", key="test").pk


def _serious_event(cast: Cast) -> uuid.UUID:
    make_protocol(cast.site)
    subject = make_subject(cast.site)
    at = dt.datetime.fromisoformat("2026-03-02T09:00")
    word = FirstWord(
        term="Septic shock",
        reporter="Dr Wei, ICU",
        suspected=Suspected.CIRCUIT,
        criterion="life_threatening",
        aware_at=at,
        started_on=PartialDate.parse("2026-03-02"),
        started_time=at.time(),
    )
    with as_person(cast.nurse):
        return report_event(subject=subject, word=word, by=cast.nurse).pk


def _death(cast: Cast) -> uuid.UUID:
    make_protocol(cast.site)
    subject = make_subject(cast.site, status="enrolled")
    save_death(subject, cast.nurse, died_on="2026-03-01")
    with as_person(cast.nurse):
        return UnreportedDeath.objects.get(subject=subject).pk


def _stopped_lot(cast: Cast) -> uuid.UUID:
    lot = released(cast)
    with as_person(cast.investigator):
        quarantine_lot(lot=lot, reason="logger", by=cast.investigator)
        return LotDecision.objects.filter(lot=lot).latest("number").pk


def _samples_withdrawn(cast: Cast) -> uuid.UUID:
    visit = sampled(cast)
    collected(visit, technician_at(cast.site))
    withdraw(cast, visit.subject, Scope.SAMPLES)
    with as_person(cast.nurse):
        return Destruction.objects.get().pk


def _parcel(cast: Cast) -> uuid.UUID:
    make_protocol(cast.site)
    return drafted(cast.site, technician_at(cast.site)).pk


#: The keys of kinds whose text follows from them: rule, reader, version of the dates, day.
KEYS = {
    "sae-death": "sae-death:{}:h12:1:0",
    "sae-report": "sae-report:{}:h12:site-1:0",
    "visit": "visit:{}:target_day:1:0:2026-03-06",
    "session-check": "session-check:{}:session_adverse_events:1:0:2026-03-04",
}

#: A thing for each kind to speak of; a kind without one fails the companion below.
THINGS: dict[str, Callable[[Cast], uuid.UUID]] = {
    "death-hold": _proposal,
    "event-hold": _proposal,
    "integrity-failure": _proposal,
    "product-alert": _stopped_lot,
    "reconsent": _reconsent,
    "sae-death": _death,
    "sae-report": _serious_event,
    "sample-destruction": _samples_withdrawn,
    "session-check": _session,
    "shipment-late": _parcel,
    "visit": _visit,
}


def real() -> list[Planner]:
    return [planner for planner in planners() if planner.kind not in OWN]


def test_no_kind_of_notice_is_left_out():
    assert {planner.kind for planner in real()} == set(THINGS)


@pytest.mark.parametrize("planner", real(), ids=lambda planner: planner.kind)
def test_a_kind_has_a_name_in_both_languages(planner):
    assert kinds()[planner.kind] == planner.title
    for language, _name in settings.LANGUAGES:
        with override(language):
            assert force_str(planner.title).strip()


def _texts(cast: Cast, planner: Planner) -> dict[str, Mail]:
    about = THINGS[planner.kind](cast)
    notice = Notice(
        kind=planner.kind,
        object_id=about,
        dedupe_key=KEYS.get(planner.kind, "").format(about),
        site=cast.site,
        recipient=cast.nurse,
        lane=planner.lane,
    )
    texts = {}
    for language, _name in settings.LANGUAGES:
        with override(language), as_person(cast.nurse):
            texts[language] = render(notice, cast.nurse)
    return texts


@pytest.mark.requirement("RM1")
@pytest.mark.parametrize("planner", real(), ids=lambda planner: planner.kind)
def test_a_kind_reads_in_both_languages_and_leads_somewhere(planner, cast):
    texts = _texts(cast, planner)
    for mail in texts.values():
        assert mail.subject.strip()
        assert mail.body.strip()
        assert mail.path.startswith("/")
        assert "\n" not in mail.subject + mail.line
    assert planner_of(planner.kind).lane in Lane


@pytest.mark.requirement("PR3")
@pytest.mark.parametrize("planner", real(), ids=lambda planner: planner.kind)
def test_a_kind_tells_of_a_subject_the_number_only(planner, cast):
    """Nothing of the screened person's name or initials, though the site may see them."""
    texts = _texts(cast, planner)
    for mail in texts.values():
        for canary in CANARIES:
            assert canary not in f"{mail.subject}\n{mail.body}\n{mail.line}\n{mail.path}"


#: Texts that only ever stand where participants' data stand.
CANARIES = ("Zhang", "张", "@example.org", "+86", "1980-05-06", "µmol", "umol")
