"""`make bench`: every benchmark in one run, printed and written to docs/benchmarks.md."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import django

django.setup()

from tests import databases  # noqa: E402  (Django first)
from tests.benchmarks import (  # noqa: E402
    eligibility,
    endpoints,
    feasibility,
    forms,
    imports,
    notices,
    reminders,
    today,
)

DATABASE = "trialsite_bench"
REPORT = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"


def main() -> None:
    databases.clone(DATABASE)
    lines: list[str] = []
    try:
        with databases.using(DATABASE):
            for benchmark in (
                forms.saving,
                forms.rendering,
                eligibility.evaluating,
                eligibility.from_the_database,
                notices.dispatching,
                reminders.planning,
                today.today,
                imports.importing,
                endpoints.estimating,
                feasibility.judging,
            ):
                lines += [*benchmark(), ""]
    finally:
        databases.drop(DATABASE)
    sys.stdout.write("\n".join(lines))
    REPORT.write_text(
        "# Benchmarks\n\nWritten by `make bench`. Read the ratios, which hold; the times are "
        f"one machine's ({platform.machine()}, Python {platform.python_version()}).\n\n```\n"
        + "\n".join(lines).rstrip()
        + "\n```\n",
        encoding="utf-8",
    )


main()
