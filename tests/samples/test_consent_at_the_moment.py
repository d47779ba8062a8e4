"""Consent is asked as it stood when the tube was filled, whenever that is entered or put right."""

from __future__ import annotations

import pytest

from samples.models import Destruction
from samples.services.specimen_ends import correct_time
from samples.services.specimens import collect_specimen
from screening.models.consent import Scope
from screening.services.consent import ProcedureRefusedError
from tests.factories import as_person
from tests.samples.bench import collected, labelled
from tests.screening.consenting import make_document, resume, wall, withdraw
from trialsite.conduct.models import Deviation
from trialsite.crf.violations import ImpossibleError


@pytest.mark.parametrize(
    ("hours", "carried"), [(-30, True), (-24, False), (-12, False), (-6, True), (-1, True)]
)
def test_what_was_drawn_between_a_withdrawal_and_its_end_was_drawn_without_consent(
    cast, visit, technician, hours, carried
):
    (tube,) = labelled(visit, technician, "URINE")
    withdraw(cast, visit.subject, Scope.SAMPLES, hours=-24)
    resume(cast, visit.subject, make_document(cast, visit.site, version="2.0"), "samples", hours=-6)
    with as_person(technician):
        at = wall(visit.site, hours=hours)
        if carried:
            assert collect_specimen(specimen=tube, by=technician, at=at).state == "collected"
        else:
            with pytest.raises(ProcedureRefusedError, match="withdrawn"):
                collect_specimen(specimen=tube, by=technician, at=at)


def test_a_reconsent_owed_since_is_no_reason_against_an_earlier_tube(cast, visit, technician):
    earlier, later = labelled(visit, technician, "EDTA", 2)
    make_document(cast, visit.site, version="2.0", days=0, reconsent=True)
    with as_person(technician):
        entered = collect_specimen(specimen=earlier, by=technician, at=wall(visit.site, days=-2))
        assert entered.state == "collected"
        with pytest.raises(ProcedureRefusedError, match="Re-consent"):
            collect_specimen(specimen=later, by=technician)


def test_a_time_is_put_right_after_a_withdrawal_while_the_right_one_is_before_it(
    cast, visit, technician
):
    tube = collected(visit, technician, "URINE", hours=-5)
    withdraw(cast, visit.subject, Scope.SAMPLES, hours=-3)
    with as_person(technician):
        event = tube.custody.get()
        correct_time(event=event, at=wall(visit.site, hours=-4), reason="Clock", by=technician)
        before = Deviation.objects.count()
        with pytest.raises(ImpossibleError, match="withdrawn") as refused:
            correct_time(event=event, at=wall(visit.site, hours=-2), reason="Clock", by=technician)
        assert list(refused.value.errors) == ["happened_at"]
        assert Deviation.objects.count() == before
        assert Destruction.objects.get().closed_at is None
