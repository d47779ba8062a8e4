from __future__ import annotations

from collections.abc import Iterable

from tests.engine.models import Device
from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Protection
from trialsite.core.guards import protect


@protect
def devices() -> Iterable[Protection]:
    yield same_site(Device._meta.db_table, record=True)
