from __future__ import annotations

from collections.abc import Iterable

from trialsite.casebook.guards import same_site
from trialsite.core.catalog import Protection
from trialsite.core.guards import protect
from trialsite.review.models import Query, QueryMessage


@protect
def queries() -> Iterable[Protection]:
    yield same_site(Query._meta.db_table, record=True)
    yield same_site(QueryMessage._meta.db_table)
