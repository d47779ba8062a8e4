"""The run sheet: every act by a plain form, refusals beside their fields, nothing typed lost."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from screening.models import ConsentDocument
from tests.factories import as_person, make_record, make_user, sign_in
from tests.screening.consenting import wall
from tests.visits.treating import ended, planned, prepared, read, running, treatable
from trialsite.access.capabilities import Role
from trialsite.casebook.models import RecordStatus
from trialsite.core.clock import trial_today
from trialsite.crf.models import Draft
from visits.models import (
    ChecklistAnswer,
    Complication,
    IntegrityTest,
    Interruption,
    SessionReading,
    TreatmentSession,
)
from visits.runsheet.due import id_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def subject(cast):
    return treatable(cast)


@pytest.fixture
def nurse(cast):
    return sign_in(cast.nurse)


def url(session, rest=""):
    return f"/sessions/{session.pk}/{rest}"


def fresh(cast, session):
    with as_person(cast.nurse):
        return TreatmentSession.objects.select_related("record").get(pk=session.pk)


def version(cast, session):
    return str(fresh(cast, session).record.version)


def rows(cast, table, session):
    with as_person(cast.nurse):
        return list(table.objects.filter(record_id=session.pk).order_by("number"))


def of_line(session, slot, texts, *, row_id=None, stands=0, base=None):
    """A line of the grid as its page posts it."""
    row_id = row_id or id_of(session, slot)
    fields = texts | {"version": str(stands), "base": json.dumps(base or {}), "slot": slot}
    return row_id, {f"r.{row_id}.{name}": text for name, text in fields.items()}


def save_line(client, session, slot, texts, **options):
    row_id, fields = of_line(session, slot, texts, **options)
    headers = {"X-Autosave": "1"}
    return client.post(url(session, f"readings/{row_id}/"), fields, headers=headers)


def clock(session, minutes):
    return (session.started_at + dt.timedelta(minutes=minutes)).strftime("%H:%M")


# ---- the pages, and who opens them


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_of_a_session_opens_in_both_languages(cast, subject, language):
    session = running(cast, subject)
    client = sign_in(cast.nurse, headers={"accept-language": language})
    paths = (
        f"/subjects/{subject.pk}/sessions/",
        f"/subjects/{subject.pk}/sessions/plan/",
        url(session),
        url(session, "live/"),
        url(session, "paper/"),
        url(session, "paper/?blank=1"),
    )
    for path in paths:
        assert client.get(path).status_code == 200, path


def test_the_record_of_a_session_opens_its_sheet(cast, subject, nurse):
    session = running(cast, subject)
    assert nurse.get(f"/records/{session.pk}/")["Location"] == url(session)


def test_the_session_of_another_site_is_not_there(cast, subject):
    session = running(cast, subject)
    stranger = sign_in(cast.stranger)
    assert stranger.get(url(session)).status_code == 404
    assert stranger.get(f"/subjects/{subject.pk}/sessions/").status_code == 404
    assert stranger.post(url(session, "end/"), {"stop_reason": "COMPLETED"}).status_code == 404
    assert save_line(stranger, session, "s0", {"systolic": "1"}).status_code == 404
    assert rows(cast, SessionReading, session) == []


def test_the_monitor_reads_the_sheet_and_can_enter_nothing(cast, subject):
    session = running(cast, subject)
    read(session, cast.nurse, {"observed_at": f"{session.started_at:%Y-%m-%dT%H:%M}"})
    monitor = sign_in(cast.monitor)
    page = monitor.get(url(session)).content.decode()
    assert "data-editable" not in page
    assert "tx-stop" not in page
    assert f'name="r.{id_of(session, "s0")}.systolic"' not in page
    assert save_line(monitor, session, "s15", {"systolic": "118"}).status_code == 403
    assert monitor.post(url(session, "still/")).status_code == 403


def test_a_sheet_costs_the_same_queries_however_much_is_on_it(cast, subject, nurse):
    session = running(cast, subject)
    with CaptureQueriesContext(connection) as few:
        nurse.get(url(session))
    for minute in (0, 15, 30, 60, 90):
        at = session.started_at + dt.timedelta(minutes=minute)
        read(session, cast.nurse, {"observed_at": f"{at:%Y-%m-%dT%H:%M}", "systolic": "118"})
    with CaptureQueriesContext(connection) as many:
        nurse.get(url(session))
    assert len(many) <= len(few) + 1


def test_a_treatment_visit_without_a_session_leads_to_its_plan(cast, subject, nurse):
    session = planned(cast, subject)
    with as_person(cast.nurse):
        visit = fresh(cast, session).record.visit
    bare = make_record(subject, "F.TX", visit=visit, repeat_key=2)
    assert nurse.get(f"/sessions/{bare.pk}/")["Location"] == (
        f"/subjects/{subject.pk}/sessions/plan/"
    )
    monitor = sign_in(cast.monitor)
    assert monitor.get(f"/sessions/{bare.pk}/")["Location"] == f"/subjects/{subject.pk}/sessions/"


# ---- planning, checklist, start


def test_a_session_is_planned_and_opens_on_its_sheet(cast, subject, nurse):
    said = {"modality": ["PE"], "no_cells_reason": "No lot today", "planned_minutes": "300"}
    answer = nurse.post(f"/subjects/{subject.pk}/sessions/plan/", said)
    with as_person(cast.nurse):
        session = TreatmentSession.objects.get(subject=subject)
    assert answer["Location"] == url(session)
    assert (session.number, session.planned_minutes) == (1, 300)


def test_a_plan_without_cells_asks_why_and_keeps_what_was_typed(cast, subject, nurse):
    said = {"modality": ["PE"], "planned_minutes": "275"}
    answer = nurse.post(f"/subjects/{subject.pk}/sessions/plan/", said)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Say why the session is without the MSC reactor." in page
    assert 'value="275"' in page


def test_the_checklist_is_answered_by_its_form(cast, subject, nurse):
    session = planned(cast, subject)
    page = nurse.get(url(session)).content.decode()
    keys = [part.split('"')[0] for part in page.split('name="v.')[1:]]
    said = {f"q.{key}": "yes" for key in keys} | {f"v.{key}": "0" for key in keys}
    said |= {f"q.{keys[0]}": "no", f"why.{keys[0]}": "consent form not at hand"}
    assert nurse.post(url(session, "checklist/"), said)["Location"].endswith("#checklist")
    with as_person(cast.nurse):
        answers = {each.key: each for each in ChecklistAnswer.objects.filter(session=session)}
    assert set(answers) == set(keys)
    assert answers[keys[0]].answer is False
    assert answers[keys[0]].reason == "consent form not at hand"


def test_an_answer_somebody_else_gave_meanwhile_stands_and_mine_comes_back(cast, subject, nurse):
    session = prepared(cast, subject)
    with as_person(cast.nurse):
        key = ChecklistAnswer.objects.filter(session=session).values_list("key", flat=True)[0]
    said = {f"q.{key}": "no", f"v.{key}": "0", f"why.{key}": "seen otherwise"}
    answer = nurse.post(url(session, "checklist/"), said)
    assert answer.status_code == 409
    assert "seen otherwise" in answer.content.decode()
    with as_person(cast.nurse):
        assert ChecklistAnswer.objects.get(session=session, key=key).answer is True


def test_a_physician_lets_a_no_pass_and_a_nurse_cannot(cast, subject, nurse):
    session = planned(cast, subject)
    page = nurse.get(url(session)).content.decode()
    key = page.split('name="v.')[1].split('"')[0]
    nurse.post(url(session, "checklist/"), {f"q.{key}": "no", f"v.{key}": "0"})
    said = {"key": key, "version": "1", "reason": "MAP 64, vasopressor running"}
    assert nurse.post(url(session, "override/"), said).status_code == 403
    doctor = sign_in(cast.sub_investigator)
    refused = doctor.post(url(session, "override/"), said | {"reason": " "})
    assert refused.status_code == 422
    assert doctor.post(url(session, "override/"), said).status_code == 302
    with as_person(cast.nurse):
        answer = ChecklistAnswer.objects.get(session=session, key=key)
    assert answer.overridden_by == cast.sub_investigator


def start_fields(cast, session, **said):
    return {
        "version": version(cast, session),
        "operator": str(cast.nurse.pk),
        "second_checker": str(cast.second_nurse.pk),
        "physician": str(cast.sub_investigator.pk),
    } | said


def test_a_session_starts_now_or_at_the_time_that_is_entered(cast, subject, nurse):
    session = prepared(cast, subject)
    began = wall(subject.site, hours=-1)
    said = start_fields(cast, session, started_at=f"{began:%H:%M}")
    assert nurse.post(url(session, "start/"), said)["Location"].endswith("#readings")
    assert fresh(cast, session).started_at == began.replace(second=0, microsecond=0)


def test_a_start_without_its_checklist_says_why_and_loses_nothing(cast, subject, nurse):
    session = planned(cast, subject)
    said = start_fields(cast, session, started_at="07:4x")
    answer = nurse.post(url(session, "start/"), said)
    assert answer.status_code == 422
    assert "such as 14:30" in answer.content.decode()
    assert 'value="07:4x"' in answer.content.decode()
    answer = nurse.post(url(session, "start/"), start_fields(cast, session))
    assert answer.status_code == 422
    assert "Not answered" in answer.content.decode()
    assert f'value="{cast.second_nurse.pk}" selected' in answer.content.decode()
    assert fresh(cast, session).started_at is None


def test_operator_and_checker_are_two_people(cast, subject, nurse):
    session = prepared(cast, subject)
    said = start_fields(cast, session, second_checker=str(cast.nurse.pk))
    answer = nurse.post(url(session, "start/"), said)
    assert answer.status_code == 422
    assert "two people" in answer.content.decode()


def test_an_act_on_a_sheet_that_somebody_else_moved_on_is_shown_first(cast, subject, nurse):
    session = prepared(cast, subject)
    old = start_fields(cast, session)
    nurse.post(url(session, "start/"), old)
    session = fresh(cast, session)
    said = {"version": old["version"], "stop_reason": "CLOTTING", "stop_comment": "filter full"}
    answer = nurse.post(url(session, "end/"), said)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "filter full" in page
    again = said | {"version": version(cast, session)}
    assert nurse.post(url(session, "end/"), again).status_code == 302
    assert fresh(cast, session).stop_reason == "CLOTTING"


def test_an_end_needs_its_reason_and_times_are_corrected_with_one(cast, subject, nurse):
    session = running(cast, subject, hours=-6)
    answer = nurse.post(url(session, "end/"), {"version": version(cast, session)})
    assert answer.status_code == 422
    session = ended(cast, treatable_again(cast, subject), hours=-30)
    times = {"started_at": f"{session.started_at:%Y-%m-%d %H:%M}"}
    times |= {"ended_at": f"{session.ended_at - dt.timedelta(minutes=20):%Y-%m-%d %H:%M}"}
    refused = nurse.post(url(session, "times/"), times | {"version": version(cast, session)})
    assert refused.status_code == 422
    times |= {"version": version(cast, session), "reason": "clock of the machine was ahead"}
    assert nurse.post(url(session, "times/"), times).status_code == 302
    expected = (session.ended_at - dt.timedelta(minutes=20)).replace(second=0, microsecond=0)
    assert fresh(cast, session).ended_at == expected


def test_people_and_the_reason_of_the_end_are_corrected_with_a_reason(cast, subject, nurse):
    session = ended(cast, subject)
    said = {
        "version": version(cast, session),
        "started_at": f"{session.started_at:%Y-%m-%d %H:%M}",
        "ended_at": f"{session.ended_at:%Y-%m-%d %H:%M}",
        "stop_reason": "CLOTTING",
        "operator": str(cast.second_nurse.pk),
        "second_checker": str(cast.second_nurse.pk),
        "reason": "read from the paper",
    }
    refused = nurse.post(url(session, "times/"), said)
    assert refused.status_code == 422
    assert "Operator and second checker are two people." in refused.content.decode()
    said["second_checker"] = str(cast.nurse.pk)
    assert nurse.post(url(session, "times/"), said).status_code == 302
    corrected = fresh(cast, session)
    assert corrected.operator_id == cast.second_nurse.pk
    assert corrected.second_checker_id == cast.nurse.pk
    assert corrected.physician_id == session.physician_id
    assert corrected.stop_reason == "CLOTTING"
    assert corrected.started_at == session.started_at.replace(second=0, microsecond=0)


def test_the_prescription_changes_freely_before_the_start_and_then_with_a_reason(
    cast, subject, nurse
):
    session = prepared(cast, subject)
    said = {
        "version": version(cast, session),
        "modality": "PE",
        "no_cells_reason": "no lot",
        "planned_minutes": "240",
    }
    assert nurse.post(url(session, "prescription/"), said).status_code == 302
    assert fresh(cast, session).planned_minutes == 240
    started = running(cast, treatable_again(cast, subject), hours=-2)
    said |= {"version": version(cast, started), "planned_minutes": "180"}
    assert nurse.post(url(started, "prescription/"), said).status_code == 422
    assert fresh(cast, started).planned_minutes != 180
    said["reason"] = "pressure of the filter rises"
    assert nurse.post(url(started, "prescription/"), said).status_code == 302
    assert fresh(cast, started).planned_minutes == 180


def test_a_session_is_planned_for_a_day_of_its_own(cast, subject, nurse):
    day = trial_today(subject.site.time_zone) + dt.timedelta(days=3)
    said = {"modality": "PE", "no_cells_reason": "no lot", "planned_minutes": "240", "on": f"{day}"}
    answer = nurse.post(f"/subjects/{subject.pk}/sessions/plan/", said)
    assert answer.status_code == 302
    with as_person(cast.nurse):
        [session] = TreatmentSession.objects.filter(subject=subject).select_related("record__visit")
    visit = session.record.visit
    assert visit is not None
    assert visit.target_on == day


def treatable_again(cast, subject):
    """Another person of the same site, under the same consent document."""
    with as_person(cast.investigator):
        document = ConsentDocument.objects.first()
    return treatable(cast, document)


def test_a_voided_session_keeps_its_number_and_says_why(cast, subject, nurse):
    session = running(cast, subject)
    said = {"version": version(cast, session), "reason": ""}
    assert nurse.post(url(session, "void/"), said).status_code == 422
    said["reason"] = "entered for the wrong participant"
    assert nurse.post(url(session, "void/"), said).status_code == 302
    assert "entered for the wrong participant" in nurse.get(url(session)).content.decode()
    page = nurse.get(f"/subjects/{subject.pk}/sessions/").content.decode()
    assert "entered for the wrong participant" in page


# ---- the course


def test_one_tap_stops_the_circuit_and_one_lets_it_run_again(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    nurse.post(url(session, "still/"))
    nurse.post(url(session, "still/"))
    (row,) = rows(cast, Interruption, session)
    assert row.on_at is None
    assert "stands still" in nurse.get(url(session)).content.decode()
    said = {"reason": "CARE"}
    nurse.post(url(session, f"again/{row.pk}/"), said)
    (row,) = rows(cast, Interruption, session)
    assert (row.reason, row.on_at is None) == ("CARE", False)


def test_effective_minutes_leave_the_interruptions_out(cast, subject, nurse):
    session = ended(cast, subject, hours=-7, lasting=6)
    start = session.started_at
    for off, on in ((60, 72), (150, 160)):
        said = {
            "off_at": clock(session, off), "on_at": clock(session, on), "reason": "ALARM"
        }  # fmt: skip
        said["version"] = version(cast, session)
        assert nurse.post(url(session, "add/interruption/"), said).status_code == 302
    assert [row.off_at for row in rows(cast, Interruption, session)] == [
        (start + dt.timedelta(minutes=n)).replace(second=0, microsecond=0) for n in (60, 150)
    ]
    assert "5:38" in nurse.get(url(session)).content.decode()


def test_an_interruption_that_ends_before_it_began_is_refused_beside_its_field(
    cast, subject, nurse
):
    session = running(cast, subject, hours=-4)
    said = {"off_at": clock(session, 90), "on_at": clock(session, 60), "reason": "ALARM"}
    answer = nurse.post(url(session, "add/interruption/"), said)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "The end cannot lie before the start." in page
    assert f'value="{clock(session, 90)}"' in page
    assert rows(cast, Interruption, session) == []


def test_a_complication_and_a_test_are_added_where_they_happen(cast, subject, nurse):
    session = running(cast, subject, hours=-4)
    said = {"code": "HYPOTENSION", "onset_at": clock(session, 30), "severity": "MODERATE"}
    answer = nurse.post(url(session, "add/complication/"), said)
    assert answer["Location"].endswith("#complication")
    said = {"stage": "DURING", "method": "RETURN_COUNT", "result": "PASS", "value": "0"}
    said["value_unit"] = "10*3/mL"
    assert nurse.post(url(session, "add/integrity/"), said).status_code == 302
    (row,) = rows(cast, Complication, session)
    assert row.onset_at == (session.started_at + dt.timedelta(minutes=30)).replace(
        second=0, microsecond=0
    )
    (test,) = rows(cast, IntegrityTest, session)
    assert test.tested_at is not None


# ---- readings


def test_a_line_saves_itself_with_the_minute_it_was_due(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    texts = {"observed_at": clock(session, 30).replace(":", ""), "systolic": "１１８"}
    answer = save_line(nurse, session, "s30", texts)
    assert answer.json()["outcome"] == "saved"
    assert 'value="118"' in answer.json()["row"]
    (row,) = rows(cast, SessionReading, session)
    assert (row.systolic, row.planned_minute) == (118, 30)
    assert row.observed_at == (session.started_at + dt.timedelta(minutes=30)).replace(
        second=0, microsecond=0
    )


def test_a_save_that_is_repeated_makes_one_reading(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    texts = {"observed_at": clock(session, 0), "systolic": "118"}
    assert save_line(nurse, session, "s0", texts).json()["outcome"] == "saved"
    assert save_line(nurse, session, "s0", texts).json()["outcome"] == "saved"
    (row,) = rows(cast, SessionReading, session)
    assert row.version == 1


def test_what_two_people_say_of_one_value_is_shown_and_not_overwritten(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    other = sign_in(cast.second_nurse)
    save_line(nurse, session, "s0", {"observed_at": clock(session, 0), "heart_rate": "80"})
    answer = save_line(other, session, "s0", {"heart_rate": "90", "systolic": "118"})
    assert answer.status_code == 409
    said = answer.json()
    assert said["outcome"] == "conflict"
    assert said["row"].count("tx-conflict") == 1
    (row,) = rows(cast, SessionReading, session)
    assert (row.heart_rate, row.systolic) == (80, None)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"systolic": "abc"}, "is not a number"),
        ({"systolic": "70", "diastolic": "90"}, "cannot be below diastolic"),
        ({"observed_at": "25:00"}, "such as 14:30"),
        ({"gcs": "2"}, "GCS is 3 to 15"),
    ],
)
def test_the_impossible_is_refused_in_its_cell_and_kept_as_typed(
    cast, subject, nurse, texts, message
):
    session = running(cast, subject, hours=-2)
    answer = save_line(nurse, session, "s0", texts)
    assert answer.status_code == 422
    row = answer.json()["row"]
    assert message in row
    for text in texts.values():
        assert f'value="{text}"' in row
    assert rows(cast, SessionReading, session) == []


def test_an_arrest_is_kept_as_it_was(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    texts = {"observed_at": clock(session, 30), "systolic": "0", "diastolic": "0"}
    texts |= {"heart_rate": "0", "gcs": "2T"}
    answer = save_line(nurse, session, "s30", texts)
    assert answer.json()["outcome"] == "saved"
    assert "is-low-far" in answer.json()["row"]
    (row,) = rows(cast, SessionReading, session)
    assert (row.heart_rate, row.systolic, row.gcs) == (0, 0, "2T")


def test_a_line_of_another_sheet_is_not_taken(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    elsewhere = planned(cast, treatable_again(cast, subject))
    answer = save_line(nurse, session, "s0", {"systolic": "118"}, row_id=id_of(elsewhere, "s0"))
    assert answer.status_code == 404
    assert rows(cast, SessionReading, session) == []


def test_a_draft_is_kept_for_its_author_and_is_no_reading(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    row_id, fields = of_line(session, "s0", {"systolic": "11", "observed_at": clock(session, 0)})
    nurse.post(url(session, f"readings/{row_id}/draft/"), fields, headers={"X-Autosave": "1"})
    assert rows(cast, SessionReading, session) == []
    name = f'name="r.{row_id}.systolic"'
    assert f'{name} aria-label="Systolic blood pressure" value="11"' in page_of(nurse, session)
    other = sign_in(cast.second_nurse)
    assert f'{name} aria-label="Systolic blood pressure" value=""' in page_of(other, session)
    save_line(nurse, session, "s0", {"systolic": "118", "observed_at": clock(session, 0)})
    with as_person(cast.nurse):
        assert not any(draft.fields for draft in Draft.objects.filter(record_id=session.pk))


def page_of(client, session):
    return client.get(url(session)).content.decode()


def test_without_a_script_the_whole_sheet_is_saved_at_once_or_not_at_all(cast, subject, nurse):
    session = running(cast, subject, hours=-2)
    good = of_line(session, "s0", {"observed_at": clock(session, 0), "systolic": "118"})[1]
    bad = of_line(session, "s15", {"observed_at": clock(session, 15), "systolic": "high"})[1]
    answer = nurse.post(url(session, "readings/"), good | bad)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'value="118"' in page
    assert 'value="high"' in page
    assert rows(cast, SessionReading, session) == []
    right = of_line(session, "s15", {"observed_at": clock(session, 15), "systolic": "116"})[1]
    assert nurse.post(url(session, "readings/"), good | right)["Location"].endswith("#readings")
    assert [row.systolic for row in rows(cast, SessionReading, session)] == [118, 116]


def test_a_session_before_another_one_is_entered_whole(cast, subject, nurse):
    ended(cast, subject, hours=-3, lasting=2)
    session = prepared(cast, subject)
    began, over = wall(subject.site, hours=-9), wall(subject.site, hours=-7)
    said = {
        "version": version(cast, session),
        "started_at": f"{began:%Y-%m-%d %H:%M}",
        "ended_at": f"{over:%Y-%m-%d %H:%M}",
        "operator": cast.nurse.pk,
        "second_checker": cast.second_nurse.pk,
        "physician": cast.sub_investigator.pk,
    }
    refused = nurse.post(url(session, "start/"), said)
    assert refused.status_code == 422
    answer = nurse.post(url(session, "start/"), said | {"stop_reason": "COMPLETED"})
    assert answer.status_code == 302
    with as_person(cast.nurse):
        session.refresh_from_db()
    assert (session.started_at, session.ended_at) == (began, over)


def test_what_is_due_overdue_and_entered_late_says_so(cast, subject, nurse):
    session = running(cast, subject, hours=-3)
    save_line(nurse, session, "s0", {"observed_at": clock(session, 0), "systolic": "118"})
    page = page_of(nurse, session)
    assert "is-overdue" in page
    assert "is-coming" in page
    line = page.split(f'id="r-{id_of(session, "s0")}"')[1].split("</tr>")[0]
    assert "is-late" in page.split(f'id="r-{id_of(session, "s0")}" class="')[1].split('"')[0]
    assert "entered " in line


# ---- the end: one comment for an episode, completion, changes after it


def test_one_comment_confirms_an_episode_and_the_sheet_completes(cast, subject, nurse):
    session = ended(cast, subject, hours=-3, lasting=2)
    for minute in (0, 30, 60, 90, 120):
        at = session.started_at + dt.timedelta(minutes=minute)
        arrest = minute in (30, 60)
        texts = {
            "observed_at": f"{at:%Y-%m-%dT%H:%M}",
            "systolic": "0" if arrest else "118",
            "diastolic": "0" if arrest else "70",
            "heart_rate": "0" if arrest else "80",
        }
        read(session, cast.nurse, texts)
    refused = nurse.post(url(session, "complete/"), {"version": version(cast, session)})
    assert refused.status_code == 422
    page = page_of(nurse, session)
    values = [part.split('"')[0] for part in page.split('name="value" value="')[1:]]
    assert len(values) == 6
    said = {"value": values, "comment": "cardiac arrest, resuscitated"}
    assert nurse.post(url(session, "confirm/"), said | {"comment": ""}).status_code == 422
    assert nurse.post(url(session, "confirm/"), said).status_code == 302
    confirmed = [row.confirmed for row in rows(cast, SessionReading, session) if row.confirmed]
    assert [len(each) for each in confirmed] == [3, 3]
    answer = nurse.post(url(session, "complete/"), {"version": version(cast, session)})
    assert answer.status_code == 302, answer.content.decode()
    assert fresh(cast, session).record.status == RecordStatus.COMPLETE


def test_a_completed_sheet_changes_only_with_a_reason(cast, subject, nurse):
    test_one_comment_confirms_an_episode_and_the_sheet_completes(cast, subject, nurse)
    with as_person(cast.nurse):
        session = TreatmentSession.objects.get(subject=subject)
    row = rows(cast, SessionReading, session)[0]
    base = {"observed_at": f"{row.observed_at:%H:%M}", "systolic": "118", "diastolic": "70"}
    base["heart_rate"] = "80"
    typed = base | {"heart_rate": "84"}
    given = {"row_id": row.pk, "stands": row.version, "base": base}
    answer = save_line(nurse, session, "", typed, **given)
    assert answer.json()["outcome"] == "reason"
    row_id, fields = of_line(session, "", typed, **given)
    fields |= {"reason_code": "transcription", "reason_text": "read from the other monitor"}
    answer = nurse.post(url(session, f"readings/{row_id}/"), fields, headers={"X-Autosave": "1"})
    assert answer.json()["outcome"] == "saved"
    assert rows(cast, SessionReading, session)[0].heart_rate == 84


# ---- chart and paper


def test_the_chart_draws_what_was_read_and_what_happened(cast, subject, nurse):
    session = running(cast, subject, hours=-3)
    assert "begins with the first reading" in page_of(nurse, session)
    for minute, pressure in ((0, "-60"), (30, "-90")):
        at = session.started_at + dt.timedelta(minutes=minute)
        texts = {"observed_at": f"{at:%Y-%m-%dT%H:%M}", "access_pressure": pressure}
        read(session, cast.nurse, texts)
    said = {"code": "HYPOTENSION", "onset_at": clock(session, 20), "severity": "MILD"}
    nurse.post(url(session, "add/complication/"), said)
    page = page_of(nurse, session)
    assert page.count("<circle") >= 2
    assert "tx-event-trouble" in page
    assert "style=" not in page.split("<svg viewBox")[1].split("</figure>")[0]


def test_the_blank_sheet_has_the_readings_of_the_protocol_and_no_values(cast, subject, nurse):
    session = running(cast, subject, hours=-3)
    save_line(nurse, session, "s0", {"observed_at": clock(session, 0), "systolic": "117"})
    blank = nurse.get(url(session, "paper/?blank=1")).content.decode()
    assert "−15 min" in blank
    assert "end + 24 h" in blank
    assert ">117<" not in blank
    assert ">117<" in nurse.get(url(session, "paper/")).content.decode()


def test_a_sheet_that_looks_on_does_not_put_off_the_lock_of_an_idle_session(cast, subject, nurse):
    session = running(cast, subject)
    nurse.get(url(session))
    kept = nurse.session
    kept["seen_at"] -= 600
    kept.save()
    seen = nurse.session["seen_at"]
    nurse.get(url(session, "live/"), headers={"X-Looking-On": "1"})
    assert nurse.session["seen_at"] == seen
    nurse.get(url(session, "live/"))
    assert nurse.session["seen_at"] > seen


def test_a_safety_officer_reads_and_a_technician_of_another_site_does_not(cast, subject):
    session = running(cast, subject)
    officer = sign_in(make_user(Role.SAFETY_OFFICER, cast.site))
    assert officer.get(url(session)).status_code == 200
    technician = sign_in(make_user(Role.SAMPLE_TECHNICIAN, cast.other_site))
    assert technician.get(url(session)).status_code == 404
