"""Make the copies: as many as are asked for, some at a time, each compared with its original."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from screening.models import Enrolment, ScreeningEntry
from trialsite.access.context import system_context
from trialsite.access.models import Site
from trialsite.core.context import Channel, acting
from trialsite.demo.amendment import with_places
from trialsite.demo.bulk.notices import copy_notices, keys_of_notices
from trialsite.demo.bulk.numbering import NUMBERED, count_on, last_numbers, numbers
from trialsite.demo.bulk.proof import Original, expect_equal, expect_no_more, originals
from trialsite.demo.bulk.replay import Replay
from trialsite.demo.bulk.retold import Retold, copy_of
from trialsite.demo.bulk.sealed import bind
from trialsite.demo.bulk.statements import batches
from trialsite.demo.bulk.trail import Step, keys_of_copied_rows, story

#: So many copies at once: a statement tells of all of them.
AT_ONCE = 100


@contextmanager
def places_for(scale: int) -> Iterator[None]:
    """Let the study's protocol have places for so many times its participants."""
    before = settings.PROTOCOL_FILE
    text = with_places(Path(before).read_text(encoding="utf-8"), scale)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(before).name
        path.write_text(text, encoding="utf-8")
        settings.PROTOCOL_FILE = str(path)
        try:
            yield
        finally:
            settings.PROTOCOL_FILE = before


def multiply(scale: int, *, say: Callable[[str], None] = lambda _text: None) -> int:
    """Let the study hold the story `scale` times; how many rows were compared."""
    context = system_context("demo", Channel.COMMAND)
    with acting(context):
        retold, transactions, told = _read()
        sites = frozenset(Site.objects.values_list("pk", flat=True))
        places = Enrolment.objects.standing().count()
    compared = 0
    for copies in batches(range(1, scale), AT_ONCE):
        with acting(context):
            replay = Replay(retold, copies, sites, places)
        replay.live(transactions)
        with acting(context):
            copy_notices(retold, copies)
            compared += expect_equal(told, retold, copies)
        say(f"{copies[-1] + 1} of {scale}")
    with acting(context):
        count_on(scale)
        expect_no_more(told, scale)
    return compared


def times_told() -> int | None:
    """How many times the study holds the story; None where the last copies are not finished.

    The counters go on in the end, so until then they are behind the numbers of the log.
    """
    keys = [str(key) for key in ScreeningEntry.objects.values_list("pk", flat=True)]
    counted = sum(
        last for (_site, kind), last in last_numbers().items() if kind == NUMBERED[0].counter
    )
    return 1 + max(map(copy_of, keys), default=0) if counted >= len(keys) else None


def _read() -> tuple[Retold, list[list[Step]], list[Original]]:
    keys = keys_of_copied_rows()
    retold = Retold(keys | keys_of_notices(keys), numbers())
    bind(retold)
    return retold, story(retold), originals(retold)
