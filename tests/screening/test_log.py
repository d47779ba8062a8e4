"""The screening log: every person considered, each with one number and one outcome."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Reason
from screening.services.log import (
    EntryError,
    admit,
    close_entry,
    open_entry,
    reopen_entry,
    screen_fail,
    state_same_person,
    void_entry,
)
from tests.factories import as_person, make_entry, make_protocol
from trialsite.casebook.models import SubjectStatus
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.core.ids import is_valid

DAY = dt.timedelta(days=1)


@pytest.fixture
def today(cast) -> dt.date:
    return trial_today(cast.site.time_zone)


@pytest.fixture
def entry(cast, db) -> ScreeningEntry:
    make_protocol(cast.site, cast.other_site)
    return make_entry(cast.site, cast.nurse)


def test_numbers_are_gap_free_with_a_check_character_and_never_given_again(cast, entry):
    with as_person(cast.nurse):
        void_entry(entry=entry, reason="wrong ward list", by=cast.nurse)
    second, third = (make_entry(cast.site, cast.nurse) for _ in range(2))
    other = make_entry(cast.other_site, cast.stranger)
    numbers = [each.number for each in (entry, second, third, other)]
    assert [number[:-2] for number in numbers] == ["001-S001", "001-S002", "001-S003", "002-S001"]
    assert all(is_valid(number) for number in numbers)


def test_a_subject_comes_with_consent_under_the_entrys_number(cast, entry):
    with as_person(cast.nurse):
        subject = admit(entry=entry, by=cast.nurse)
        assert subject.screening_number == entry.number
        assert subject.status == SubjectStatus.SCREENING
        assert subject.visits.exists()
        assert ScreeningEntry.objects.get(pk=entry.pk).subject == subject
        with pytest.raises(TransitionError, match="already"):
            admit(entry=entry, by=cast.nurse)
