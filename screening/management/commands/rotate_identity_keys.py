"""Seal every identifier under the newest of IDENTITY_KEYS; nothing is lost on the way."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from screening.identity import TamperedError, UnusableKeyError
from screening.services.identity_keys import BATCH, KeyUse, identity_keys, keys_in_use, rotate_batch
from trialsite.access.models import Site
from trialsite.core.context import Channel, Context, acting


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--status", action="store_true", help="Only tell which keys are in use."
        )
        parser.add_argument("--batch", type=int, default=BATCH, help="Identifiers at a time.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["status"]:
            self._tell()
            return
        if "owner" not in connections.databases:
            raise CommandError(
                "DATABASE_OWNER_URL is not set: only the owner may read all ciphertext."
            )
        done = 0
        try:
            while moved := self._rotate(options["batch"]):
                done += moved
        except (TamperedError, UnusableKeyError) as error:
            raise CommandError(f"Stopped after {done} identifiers: {error}") from error
        self.stdout.write(f"{done} identifiers sealed anew.")
        self._tell()

    def _rotate(self, batch: int) -> int:
        with acting(_context("owner"), using="owner"):
            return rotate_batch(using="owner", batch=batch)

    def _tell(self) -> None:
        keys = identity_keys()
        with acting(_context("default")):
            used = keys_in_use()
        counts = dict.fromkeys(keys.sealing, 0)
        for each in used:
            counts[each.key_id] = counts.get(each.key_id, 0) + each.held
        for key_id, held in counts.items():
            self.stdout.write(
                f"{key_id}: {held} identifiers. {_advice(key_id, held, keys.sealing)}"
            )
        strange = _unfound(used, keys.index_id)
        if strange:
            self.stdout.write(f"{strange} identifiers are indexed under another index key.")


def _advice(key_id: str, held: int, keys: Any) -> str:
    if key_id not in keys:
        return "IDENTITY_KEYS does not hold this key: put it back."
    if key_id == next(iter(keys)):
        return "The newest key."
    return "Still needed." if held else "No longer needed: it can be removed."


def _unfound(used: list[KeyUse], index_id: str) -> int:
    return sum(each.held for each in used if each.index_id != index_id)


def _context(using: str) -> Context:
    """Every site: the owner and the application are each bound by row-level security."""
    sites = frozenset(Site.objects.using(using).values_list("pk", flat=True))
    name = "rotate_identity_keys"
    return Context(channel=Channel.COMMAND, system=name, sites=sites, reason=name)
