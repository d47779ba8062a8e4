"""The API's clients serve the tests of its files too."""

from __future__ import annotations

from tests.api.conftest import api, nurse
from tests.exports.backed_up import study

__all__ = ["api", "nurse", "study"]
