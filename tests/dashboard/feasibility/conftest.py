"""A sandbox lies in the cache, and other tests that run at the same time empty theirs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

#: A numbered database of the same server that no other test uses.
_OWN = "/9"


@pytest.fixture(autouse=True)
def _a_cache_that_nobody_else_empties(settings: Any) -> None:
    default = settings.CACHES["default"]
    address = urlsplit(default["LOCATION"])._replace(path=_OWN).geturl()
    settings.CACHES = {**settings.CACHES, "default": {**default, "LOCATION": address}}
