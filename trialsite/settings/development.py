"""`make run`: one machine, plain HTTP on localhost."""

from __future__ import annotations

from trialsite.settings.base import *  # noqa: F403

ENVIRONMENT = "DEMO" if DEMO else env.str("ENVIRONMENT", "TRAINING")  # noqa: F405
