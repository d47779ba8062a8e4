"""The rules about deaths look at the death that any record tells of, whichever came first."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from outcomes.models import Disposition, SurvivalContact, Transplantation
from tests.factories import as_person, given, make_protocol, make_record, make_subject
from tests.outcomes.conftest import SERIOUS, save_death, save_event, treated
from tests.outcomes.following import save
from tests.outcomes.test_deaths import proposed
from tests.outcomes.test_safety_rules import holds, switch
from tests.screening.consenting import wall
from tests.visits.treating import end, fresh, prepared, start, treatable
from tests.visits.treating import entered as whole_session
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import void_record
from trialsite.conduct.models import ProposedHold, RuleKind
from trialsite.conduct.services.proposals import dismiss_proposed
from visits.services.sessions import void_session

SOON, RELATED = "death_after_session", "death_related"
CONTACT, ENDING, GRAFT, EVENT = (
    SurvivalContact.form_oid, Disposition.form_oid, Transplantation.form_oid, "F.AE",
)  # fmt: skip
FATAL = {"grade": "5", "outcome": "FATAL", "ended_on": "", "related_circuit": "NOT RELATED"}
ENDED = FATAL | {"ended_on": "2026-03-05"}


@pytest.fixture
def session(subject, cast):
    """From ten to four o'clock on 5 March: the last sign of life, unless a test says more."""
    return treated(subject, cast.nurse)


def tell(cast, subject, form_oid: str, **texts: Any) -> CrfRecord:
    """A record that is saved as its page saves it."""
    record = make_record(subject, form_oid)
    if form_oid == EVENT:
        save_event(record, cast.nurse, complete="no", **SERIOUS | texts)
    else:
        save(record, cast.nurse, **texts)
    return record


def change(cast, record: CrfRecord, **texts: Any) -> None:
    stands = given(CrfRecord.objects.get)(pk=record.pk)
    if record.form_oid == EVENT:
        save_event(record, cast.nurse, stands.version, reason="note", complete="no",
                   **SERIOUS | texts)  # fmt: skip
    else:
        save(record, cast.nurse, why="note", **texts)


def open_ones(subject) -> list[str]:
    return sorted(trigger for trigger, status, on in proposed(subject) if on and status == "open")


@pytest.mark.parametrize(
    ("form_oid", "texts", "triggers"),
    [
        (CONTACT, {"status": "DEAD", "contact_on": "2026-03-06"}, [SOON]),
        (CONTACT, {"status": "DEAD", "contact_on": "2026-04-06"}, [SOON]),
        (CONTACT, {"status": "DEAD", "contact_on": "2026-04-06",
                   "last_alive_on": "2026-03-07"}, []),
        (CONTACT, {"status": "DEAD", "contact_on": "2026-04-06",
                   "last_alive_on": "2026-03-06"}, [SOON]),
        (CONTACT, {"status": "DEAD"}, [SOON]),
        (CONTACT, {"status": "ALIVE", "contact_on": "2026-03-06"}, []),
        (CONTACT, {"status": "UNKNOWN", "contact_on": "2026-03-06"}, []),
        (ENDING, {"scope": "STUDY", "reason": "DEATH", "ended_on": "2026-03-06"}, [SOON]),
        (ENDING, {"scope": "STUDY", "reason": "DEATH", "ended_on": "2026-03"}, [SOON]),
        (ENDING, {"scope": "STUDY", "reason": "DEATH"}, [SOON]),
        (ENDING, {"scope": "TREATMENT", "reason": "DEATH", "ended_on": "2026-03-05"}, [SOON]),
        (ENDING, {"scope": "STUDY", "reason": "OTHER", "ended_on": "2026-03-06"}, []),
        (GRAFT, {"listed_on": "2026-03-01", "delisted_on": "2026-03-06",
                 "delist_reason": "DIED"}, [SOON]),
        (GRAFT, {"listed_on": "2026-03-01", "delisted_on": "2026-03-06",
                 "delist_reason": "IMPROVED"}, []),
        (EVENT, ENDED | {"ended_time": "22:00"}, [SOON]),
        (EVENT, FATAL | {"ended_on": "2026-03-06", "ended_time": "16:00"}, [SOON]),
        (EVENT, FATAL | {"ended_on": "2026-03-06", "ended_time": "16:01"}, []),
        (EVENT, FATAL | {"ended_on": "2026-03-07"}, []),
        (EVENT, FATAL, [SOON]),
        (EVENT, {"results_in_death": "true", "outcome": "", "grade": "", "ended_on": "",
                 "related_circuit": "NOT RELATED"}, [SOON]),
        (EVENT, FATAL | {"ended_on": "2026-03-07", "related_cells": "POSSIBLE"}, [RELATED]),
        (EVENT, {"outcome": "NOT RECOVERED/NOT RESOLVED", "ended_on": "",
                 "related_cells": "POSSIBLE"}, []),
    ],
)  # fmt: skip
def test_whichever_record_tells_of_the_death_proposes_the_hold(
    cast, subject, session, form_oid, texts, triggers
):
    record = tell(cast, subject, form_oid, **texts)
    assert open_ones(subject) == triggers
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=record.pk), reason="x", by=cast.nurse)
    assert open_ones(subject) == []


@pytest.mark.parametrize(
    ("form_oid", "dead", "alive"),
    [
        (CONTACT, {"status": "DEAD"}, {"status": "ALIVE"}),
        (ENDING, {"scope": "STUDY", "reason": "DEATH"}, {"scope": "STUDY", "reason": "OTHER"}),
        (EVENT, FATAL, {"grade": "4", "outcome": "UNKNOWN", "ended_on": ""}),
    ],
)
def test_what_is_no_death_any_more_ends_the_cause(cast, subject, session, form_oid, dead, alive):
    record = tell(cast, subject, form_oid, **dead)
    assert open_ones(subject) == [SOON]
    change(cast, record, **alive)
    assert proposed(subject) == [(SOON, "open", False)]


