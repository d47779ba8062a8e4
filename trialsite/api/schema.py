"""The OpenAPI description of the API, for its users."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.views import SpectacularAPIView

from trialsite.access.http import Audience, Policy


class Schema(SpectacularAPIView):
    policy: ClassVar = {"GET": Policy(Audience.STAFF)}
