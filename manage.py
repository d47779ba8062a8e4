#!/usr/bin/env python
"""Django's command line for this study's database and site."""

import os
import sys

from django.core.management import execute_from_command_line

import trialsite.celery  # noqa: F401  (binds shared tasks to this project's broker)

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings.development")
    execute_from_command_line(sys.argv)
