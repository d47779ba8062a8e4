"""What was planned and not collected: proposed as a deviation, as long as it is so."""

from __future__ import annotations

import pytest

from samples.models import NotCollected
from samples.services.expectations import state_not_collected, take_back_statement
from tests.factories import as_person
from tests.samples.bench import collected
from trialsite.conduct.models import Deviation


@pytest.fixture
def stated(visit, technician) -> NotCollected:
    with as_person(technician):
        return state_not_collected(visit=visit, kind="URINE", reason="refused", by=technician)


def ended() -> bool:
    return Deviation.objects.get(kind="sample_not_collected").cause_ended_at is not None


def test_a_statement_taken_back_ends_what_was_proposed(stated, technician):
    with as_person(technician):
        assert not ended()
        take_back_statement(statement=stated, reason="Other participant", by=technician)
        assert ended()


def test_collecting_after_all_ends_what_was_proposed(visit, stated, technician):
    collected(visit, technician, "URINE")
    with as_person(technician):
        assert NotCollected.objects.get().void_reason == "It was collected after all."
        assert ended()


def test_stated_again_it_is_proposed_again(visit, stated, technician):
    with as_person(technician):
        take_back_statement(statement=stated, reason="Too early", by=technician)
        state_not_collected(visit=visit, kind="URINE", reason="forgotten", by=technician)
        assert not ended()
        assert "Forgotten" in Deviation.objects.get(kind="sample_not_collected").description
