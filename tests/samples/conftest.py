"""A technician, a visit with samples, a box with some of them, and a parcel."""

from __future__ import annotations

import pytest

from samples.models import Aliquot, Box, Shipment
from tests.factories import Cast
from tests.samples.bench import box_at, sampled, technician_at
from tests.samples.shipping import drafted, frozen
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


@pytest.fixture
def tubes(visit: Visit, technician: User, box: Box) -> list[Aliquot]:
    return frozen(visit, technician, box, 3)


@pytest.fixture
def parcel(cast: Cast, technician: User) -> Shipment:
    return drafted(cast.site, technician)