def test_all_records_together_are_one_death_and_one_proposal(cast, subject, session):
    tell(cast, subject, EVENT, **FATAL)
    tell(cast, subject, CONTACT, status="DEAD", contact_on="2026-03-06")
    save_death(subject, cast.nurse, died_on="2026-03-06", died_time="09:00", complete="no")
    assert proposed(subject) == [(SOON, "open", True)]


def test_a_contact_that_knew_them_alive_later_narrows_what_another_leaves_open(
    cast, subject, session
):
    tell(cast, subject, EVENT, **FATAL)
    assert open_ones(subject) == [SOON]
    tell(cast, subject, CONTACT, status="DEAD", contact_on="2026-04-06", last_alive_on="2026-03-20")
    assert open_ones(subject) == []


def test_once_its_form_says_when_the_form_decides(cast, subject, session):
    tell(cast, subject, CONTACT, status="DEAD", contact_on="2026-04-06")
    save_death(subject, cast.nurse, died_on="", complete="no")
    assert open_ones(subject) == [SOON]
    save_death(subject, cast.nurse, 1, died_on="2026-03-20", complete="no")
    assert open_ones(subject) == []


def test_a_form_that_judges_nothing_related_does_not_silence_the_event(cast, subject, session):
    """The stricter word stands until the other is corrected."""
    record = tell(cast, subject, EVENT, **FATAL | {"ended_on": "2026-03-20",
                  "related_cells": "PROBABLE"})  # fmt: skip
    save_death(subject, cast.nurse, died_on="2026-03-20", complete="no")
    assert open_ones(subject) == [RELATED]
    change(cast, record, **FATAL | {"ended_on": "2026-03-20", "related_cells": "UNLIKELY"})
    assert open_ones(subject) == []


def test_a_graver_word_is_proposed_anew_after_a_dismissal(cast, subject, session):
    record = tell(cast, subject, EVENT, **FATAL | {"ended_on": "2026-03-20",
                  "related_cells": "POSSIBLE"})  # fmt: skip
    _dismiss(cast, subject)
    assert open_ones(subject) == []
    save_death(subject, cast.nurse, died_on="2026-03-20", related_cells="UNLIKELY",
               related_anticoagulant="NOT RELATED", complete="no")  # fmt: skip
    assert open_ones(subject) == []
    change(cast, record, **FATAL | {"ended_on": "2026-03-20", "related_cells": "DEFINITE"})
    assert open_ones(subject) == [RELATED]


def _dismiss(cast, subject) -> None:
    with as_person(cast.investigator):
        (row,) = ProposedHold.objects.filter(subject=subject)
        dismiss_proposed(proposal=row, reason="seen", by=cast.investigator)


def test_switched_on_the_first_record_that_tells_places_the_hold(cast):
    version = make_protocol(cast.site, cast.other_site)
    subject = make_subject(cast.site, number="001-009", status="enrolled")
    treated(subject, cast.nurse)
    switch(cast, version, RuleKind.HOLD, SOON)
    tell(cast, subject, CONTACT, status="DEAD", contact_on="2026-03-06")
    (hold,) = holds()
    assert (hold.site, hold.rule, hold.placed_by) == (cast.site, SOON, None)


def test_without_treatment_no_record_proposes_anything(cast, subject):
    tell(cast, subject, CONTACT, status="DEAD", contact_on="2026-03-06")
    assert proposed(subject) == []


@pytest.mark.parametrize("form_oid", ["F.DTH", CONTACT, EVENT])
def test_a_death_that_was_entered_before_its_session_proposes_when_the_session_comes(
    cast, form_oid
):
    """A sheet on paper is entered late; nobody saves the death again for it."""
    subject = treatable(cast)
    session = prepared(cast, subject)
    died = wall(cast.site, hours=-3)
    _entered(cast, subject, form_oid, died)
    assert proposed(subject) == []
    started = start(cast, session, wall(cast.site, hours=-9), late_reason="sheet found")
    assert open_ones(subject) == [SOON]
    end(cast, started, wall(cast.site, hours=-4))
    assert open_ones(subject) == [SOON]


def test_a_whole_session_entered_afterwards_proposes_for_the_death_that_was_there(cast):
    subject = treatable(cast)
    session = prepared(cast, subject)
    _entered(cast, subject, CONTACT, wall(cast.site, hours=-3))
    whole = whole_session(cast, session, hours=-40, late_reason="sheet found")
    assert whole.ended_at is not None
    assert open_ones(subject) == [SOON]
    with as_person(cast.investigator):
        void_session(session=whole, reason="another participant", by=cast.investigator)
    assert open_ones(subject) == []


def _entered(cast, subject: Subject, form_oid: str, died: dt.datetime) -> None:
    on, at = died.date().isoformat(), died.strftime("%H:%M")
    if form_oid == "F.DTH":
        save_death(fresh(subject), cast.nurse, died_on=on, died_time=at, complete="no")
        return
    texts: dict[str, Any] = {"status": "DEAD", "contact_on": on}
    if form_oid == EVENT:
        since = {"started_on": on, "started_time": "", "aware_at": f"{on}T{at}"}
        texts = FATAL | since | {"ended_on": on, "ended_time": at}
    tell(cast, fresh(subject), form_oid, **texts)
