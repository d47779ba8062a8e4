"""When a draw or a treatment was: never in the future, never after death, age by what is known."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tests.factories import as_person, given, sign_in
from tests.labs.conftest import DRAW
from tests.labs.test_panel_page import Tab
from tests.labs.test_pasting_page import paste
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import LabResult
from trialsite.labs.people import Person
from trialsite.labs.services.purification import record_purification

K = {"K": "4", "K.unit": "mmol/L"}


def wall(minutes: int) -> str:
    """The clock at the site so many minutes from now."""
    moment = trial_now() + dt.timedelta(minutes=minutes)
    return moment.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M")


def test_a_draw_is_never_in_the_future_by_the_sites_own_clock(draw, save):
    for times, field in (
        ({"collected_at": wall(10), "received_at": ""}, "collected_at"),
        ({"collected_at": wall(-10), "received_at": wall(10)}, "received_at"),
    ):
        with pytest.raises(ImpossibleError) as refused:
            save(draw, K, header=DRAW | times)
        assert set(refused.value.errors) == {field}
    assert save(draw, K, header=DRAW | {"collected_at": wall(-2), "received_at": wall(-1)}).panel.pk


@pytest.mark.parametrize(
    ("died", "stands"),
    [("2026-03-04", False), ("2026-03-05", True), ("2026-03", True), ("2026-02", False)],
)
def test_nothing_is_drawn_after_death_and_a_late_result_still_arrives(
    subject, draw, save, died, stands
):
    given(Subject.objects.filter(pk=subject.pk).update)(died_on=died)
    header = DRAW | {"received_at": "2026-03-09T08:00"}
    if stands:
        assert save(draw, K, header=header).panel.pk
        return
    with pytest.raises(ImpossibleError) as refused:
        save(draw, K, header=header)
    assert set(refused.value.errors) == {"collected_at"}


def test_the_page_says_it_beside_the_time_and_loses_nothing(cast, draw):
    tab = Tab(sign_in(cast.nurse), draw)
    tab.post(K | {"collected_at": wall(10), "received_at": ""})
    assert tab.status == 422
    assert "This time has not come yet." in tab.html
    assert tab.value("K") == "4"


@pytest.mark.parametrize(
    ("start", "end", "field"), [(10, None, "started_at"), (-60, 10, "ended_at")]
)
def test_no_treatment_is_entered_before_it_happened(cast, subject, start, end, field):
    with as_person(cast.nurse), pytest.raises(ImpossibleError) as refused:
        record_purification(
            subject=subject,
            kind="PE",
            started_at=dt.datetime.fromisoformat(wall(start)),
            ended_at=None if end is None else dt.datetime.fromisoformat(wall(end)),
            by=cast.nurse,
        )
    assert set(refused.value.errors) == {field}


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("2008-03-05", 18),
        ("2008-03-06", 17),
        ("2008-02", 18),
        ("2008-03", None),
        ("2008-04", 17),
        ("2008", None),
        ("", 40),
    ],
)
def test_an_age_that_the_known_part_of_the_birth_date_leaves_open_is_not_known(born, age):
    assert Person(born=born, age=40).age_on(dt.date(2026, 3, 5)) == age


def test_a_pasted_value_does_not_inherit_the_comment_typed_for_another(cast, draw):
    tab = Tab(sign_in(cast.nurse), draw)
    typed = {"K": "19", "K.unit": "mmol/L", "K.confirm": "measured twice", "K.sig": "NCS"}
    preview = paste(tab, "K\t21\tmmol/L", **typed)
    assert preview.accept().status == 302
    tab.again()
    assert tab.value("K") == "21"
    assert "measured twice" not in tab.line("K")
    tab.post({"K": "21", "K.unit": "mmol/L", "K.confirm": tab.value("K.confirm") or ""})
    with as_person(cast.nurse):
        row = LabResult.objects.get(panel_id=draw.pk, voided_at=None)
    assert (row.text, row.confirmed) == ("21", "")
