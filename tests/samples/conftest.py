"""A technician, a visit with samples, and a box."""

from __future__ import annotations

import pytest

from samples.models import Box
from tests.factories import Cast
from tests.samples.bench import box_at, sampled, technician_at
from trialsite.access.models import User
from trialsite.casebook.models import Visit


@pytest.fixture
def technician(cast: Cast) -> User:
    return technician_at(cast.site, full_name="Tara Technician")


@pytest.fixture
def visit(cast: Cast) -> Visit:
    return sampled(cast)


@pytest.fixture
def box(cast: Cast, technician: User) -> Box:
    return box_at(cast.site, technician)
