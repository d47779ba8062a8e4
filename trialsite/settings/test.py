"""The same product on services of its own; password hashing and the beat can be made quick."""

from __future__ import annotations

from urllib.parse import urlsplit

from trialsite.settings.base import *  # noqa: F403
from trialsite.settings.base import (
    CACHES,
    CELERY_BEAT_SCHEDULE,
    DATABASES,
    INSTALLED_APPS,
    REDIS_URL,
    STORAGES,
    env,
)

ENVIRONMENT = "TEST"
INSTALLED_APPS.insert(0, "tests.engine")
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2"]
# Forty enrolments that wait for each other are slow on a loaded machine, not wrong.
DATABASES["default"]["OPTIONS"]["options"] += (  # type: ignore[index]
    " -c lock_timeout=120s -c statement_timeout=300s -c idle_in_transaction_session_timeout=300s"
)
CACHES["default"]["KEY_PREFIX"] = "test"
# A cache of its own for each process of the suite, beside the broker: some tests empty theirs,
# which empties the whole database of the server.
_process = int(env.str("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
CACHES["default"]["LOCATION"] = urlsplit(REDIS_URL)._replace(path=f"/{1 + _process % 15}").geturl()
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
for _errand in ("plan-notices", "deliver-notices"):
    CELERY_BEAT_SCHEDULE[_errand]["schedule"] = env.int("BEAT_SECONDS", 60)
