"""What was planned and not collected: proposed as a deviation, as long as it is so."""

from __future__ import annotations

import pytest

from samples.models import NotCollected
from samples.selectors.plan import missing_samples, samples_of_visit
from samples.selectors.reconciliation import reconcile, visits_of
from samples.services.expectations import state_not_collected, take_back_statement
from screening.models.consent import Scope
from screening.services.consent_records import void_part
from tests.factories import as_person
from tests.samples.bench import collected, sampled
from tests.screening.consenting import wall, withdraw
from trialsite.casebook.models import Visit, VisitMode
from trialsite.casebook.services.visits import attend_visit, miss_visit
from trialsite.conduct.models import Deviation
from trialsite.core.exceptions import TransitionError


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


@pytest.mark.parametrize(("days", "missing"), [(-1, 0), (0, 0), (1, 4)])
def test_from_the_withdrawal_of_samples_on_no_visit_misses_any(
    cast, visit, technician, days, missing
):
    held_on = wall(visit.site, days=-2)
    with as_person(cast.nurse):
        attend_visit(visit=visit, on=held_on.date(), mode=VisitMode.ON_SITE, by=cast.nurse)
    withdraw(cast, visit.subject, Scope.SAMPLES, days=-2 + days)
    with as_person(technician):
        assert len(missing_samples([visit.site_id])) == missing
        found = samples_of_visit(Visit.objects.select_related("site").get(pk=visit.pk))
        assert len(found.missing) == missing
        assert {line.state.value for line in reconcile(visits_of(technician, visit.site))} == (
            {"missing"} if missing else {"withdrawn"}
        )
        state_not_collected(visit=found.visit, kind="URINE", reason="refused", by=technician)
        assert Deviation.objects.filter(kind="sample_not_collected").exists() == bool(missing)


def test_a_withdrawal_taken_back_lets_visits_owe_samples_again(cast, visit, technician):
    with as_person(cast.nurse):
        attend_visit(visit=visit, on=wall(visit.site).date(), mode=VisitMode.ON_SITE, by=cast.nurse)
    withdrawal = withdraw(cast, visit.subject, Scope.SAMPLES, hours=-30)
    with as_person(technician):
        assert not missing_samples([visit.site_id])
    with as_person(cast.investigator):
        void_part(part=withdrawal, reason="Another participant", by=cast.investigator)
    with as_person(technician):
        assert len(missing_samples([visit.site_id])) == 4


@pytest.mark.parametrize("days", [1, 0, -1])
def test_nothing_is_missing_at_a_visit_that_has_not_come(cast, technician, days):
    visit = sampled(cast)
    when = wall(visit.site, days=days).date()
    with as_person(cast.nurse):
        Visit.objects.filter(pk=visit.pk).update(target_on=when)
        visit = Visit.objects.select_related("site").get(pk=visit.pk)
    with as_person(technician):
        if days > 0:
            with pytest.raises(TransitionError, match="not come yet"):
                state_not_collected(visit=visit, kind="URINE", reason="refused", by=technician)
            assert not Deviation.objects.exists()
        else:
            state_not_collected(visit=visit, kind="URINE", reason="refused", by=technician)


def test_nothing_is_missing_at_a_visit_that_was_missed(cast, visit, technician):
    with as_person(cast.nurse):
        Visit.objects.filter(pk=visit.pk).update(target_on=wall(visit.site).date())
        missed = miss_visit(visit=visit, reason="Did not come", by=cast.nurse)
    with as_person(technician), pytest.raises(TransitionError, match="did not take place"):
        state_not_collected(visit=missed, kind="URINE", reason="refused", by=technician)
