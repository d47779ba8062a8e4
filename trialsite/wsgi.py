"""The web process."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

import trialsite.celery  # noqa: F401  (binds shared tasks to this project's broker)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings.production")
application = get_wsgi_application()
