"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context of the shell: environment, places, sites, clock."""
    return {"ENVIRONMENT": settings.ENVIRONMENT, "DEMO": settings.DEMO}
