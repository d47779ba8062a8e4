"""Judge a hospital's spreadsheet by the study's criteria and endpoints; nothing of it is kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from outcomes.pages.endpoints import TITLES, panels
from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.selectors import current_version
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError
from trialsite.dashboard.feasibility.result import Result, Times
from trialsite.dashboard.feasibility.running import RowsError, run
from trialsite.dashboard.feasibility.saying import Words, table, untold_sentence, write_csv
from trialsite.dashboard.feasibility.survival import endpoints_of_times
from trialsite.exports.reading.mappings import MappingError
from trialsite.protocol import Protocol
from trialsite.review.assumptions import confirmed_protocol


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--mapping", required=True, help="What the columns mean, YAML or JSON.")
        parser.add_argument("--csv", help="Where to write every row with its verdicts.")
        parser.add_argument(
            "--as-written",
            action="store_true",
            help="Take every assumption of the protocol as written, confirmed or not.",
        )
        parser.add_argument(
            "--set-aside",
            action="store_true",
            help="Set rows aside that cannot be read, list them, and judge the others.",
        )
        parser.add_argument(
            "--site", help="Whose day today is; without it that of the site with the first code."
        )
        parser.add_argument("--language", choices=[code for code, _name in settings.LANGUAGES])

    def handle(self, *args: Any, **options: Any) -> None:
        language = options["language"] or translation.get_language() or settings.LANGUAGE_CODE
        context = system_context("feasibility", Channel.COMMAND)
        with translation.override(language), acting(context):
            protocol = _protocol()
            words = Words(self._judged(protocol, options), protocol)
            self.stdout.write("\n".join(_said(words, protocol)))
            if options["csv"]:
                _write(Path(options["csv"]), words)

    def _judged(self, protocol: Protocol, options: dict[str, Any]) -> Result:
        try:
            return run(
                Path(options["file"]).read_bytes(),
                Path(options["mapping"]).read_text(encoding="utf-8-sig"),
                protocol,
                today=trial_today(_zone(options["site"])),
                as_written=options["as_written"],
                set_aside=options["set_aside"],
            )
        except MappingError as error:
            lines = (f"{e.line}:{e.column}: {e.path}: {e.message}" for e in error.problems)
            raise CommandError("\n".join((str(error), *lines))) from error
        except RowsError as error:
            lines = (f"{e.place} {e.column}: {e.message}" for e in error.problems)
            raise CommandError("\n".join((str(error), *lines))) from error
        except (DomainError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error


def _protocol() -> Protocol:
    try:
        return confirmed_protocol(current_version().pk)
    except ProtocolVersion.DoesNotExist:
        raise CommandError(_("No protocol version is loaded yet.")) from None


def _zone(code: str | None) -> str:
    """Where the day is counted for rows without one."""
    sites = Site.objects.order_by("code")
    site = (sites.filter(code=code) if code else sites).first()
    if code and site is None:
        raise CommandError(_("There is no site %(code)s.") % {"code": code})
    return site.time_zone if site else settings.TIME_ZONE


def _said(words: Words, protocol: Protocol) -> Iterator[str]:
    """The answer for a terminal."""
    found = words.result
    day = _("judged for %(on)s") % {"on": found.judged_for}
    if not found.judged_for:
        day = _("each row judged for its own date")
    yield f"{found.read_as} · {found.sha256[:16]} · {found.protocol_version} · {day}"
    yield from (f"  {e.place} {e.column}: {e.message}" for e in (*found.left_out, *found.doubts))
    if found.people:
        yield from _criteria(words)
    if found.times is not None:
        yield from _survival(found.times, protocol)


def _criteria(words: Words) -> Iterator[str]:
    found = words.result
    yield ""
    yield words.sentence()
    yield _("Everything met that the file can tell") + f": {found.possible}"
    yield untold_sentence(words)
    yield ""
    headers = (_("Criterion"), _("For the person"), _("Against"), _("Against, alone"))
    yield table(
        (*headers, _("Not yet known"), _("What would settle it")),
        (
            (
                *(line.key, line.tally.fulfilled, line.tally.against, line.tally.alone),
                line.tally.unknown,
                " ".join(f"{need.says} ({need.count})" for need in line.needs[:2]),
            )
            for line in words.criteria()
        ),
    )
    for score in found.scores:
        yield ""
        yield f"{score.criterion} {score.score} > {score.threshold}"
        yield table(
            (_("Version"), _("Computed"), _("Above, unrounded"), _("Above, rounded"),
             _("Turned by rounding"), _("Otherwise than the protocol's version")),
            ((words.version(v.version), v.computed, v.above_raw, v.above_displayed,
              v.rounding_flips, v.differs) for v in score.versions),
        )  # fmt: skip
        yield _("Turned by version or rounding") + f": {score.flips}"


def _survival(times: Times, protocol: Protocol) -> Iterator[str]:
    found = endpoints_of_times(times, protocol)
    for panel in panels(found, lambda **_what: ""):
        yield ""
        yield f"{TITLES[panel.key]} · {panel.events}/{panel.subjects} {panel.median}".rstrip()
        yield table(
            (_("Day"), _("At risk"), _("Estimate"), _("95 %% interval") % {}),
            ((row.day, row.at_risk, row.value, row.interval) for row in panel.points),
        )
    yield ""
    yield table(
        (_("Day"), *(str(state.value) for state in found.milestones[0].subjects)),
        ((each.day, *map(len, each.subjects.values())) for each in found.milestones),
    )


def _write(path: Path, words: Words) -> None:
    """The whole file or none: it takes its name once it is whole."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".feasibility-")
    except OSError as error:
        raise CommandError(str(error)) from error
    whole = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as out:
            write_csv(out, words)
        whole.replace(path)
    except OSError as error:
        raise CommandError(str(error)) from error
    finally:
        whole.unlink(missing_ok=True)
