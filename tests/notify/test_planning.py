"""What is due is planned once, however often and by however many it is planned."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast

from tests.factories import make_cast, make_subject, make_visit
from tests.notify.planned import NOON, remind, still, written
from trialsite.casebook.models import Visit
from trialsite.celery import app
from trialsite.notify.models import Notice, State
from trialsite.notify.planning import Planner, plan_notices, register_planner


def test_planning_again_adds_nothing(cast, planners):
    remind(cast.nurse, things=3)
    assert plan_notices(NOON) == 3
    assert plan_notices(NOON) == 0
    assert Notice.objects.filter(kind="reminder", state=State.PLANNED).count() == 3


def test_a_large_backlog_is_planned_in_parts(cast, planners, monkeypatch):
    monkeypatch.setattr("trialsite.notify.planning.AT_ONCE", 3)
    remind(cast.nurse, things=10)
    assert plan_notices(NOON) == 10


@pytest.mark.requirement("RM3")
def test_three_beats_at_once_plan_everything_once(committed, planners):
    remind(make_cast().nurse, things=2000)
    together = threading.Barrier(3)

    def beat() -> int:
        together.wait()
        try:
            return plan_notices(NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        planned = [each.result() for each in [pool.submit(beat) for _ in range(3)]]
    assert sum(planned) == 2000
    assert Notice.objects.values("object_id").distinct().count() == 2000


def test_a_planner_may_speak_in_querysets_and_sees_every_site(cast, planners):
    visits = [make_visit(make_subject(site)) for site in (cast.site, cast.other_site)]
    register_planner(
        Planner(
            kind="visit-open",
            title="A visit is open",
            plan=lambda now: Visit.objects.annotate(
                key=Cast(F("id"), CharField()), reader=Value(cast.nurse.pk), due=Value(now)
            ).values_list("id", "site_id", "reader", "due", "key"),
            still_due=still,
            render=written,
        )
    )
    assert plan_notices(NOON) == 2
    assert {(notice.object_id, notice.site_id) for notice in Notice.objects.all()} == {
        (visit.pk, visit.site_id) for visit in visits
    }


def test_a_planner_that_fails_hinders_no_other(cast, planners):
    def broken(_now: dt.datetime) -> tuple[str, list[object]]:
        return "SELECT nonsense", []

    remind(cast.nurse, kind="broken", plan=broken)
    remind(cast.nurse)
    assert plan_notices(NOON) == 1


@pytest.mark.parametrize("kind", ["mail", "reminder", "Re minder", "x\nBcc: a@b.org", ""])
def test_a_kind_is_registered_once_and_is_fit_for_a_message_id(kind, cast, planners):
    remind(cast.nurse)
    with pytest.raises(ValueError, match="malformed or taken"):
        remind(cast.nurse, kind=kind)


def test_what_is_urgent_waits_for_no_digest(cast, planners):
    with pytest.raises(ValueError, match="waits for no digest"):
        remind(cast.nurse, urgent=True, bundled=True)


def test_one_kind_is_planned_alone(cast, planners):
    remind(cast.nurse)
    remind(cast.nurse, kind="alarm", urgent=True)
    assert plan_notices(NOON, kind="alarm") == 1
    assert Notice.objects.get().kind == "alarm"


@pytest.mark.requirement("RM2")
def test_the_beat_plans_and_delivers_every_minute():
    app.loader.import_default_modules()
    beats = {each["task"]: each["schedule"] for each in settings.CELERY_BEAT_SCHEDULE.values()}
    for errand in ("plan", "deliver"):
        name = f"trialsite.notify.tasks.{errand}"
        assert name in app.tasks
        assert beats[name] == 60
