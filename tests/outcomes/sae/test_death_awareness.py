"""A death is known from the first moment the site learnt of it, by whatever record."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import Error

from outcomes.models import Disposition, SaeCase, SurvivalContact, UnreportedDeath
from outcomes.services.sae_deaths import settle_death
from tests.factories import as_person, given, make_record, make_visit, sign_in
from tests.outcomes.conftest import SERIOUS, save_death, save_event
from tests.outcomes.sae.conftest import FRIDAY, first_word, local
from tests.outcomes.sae.test_deaths import notices, on_the_board
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import void_record
from trialsite.core.clock import trial_now
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf
from visits.models import VitalSigns

HOUR = dt.timedelta(hours=1)
KNOWN = FRIDAY + dt.timedelta(minutes=5)
FIRST = "Fri 2026-03-06 23:55"

CONTACT = {
    "contact_on": "2026-03-06", "mode": "TELEPHONE CALL", "informant": "FAMILY", "status": "DEAD",
}  # fmt: skip
ENDED = {"scope": "STUDY", "reason": "DEATH", "ended_on": "2026-03-06"}
FATAL = {
    "grade": "5", "outcome": "FATAL", "started_time": "", "ended_on": "", "ongoing": "false",
}  # fmt: skip


def saved(
    cast, subject: Subject, form: type[CrfData], texts: dict[str, str], record=None, **how: Any
) -> CrfRecord:
    """One record of a form, entered by the nurse but not completed."""
    if record is None:
        key = given(CrfRecord.objects.filter(subject=subject).count)() + 1
        record = make_record(subject, form_oid=form.form_oid, repeat_key=key)
    entry = read_texts(form, texts)
    assert not entry.errors, entry.errors
    with as_person(cast.nurse):
        found = CrfRecord.objects.get(pk=record.pk)
        return save_crf(
            record=found, entry=entry, by=cast.nurse, base_version=found.version, complete=False,
            **how,
        ).record  # fmt: skip


def told(cast, subject: Subject, by: str) -> CrfRecord:
    """A record that says that the participant is dead; none of them is a dated death form."""
    match by:
        case "contact":
            return saved(cast, subject, SurvivalContact, CONTACT)
        case "ending":
            return saved(cast, subject, Disposition, ENDED)
        case "event":
            key = given(CrfRecord.objects.filter(subject=subject).count)() + 1
            record = make_record(subject, form_oid="F.AE", repeat_key=key)
            return save_event(record, cast.nurse, 0, complete="no", **FATAL).record
    return save_death(subject, cast.nurse, died_on="", complete="no").record


def void(cast, record: CrfRecord) -> None:
    with as_person(cast.nurse):
        found = CrfRecord.objects.get(pk=record.pk)
        void_record(record=found, reason="entered wrongly", by=cast.nurse)


@pytest.mark.parametrize("by", ["contact", "ending", "event", "form"])
def test_a_death_starts_its_clock_by_whatever_record_tells_of_it(
    cast, subject, officer, clock, run, by
):
    clock(KNOWN)
    told(cast, subject, by)
    (line,) = on_the_board(officer)
    assert {local(each.due_at) for each in line.clocks} == {"Sat 2026-03-07 23:55"}
    run(KNOWN + 12.1 * HOUR)
    assert {step for _who, step in notices()} == {"h12"}


@pytest.mark.parametrize("by", ["contact", "ending", "event", "form"])
def test_the_record_of_the_death_that_follows_restarts_nothing(cast, subject, officer, clock, by):
    clock(KNOWN)
    told(cast, subject, by)
    clock(KNOWN + 30 * HOUR)
    version = 1 if by == "form" else 0
    save_death(subject, cast.nurse, version, died_on="2026-03-06", complete="no")
    (line,) = on_the_board(officer)
    assert local(line.death.known_at) == FIRST


@pytest.mark.parametrize("by", ["contact", "ending", "event", "form"])
def test_what_is_voided_and_entered_again_was_known_from_the_first(
    cast, subject, officer, clock, by
):
    clock(KNOWN)
    void(cast, told(cast, subject, by))
    assert on_the_board(officer) == []
    clock(KNOWN + 30 * HOUR)
    told(cast, subject, by)
    (line,) = on_the_board(officer)
    assert local(line.death.known_at) == FIRST
    clock(KNOWN + 40 * HOUR)
    case = first_word(subject, cast.nurse, term="Died", criterion="results_in_death",
                      another=True, aware_at=(KNOWN + 30 * HOUR).replace(tzinfo=None))  # fmt: skip
    assert case.standing == "grave"
    assert on_the_board(officer) == []


def test_a_fatal_serious_event_entered_again_counts_from_the_first(cast, subject, clock):
    clock(KNOWN)
    texts = SERIOUS | FATAL | {"results_in_death": "true", "aware_at": ""}
    first = save_event(
        make_record(subject, form_oid="F.AE"), cast.nurse, 0, complete="no", **texts
    ).record
    void(cast, first)
    clock(KNOWN + 30 * HOUR)
    again = make_record(subject, form_oid="F.AE", repeat_key=2)
    save_event(again, cast.nurse, 0, complete="no", **texts)
    case = given(SaeCase.objects.get)(record=again)
    assert local(case.aware_at) == FIRST


def test_a_contact_entered_days_later_was_known_on_its_day(cast, subject, officer, clock):
    clock(KNOWN + 72 * HOUR)
    told(cast, subject, "contact")
    (line,) = on_the_board(officer)
    assert local(line.death.known_at) == "Sat 2026-03-07 00:00"


def test_a_contact_corrected_to_alive_tells_of_no_death(cast, subject, officer, clock):
    clock(KNOWN)
    record = told(cast, subject, "contact")
    saved(cast, subject, SurvivalContact, CONTACT | {"status": "ALIVE"}, record)
    assert on_the_board(officer) == []


def test_a_death_that_a_later_sign_of_life_disproved_was_not_known(cast, subject, officer, clock):
    """A slip on another participant: the true death, months later, counts from its own day."""
    clock(KNOWN)
    void(cast, told(cast, subject, "form"))
    clock(KNOWN + 100 * 24 * HOUR)
    visit = make_visit(subject, "SE.UNS")
    record = make_record(subject, visit=visit)
    saved(cast, subject, VitalSigns, {"assessed_at": "2026-05-20T10:00"}, record)
    told(cast, subject, "contact")
    (line,) = on_the_board(officer)
    assert local(line.death.known_at) == "Sat 2026-03-07 00:00"
    void(cast, line.death.record)
    save_death(subject, cast.nurse, died_on="2026-06-14", complete="no")
    (line,) = on_the_board(officer)
    assert local(line.death.known_at) == local(given(trial_now)())


def test_one_death_is_one_line_however_many_records_tell_of_it(cast, subject, officer, clock):
    clock(KNOWN)
    for by in ("contact", "ending", "event", "form"):
        told(cast, subject, by)
    (line,) = on_the_board(officer)
    with as_person(officer):
        settle_death(death=line.death, reason="Before the consent", by=officer)
    assert on_the_board(officer) == []
    told(cast, subject, "contact")
    assert on_the_board(officer) == []


def test_what_was_settled_for_a_record_since_voided_settles_no_other_death(
    cast, subject, officer, clock
):
    clock(KNOWN)
    record = told(cast, subject, "contact")
    (line,) = on_the_board(officer)
    with as_person(officer):
        settle_death(death=line.death, reason="Another participant", by=officer)
    void(cast, record)
    clock(KNOWN + 30 * HOUR)
    told(cast, subject, "form")
    (line,) = on_the_board(officer)
    assert local(line.death.known_at) == local(KNOWN + 30 * HOUR)


def test_the_board_shows_which_record_tells_of_it(cast, subject, officer, clock):
    clock(KNOWN)
    record = told(cast, subject, "contact")
    page = sign_in(officer).get("/safety/").content.decode()
    assert f"/records/{record.pk}/" in page
    assert "Survival contact" in page
    assert "Not known" in page


def test_the_database_refuses_a_later_awareness_than_the_one_that_stands(cast, subject, clock):
    clock(KNOWN)
    told(cast, subject, "contact")
    clock(KNOWN + 30 * HOUR)
    other = make_record(subject, form_oid="F.DTH")
    with as_person(cast.nurse), pytest.raises(Error, match="first known"):
        UnreportedDeath.objects.create(
            record=other, site_id=subject.site_id, subject=subject, known_at=trial_now()
        )


def test_the_database_refuses_an_awareness_to_come(cast, subject, clock):
    clock(KNOWN)
    other = make_record(subject, form_oid="F.DTH")
    with as_person(cast.nurse), pytest.raises(Error, match="first known"):
        UnreportedDeath.objects.create(
            record=other, site_id=subject.site_id, subject=subject, known_at=trial_now() + HOUR
        )
