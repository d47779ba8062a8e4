"""The sponsor's clocks begin when the sponsor knew, by whatever way, and nobody lays them later."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError

from outcomes.models import SponsorAwareness
from outcomes.services.sae_awareness import (
    Knowledge,
    record_sponsor_awareness,
    void_sponsor_awareness,
)
from tests.api.conftest import ApiClient
from tests.factories import as_person, given, sign_in
from tests.outcomes.sae.conftest import FRIDAY, first_word, local, received, sent, signed
from tests.outcomes.sae.test_cases import DEAD, SITE_CLOCK, deadlines, fresh, reported, say
from trialsite.core.exceptions import DomainError, NotPermittedError

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def knew(case, by, at: dt.datetime, *, grave=True, suspected=True) -> SponsorAwareness:
    with as_person(by):
        said = Knowledge(
            known_at=at, source="call", told="Ward to duty line", grave=grave, suspected=suspected
        )
        return record_sponsor_awareness(case=case, knowledge=said, by=by)


def test_a_call_to_the_sponsor_starts_their_clock_before_anything_is_sent(cast, case, clock):
    clock(FRIDAY + HOUR)
    knew(case, cast.nurse, FRIDAY + dt.timedelta(minutes=5))
    found = deadlines(case)
    assert local(found["authority_grave"].since) == "Fri 2026-03-06 23:55"
    # Friday is day 0, though the report may leave on Saturday.
    assert local(found["authority_grave"].due_at) == "Fri 2026-03-13 23:59"
    assert local(found["authority_grave_follow_up"].due_at) == "Sat 2026-03-21 23:59"
    # The site owes its report to the sponsor all the same.
    assert local(found["sponsor"].due_at) == "Sat 2026-03-07 23:50"


def test_neither_a_later_call_nor_a_receipt_lays_the_clock_later(cast, case, officer, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * DAY)
    receipt = sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse)
    received(receipt, FRIDAY + 2 * HOUR, officer)
    knew(case, officer, FRIDAY + 1.5 * DAY)
    assert local(deadlines(case)["authority_grave"].since) == "Sat 2026-03-07 01:50"
    knew(case, officer, FRIDAY + HOUR)
    assert local(deadlines(case)["authority_grave"].since) == "Sat 2026-03-07 00:50"
    assert deadlines(case)["authority_grave"].answers_from == 0


def test_knowing_of_the_event_is_not_knowing_that_it_is_grave(cast, subject, clock):
    clock(FRIDAY + dt.timedelta(minutes=5))
    mild = first_word(subject, cast.nurse, criterion="hospitalisation", suspected="circuit")
    clock(FRIDAY + HOUR)
    knew(mild, cast.nurse, FRIDAY + dt.timedelta(minutes=10), grave=False)
    assert local(deadlines(mild)["authority_other"].due_at) == "Sun 2026-03-22 23:59"
    assert "authority_grave" not in deadlines(mild)


def test_an_upgrade_starts_its_own_clock_when_the_sponsor_knew_of_it(cast, subject, officer, clock):
    clock(FRIDAY + dt.timedelta(minutes=5))
    mild = first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")
    reported(mild, cast, officer, clock)
    known = FRIDAY + 3 * DAY
    clock(known)
    say(mild, cast.nurse, **DEAD, related_circuit="PROBABLE")
    # Until somebody says when the sponsor knew, it counts from the upgrade here (Monday).
    assert local(deadlines(mild)["authority_grave"].since)[:14] == "Mon 2026-03-09"
    clock(known + 5 * HOUR)
    # The monitor had told them on Monday evening, four hours before the site entered it.
    knew(mild, officer, known - 4 * HOUR)
    found = deadlines(mild)
    assert local(found["authority_grave"].since) == "Mon 2026-03-09 19:50"
    assert local(found["authority_grave"].due_at) == "Mon 2026-03-16 23:59"
    # What answers it is the report that says so.
    assert found["authority_grave"].answers_from == 1


def test_who_enters_it_names_the_source_and_no_moment_to_come(cast, case, clock):
    clock(FRIDAY + HOUR)
    with pytest.raises(DomainError, match="future"):
        knew(case, cast.nurse, FRIDAY + 2 * HOUR)
    with pytest.raises(NotPermittedError):
        knew(case, cast.monitor, FRIDAY)
    said = Knowledge(known_at=FRIDAY, source="call", told=" ")
    with as_person(cast.nurse), pytest.raises(DomainError, match="who told"):
        record_sponsor_awareness(case=case, knowledge=said, by=cast.nurse)
    assert given(SponsorAwareness.objects.count)() == 0


def test_only_the_safety_officer_takes_it_back(cast, case, officer, clock):
    clock(FRIDAY + HOUR)
    kept = knew(case, cast.nurse, FRIDAY)
    with as_person(cast.sub_investigator), pytest.raises(NotPermittedError):
        void_sponsor_awareness(awareness=kept, reason="x", by=cast.sub_investigator)
    with as_person(officer):
        void_sponsor_awareness(awareness=kept, reason="Another case", by=officer)
    assert set(deadlines(case)) == SITE_CLOCK
    gone = deadlines(case, standing=False)["authority_grave"]
    assert gone.replace_reason == "Another case"


@pytest.mark.parametrize("change", [{"known_at": FRIDAY + HOUR}, {"told": "x"}, {"grave": False}])
def test_the_database_keeps_what_the_sponsor_knew(cast, case, clock, change):
    clock(FRIDAY + 2 * HOUR)
    kept = knew(case, cast.nurse, FRIDAY)
    with as_person(cast.nurse), pytest.raises(Exception, match="sponsor knew stays"):
        SponsorAwareness.objects.filter(pk=kept.pk).update(**change)


def test_the_database_takes_no_moment_to_come(cast, case, clock):
    clock(FRIDAY + HOUR)
    kept = knew(case, cast.nurse, FRIDAY)
    with as_person(cast.nurse), pytest.raises(IntegrityError, match="not_ahead"):
        SponsorAwareness.objects.create(
            case=case, site_id=case.site_id, subject_id=case.subject_id,
            record_id=case.record_id, known_at=FRIDAY + DAY, source="call", told="x",
            entered_by=cast.nurse, entered_at=kept.entered_at,
        )  # fmt: skip


def test_it_is_entered_on_the_page_and_voided_by_the_officer(cast, case, officer, clock):
    clock(FRIDAY + HOUR)
    nurse = sign_in(cast.nurse)
    body = {
        "knew-version": fresh(case).version, "knew-known_at": "2026-03-06T23:58",
        "knew-source": "monitor", "knew-told": "", "knew-grave": "on", "knew-suspected": "on",
    }  # fmt: skip
    path = f"/safety/cases/{case.pk}/sponsor-knew/"
    refused = nurse.post(path, body)
    assert refused.status_code == 422
    assert 'value="2026-03-06T23:58"' in refused.content.decode()
    page = nurse.post(path, body | {"knew-told": "Monitor to sponsor"}, follow=True)
    assert "2026-03-13 23:59" in page.content.decode()
    assert "the sponsor’s knowledge" in page.content.decode()
    kept = given(SponsorAwareness.objects.get)()
    void = f"/safety/sponsor-knew/{kept.pk}/void/"
    assert nurse.get(void).status_code == 403
    watch = sign_in(officer)
    assert "Monitor to sponsor" in watch.get(void).content.decode()
    done = watch.post(void, {"reason": "Another case"}, follow=True)
    assert "2026-03-13 23:59" not in done.context["line"].clocks
    assert set(deadlines(case)) == SITE_CLOCK


def test_it_is_entered_and_voided_by_machine(cast, case, officer, clock):
    clock(FRIDAY + HOUR)
    nurse = ApiClient(cast.nurse)
    version = nurse.get(f"sae-cases/{case.pk}/").json()["version"]
    body = {
        "known_at": "2026-03-06T15:58:00Z", "source": "call", "told": "Ward to duty line",
        "grave": True, "suspected": True,
    }  # fmt: skip
    path = f"sae-cases/{case.pk}/sponsor-awareness/"
    done = nurse.post(path, body, version=version)
    assert done.status_code == 200, done.content
    [kept] = done.json()["sponsor_awareness"]
    clocks = {each["rule"]: each for each in done.json()["clocks"]}
    assert clocks["authority_grave"]["since"] == "2026-03-06T15:58:00Z"
    void = f"sae-sponsor-awareness/{kept['id']}/void/"
    assert nurse.post(void, {"reason": "x"}).status_code == 403
    gone = ApiClient(officer).post(void, {"reason": "Another case"})
    assert gone.json()["sponsor_awareness"] == []
