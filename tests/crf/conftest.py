"""The API's clients serve the tests of the forms' engine too."""

from __future__ import annotations

from tests.api.conftest import api

__all__ = ["api"]
