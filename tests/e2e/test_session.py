"""The run sheet at the bedside, in a real browser on a tablet."""

from __future__ import annotations

import pytest

from tests.e2e.stack import assert_accessible, assert_no_sideways_scroll, screenshot
from tests.factories import as_person
from tests.screening.consenting import wall
from tests.visits.treating import planned, read, running, treatable


def _sample(session, cast, n=8):
    from visits.models import Complication, Interruption
    import datetime as dt

    start = session.started_at
    for k in range(n):
        at = start + dt.timedelta(minutes=30 * k)
        read(session, cast.nurse, {
            "observed_at": at.isoformat(timespec="minutes"), "systolic": str(118 - 6 * k), "diastolic": str(70 - 4 * k),
            "heart_rate": str(80 + 6 * k), "respiratory_rate": "16", "oxygen_saturation": "98", "temperature": "36.8",
            "gcs": "15", "west_haven": "I", "blood_flow": str(100 + k), "plasma_flow": "30", "reactor_flow": "150",
            "access_pressure": str(-60 - 10 * k), "return_pressure": str(70 + 8 * k), "prefilter_pressure": str(140 + 12 * k), "effluent_pressure": "60",
            "planned_minute": str(30 * k),
        })
    read(session, cast.nurse, {"off_at": (start + dt.timedelta(minutes=100)).isoformat(timespec="minutes"), "on_at": (start + dt.timedelta(minutes=112)).isoformat(timespec="minutes"), "reason": "ALARM"}, group=Interruption)
    read(session, cast.nurse, {"code": "HYPOTENSION", "onset_at": (start + dt.timedelta(minutes=170)).isoformat(timespec="minutes"), "severity": "MODERATE"}, group=Complication)


@pytest.mark.parametrize(("width", "theme", "language"), [(1440, "light", "en"), (820, "dark", "zh-hans"), (820, "light", "en")])
def test_looks(visit, cast, width, theme, language):
    subject = treatable(cast)
    session = running(cast, subject, hours=-5)
    _sample(session, cast)
    page = visit(cast.nurse, f"/sessions/{session.pk}/", width=width, theme=theme, language=language)
    page.wait_for_timeout(300)
    screenshot(page, f"session-{width}-{theme}", full_page=True)
    screenshot(page, f"session-{width}-{theme}-top")
    assert_no_sideways_scroll(page)
    assert_accessible(page)
