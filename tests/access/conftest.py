from __future__ import annotations

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _no_mail_limit_left_over():
    """The limit on mails counts by address in the cache; every test begins without a past."""
    cache.clear()
