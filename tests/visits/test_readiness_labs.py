"""Can I treat now: of each analyte wanted before a treatment its newest result."""

from __future__ import annotations

import pytest

from tests.factories import as_person, given, make_record
from tests.labs.conftest import make_laboratory
from tests.screening.consenting import wall
from tests.visits.treating import fresh, treatable
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.labs.entry import read_panel
from trialsite.labs.services.panels import save_panel
from trialsite.protocol import EventRole, Protocol
from visits.selectors.readiness import Line, readiness


@pytest.fixture
def subject(cast):
    found = treatable(cast)
    make_laboratory(cast.site)
    return found


def protocol_for(subject) -> Protocol:
    return given(protocol_of)(subject.protocol_version_id)


def wanted(subject) -> dict[str, str]:
    """Analyte -> its unit, of every panel before a treatment."""
    protocol = protocol_for(subject)
    keys = {key for event in protocol.schedule.with_role(EventRole.TREATMENT)
            for key in event.lab_panels}  # fmt: skip
    analytes = {each for panel in protocol.labs.panels if panel.key in keys
                for each in panel.analytes}  # fmt: skip
    return {each: protocol.labs.analyte(each).unit for each in sorted(analytes)}


def drawn(cast, subject, hours: float, analytes: dict[str, str], missing: str = "") -> None:
    """A draw so many hours ago, with a result of each of these."""
    key = given(CrfRecord.objects.filter(subject=subject, form_oid="F.LB").count)() + 20
    record = make_record(subject, form_oid="F.LB", repeat_key=key)
    at = wall(subject.site, hours=hours).isoformat(timespec="minutes")
    texts = {"laboratory": "CENTRAL", "collected_at": at, "specimen": "SERUM"}
    for name, unit in analytes.items():
        texts |= {name: "" if name == missing else "1", f"{name}.unit": unit}
    if missing:
        texts[f"{missing}.missing"] = "ND"
    with as_person(cast.nurse):
        entry = read_panel(protocol_of(record.protocol_version_id), texts)
        save_panel(record=record, entry=entry, by=cast.nurse, base_version=0)


def line(cast, subject) -> Line:
    with as_person(cast.nurse):
        return readiness(fresh(subject)).line("labs")


def test_with_every_analyte_of_the_last_day_the_laboratory_is_in_order(cast, subject):
    drawn(cast, subject, -3, wanted(subject))
    assert line(cast, subject).verdict == "ok"


def test_one_fresh_analyte_does_not_speak_for_the_others(cast, subject):
    drawn(cast, subject, -30, wanted(subject))
    drawn(cast, subject, -1, {"K": "mmol/L"})
    found = line(cast, subject)
    assert found.verdict == "warn"
    assert "Last drawn 1.0 hours ago" in found.said
    assert "No result of the last 24 hours" in found.said
    assert "INR" in found.said
    assert "Blood count" in found.said
    assert "Potassium" not in found.said


def test_panels_drawn_at_different_hours_of_the_day_count_together(cast, subject):
    analytes = wanted(subject)
    drawn(cast, subject, -23, {"K": analytes.pop("K")})
    drawn(cast, subject, -2, analytes)
    assert line(cast, subject).verdict == "ok"


def test_what_was_not_measured_is_no_result(cast, subject):
    drawn(cast, subject, -2, wanted(subject), missing="K")
    found = line(cast, subject)
    assert found.verdict == "warn"
    assert "Potassium" in found.said
    assert "INR" not in found.said


@pytest.mark.parametrize(("hours", "verdict"), [(-24, "ok"), (-25, "warn")])
def test_the_hours_of_the_protocol_are_the_limit(cast, subject, hours, verdict):
    drawn(cast, subject, hours, wanted(subject))
    assert line(cast, subject).verdict == verdict
