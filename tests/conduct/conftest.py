"""The API's clients, and deviations, for the tests of the study's conduct."""

from __future__ import annotations

import pytest

from tests.api.conftest import api
from tests.conduct.deviations import facts, propose
from tests.factories import as_person, make_subject
from trialsite.conduct.models import Deviation
from trialsite.conduct.services.deviations import report_deviation

__all__ = ["api"]


@pytest.fixture
def subject(cast):
    return make_subject(cast.site)


@pytest.fixture
def proposed(cast, subject) -> Deviation:
    return propose(cast.site, subject=subject)


@pytest.fixture
def reported(cast, subject) -> Deviation:
    with as_person(cast.nurse):
        return report_deviation(site=cast.site, subject=subject, facts=facts(), by=cast.nurse)
