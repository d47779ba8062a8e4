"""Base of the endpoints that act on samples: a refusal keeps its words and its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from samples.services.scanning import ScanRefusedError
from screening.services.consent import ProcedureRefusedError
from trialsite.access.keeping import keep
from trialsite.access.rest import Conflict, Endpoint
from trialsite.crf.violations import ImpossibleError


class SampleEndpoint(Endpoint):
    """Base of these endpoints."""

    def page(self, rows: QuerySet[Any, Any], build: Any) -> Response:
        """One page: first its keys, by the index alone, then the rows of it with what they
        name. Joined first, a hundred thousand rows are joined to show a hundred."""
        ordered = self.narrow(rows).select_related(None).values_list("pk", flat=True)
        keys = self.paginate_queryset(ordered) or []
        found = rows.in_bulk(keys)
        return self.get_paginated_response([build(found[key]) for key in keys])

    @contextmanager
    def acting(self) -> Iterator[None]:
        """What the state does not allow is a conflict; a scan is refused at its code; an
        attempt that consent does not carry is noted, though it is refused."""
        try:
            yield
        except ProcedureRefusedError as refused:
            keep(self.request._request, refused.propose)  # type: ignore[attr-defined]
            raise
        except ScanRefusedError as refused:
            raise ValidationError({"code": [f"{refused.headline}: {refused}"]}) from refused
        except ImpossibleError as refused:
            said: Any = refused.errors
            if set(said) == {""}:
                raise Conflict(" ".join(map(str, said[""]))) from refused
            raise
