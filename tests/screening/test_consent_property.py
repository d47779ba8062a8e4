"""Withdrawn at any moment: from then on nothing more is entered, and what was stays."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from screening.models.consent import CapacityOutcome, Scope
from screening.selectors.consent import standing_of
from tests.factories import as_person, make_protocol, make_record, make_subject
from tests.screening.consenting import assess, make_document, sign, withdraw
from trialsite.casebook.models import ConsentState, Subject
from trialsite.core.exceptions import DomainError
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf
from visits.models import VitalSigns

ACTS = ("form", "capacity", "sql")


def attempt(cast, subject, act: str, at: int) -> bool:
    """Enter something; whether it was taken."""
    try:
        if act == "capacity":
            assess(cast, subject, CapacityOutcome.PRESENT, hours=-40 + at)
            return True
        record = make_record(subject, repeat_key=at + 1)
        with as_person(cast.nurse), transaction.atomic():
            if act == "sql":
                VitalSigns.objects.create(
                    record=record, site_id=subject.site_id, subject=subject, time_zone="UTC"
                )
            else:
                entry = read_texts(VitalSigns, {"systolic": "118"})
                save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)
    except (DomainError, DatabaseError):
        return False
    return True


@pytest.mark.requirement("PR6")
@settings(max_examples=25, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@drawn(
    before=st.lists(st.sampled_from(ACTS), max_size=4),
    after=st.lists(st.sampled_from(ACTS), min_size=1, max_size=4),
    other=st.sets(st.sampled_from([Scope.TREATMENT, Scope.SAMPLES, Scope.CONTACT])),
)
def test_after_all_data_are_withdrawn_nothing_enters_by_any_road(db, cast, before, after, other):
    with transaction.atomic():
        make_protocol(cast.site)
        document = make_document(cast, cast.site, version=f"{len(before)}.{len(after)}")
        subject = make_subject(cast.site)
        sign(cast, subject, document, hours=-60)
        taken = [attempt(cast, subject, act, at) for at, act in enumerate(before)]
        assert all(taken)
        withdraw(cast, subject, Scope.ALL_DATA, *other)
        later = [attempt(cast, subject, act, 10 + at) for at, act in enumerate(after)]
        with as_person(cast.nurse):
            assert not any(later)
            kept = VitalSigns.objects.filter(subject=subject).count()
            assert kept == sum(act != "capacity" for act in before)
            stands = standing_of(Subject.objects.select_related("site").get(pk=subject.pk))
            assert stands.state == ConsentState.WITHDRAWN
        transaction.set_rollback(True)
