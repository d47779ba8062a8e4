"""Base of the endpoints that act on samples: a refusal keeps its words and its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework.exceptions import ValidationError

from samples.services.scanning import ScanRefusedError
from screening.services.consent import ProcedureRefusedError
from trialsite.access.keeping import keep
from trialsite.access.rest import Conflict, Endpoint
from trialsite.crf.violations import ImpossibleError


class SampleEndpoint(Endpoint):
    """Base of these endpoints."""

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
