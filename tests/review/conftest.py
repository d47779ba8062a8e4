"""The API's clients serve the tests of its files too."""

from __future__ import annotations

from tests.api.conftest import api, nurse

__all__ = ["api", "nurse"]
