"""The same product on services of its own; only password hashing is made quick."""

from __future__ import annotations

from trialsite.settings.base import *  # noqa: F403
from trialsite.settings.base import CACHES, INSTALLED_APPS, STORAGES

ENVIRONMENT = "TEST"
INSTALLED_APPS.insert(0, "tests.engine")
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2"]
CACHES["default"]["KEY_PREFIX"] = "test"
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
