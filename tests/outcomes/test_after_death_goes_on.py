"""After a death that a nurse entered: tubes are frozen two hours later, laboratories answer the
next day, and nothing is observed of the dead (decisions C10)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from samples.services.aliquots import store_aliquot
from samples.services.specimens import collect_specimen
from tests.factories import as_person, given, make_record, make_visit, sign_in
from tests.labs.conftest import make_laboratory
from tests.labs.importing import HEAD, LONG, Desk, rows
from tests.labs.test_panel_page import Tab
from tests.outcomes.conftest import DEATH
from tests.outcomes.test_deaths import vital_signs
from tests.samples.bench import aliquoted, box_at, labelled, sampled, technician_at
from tests.screening.consenting import wall
from trialsite.access.context import system_context
from trialsite.casebook.models import Subject, Visit
from trialsite.core.context import Channel, acting
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.importing.models import ImportState
from trialsite.labs.models import LabPanel, LabResult
from trialsite.labs.services.mappings import keep_mapping

pytestmark = pytest.mark.requirement("PR1")

#: Hours from now: the tube and the draw before the death, the freezer two hours after it.
DRAWN, DIED, FROZEN = -29.0, -28.0, -26.0


@pytest.fixture
def visit(cast) -> Visit:
    return sampled(cast)


def minute(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="minutes")


def dies(cast, subject: Subject) -> str:
    """The nurse enters the death at the bedside; its date as the casebook keeps it."""
    client, at = sign_in(cast.nurse), wall(subject.site, hours=DIED)
    place = client.post(f"/subjects/{subject.pk}/death/").headers["Location"]
    said = {"died_on": at.date().isoformat(), "died_time": at.strftime("%H:%M")}
    answer = client.post(place, DEATH | said | {"version": "0", "action": "complete"})
    assert answer.status_code == 302, answer.content.decode()
    found: Subject = given(Subject.objects.get)(pk=subject.pk)
    assert (found.status, found.died_on) == ("died", said["died_on"])
    return said["died_on"]


def test_a_tube_is_frozen_two_hours_after_the_death_and_none_is_collected(cast, visit):
    technician = technician_at(cast.site)
    box = box_at(cast.site, technician)
    made = aliquoted(visit, technician, hours=DRAWN, volume=Decimal("0.5"))
    (later,) = labelled(visit, technician, "SERUM")
    died_on = dies(cast, visit.subject)
    with as_person(technician):
        frozen = store_aliquot(
            aliquot=made[0], box=box, by=technician, at=wall(visit.site, hours=FROZEN)
        )
        assert (frozen.state, frozen.box_id) == ("stored", box.pk)
        with pytest.raises(ImpossibleError, match=f"The participant died on {died_on}"):
            collect_specimen(specimen=later, by=technician, at=wall(visit.site))


def test_results_of_before_come_the_next_day_and_a_draw_after_the_death_is_refused(cast, visit):
    subject = visit.subject
    make_laboratory(cast.site)
    first, second = (
        make_record(subject, form_oid="F.LB", visit=visit, repeat_key=key) for key in (8, 9)
    )
    died_on = dies(cast, subject)
    client, now = sign_in(cast.nurse), wall(subject.site)
    potassium = {"K": "4.1", "K.unit": "mmol/L", "received_at": minute(now)}
    drawn = {"collected_at": minute(wall(subject.site, hours=DRAWN))}
    assert Tab(client, first).post(potassium | drawn).status == 302
    tab = Tab(client, second).post(potassium | {"collected_at": minute(now)})
    assert tab.status == 422
    assert f"The participant died on {died_on}: this is later." in tab.html
    assert tab.value("K") == "4.1"
    with as_person(cast.nurse):
        assert [each.text for each in LabResult.objects.filter(panel__subject=subject)] == ["4.1"]


def test_a_laboratorys_file_of_late_results_is_taken_and_a_later_draw_is_not(cast, visit):
    subject, laboratory = visit.subject, make_laboratory(cast.site)
    died_on = dies(cast, subject)
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
    with acting(system_context("tests", Channel.COMMAND)):
        before = f"{wall(subject.site, hours=DRAWN):%Y-%m-%d %H:%M}"
        late = Desk(cast.nurse).upload(
            laboratory, (HEAD + rows(subject, "K,4.1,mmol/L", "PT,20,s", at=before)).encode()
        )
        late.accept()
        assert late.found.state == ImportState.ACCEPTED
        after = f"{wall(subject.site):%Y-%m-%d %H:%M}"
        refused = Desk(cast.nurse).upload(
            laboratory, (HEAD + rows(subject, "K,5.5,mmol/L", at=after)).encode(), "y.csv"
        )
        assert f"The participant died on {died_on}: this is later." in refused.said
        refused.accept()
        assert refused.found.state != ImportState.ACCEPTED
        assert {each.text for each in LabResult.objects.filter(panel__subject=subject)} == {
            "4.1", "20",
        }  # fmt: skip
        assert LabPanel.objects.filter(subject=subject).count() == 1


def test_an_observation_dated_after_the_death_is_refused_with_the_reason(cast, visit):
    subject = visit.subject
    make_visit(subject, "SE.UNS")
    died_on = dies(cast, subject)
    with pytest.raises(ImpossibleError) as refused:
        vital_signs(subject, cast.nurse, minute(wall(subject.site)))
    assert refused.value.errors == {
        "assessed_at": [f"The participant died on {died_on}: this is later."]
    }
    assert vital_signs(subject, cast.nurse, minute(wall(subject.site, hours=DRAWN)))
