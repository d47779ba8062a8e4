"""Digests: what is bundled reaches one person in at most one mail a day.

A digest is a notice of its own: claimed, leased, doubted, repeated and logged like any other.
Those it merges point to it and end as it ends (docs/adr/0009-digests-are-notices.md).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from django.db import connection
from django.db.models import Q, QuerySet

from trialsite.access.models import User
from trialsite.core.context import Context, acting
from trialsite.notify.hours import digest_moment
from trialsite.notify.models import DIGEST, OPEN, By, Lane, Notice, Outcome, State
from trialsite.notify.planning import catch_up
from trialsite.notify.readers import Reader, readers_of
from trialsite.notify.settling import dissolve, settle
from trialsite.notify.sifting import sift, wait_until

#: How many people's digests are made at a time.
PEOPLE = 100
#: While it is unknown whether a digest went out, the next one is not made.
A_WHILE = dt.timedelta(minutes=5)
_A_DAY = dt.timedelta(days=1)


def gather(context: Context, now: dt.datetime, channel: By, most: int = PEOPLE) -> bool:
    """Merge what is bundled and due, person by person; whether there may be more to do."""
    with acting(context):
        waiting = _waiting(now, channel)
        latest = waiting.order_by("-send_at").values_list("send_at", flat=True).first()
        if latest is None:
            return False
    catch_up(latest, now)
    with acting(context):
        found = waiting.order_by("recipient").values_list("recipient", flat=True)
        people = list(found.distinct()[:most])
        readers = readers_of(User.objects.filter(pk__in=people), now)
    for person in people:
        with acting(context):
            _gather_for(person, readers.get(person or 0), channel, now)
    return len(people) == most


def _waiting(now: dt.datetime, channel: By) -> QuerySet[Notice]:
    return Notice.objects.filter(
        lane=Lane.BUNDLED,
        state=State.PLANNED,
        channel=channel,
        send_at__lte=now,
        try_at__lte=now,
    )


def _gather_for(person: int | None, reader: Reader | None, channel: By, now: dt.datetime) -> None:
    if not _alone_with(person, channel):
        return
    digests = _digests_of(reader, channel, now) if reader else []
    found = _waiting(now, channel).filter(recipient=person).order_by("due_at", "id")
    waiting = list(found.select_for_update(of=("self",)))
    ready = sift(waiting, {reader.user.pk: reader} if reader else {}, now)
    if reader is None or not ready:
        return
    leaves = _leaves(digests, reader, now)
    if leaves > now:
        for notice in ready:
            wait_until(notice, leaves)
        return
    digest = _digest_of_today(digests, reader, channel, now)
    Notice.objects.filter(pk__in=[notice.pk for notice in ready]).update(
        state=State.BUNDLED, within=digest
    )


def _alone_with(person: int | None, channel: By) -> bool:
    """One worker at a time makes a person's digest; another one's work is not repeated."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"notify:{DIGEST}:{channel}:{person}"],
        )
        return bool(cursor.fetchone()[0])


def _digests_of(reader: Reader, channel: By, now: dt.datetime) -> list[Notice]:
    """The person's digests that bear on today's. One of an earlier day that has certainly
    not left is dissolved: what it says belongs into today's."""
    today = reader.today(now)
    known = Notice.objects.filter(
        Q(state__in=OPEN) | Q(day=today) | Q(sent_at__gt=now - 2 * _A_DAY),
        kind=DIGEST,
        recipient=reader.user,
        channel=channel,
    )
    found = list(known.select_for_update(of=("self",)))
    stale = [each for each in found if _is_open(each) and each.day != today]
    for digest in stale:
        dissolve(digest, now)
    return [each for each in found if each not in stale]


def _is_open(digest: Notice) -> bool:
    """Whether it can still take more in: nothing of it can have left."""
    return digest.state == State.PLANNED and digest.certainly_unsent


def _leaves(digests: Sequence[Notice], reader: Reader, now: dt.datetime) -> dt.datetime:
    """When the person's next digest may leave."""
    if any(each.state in OPEN and not _is_open(each) for each in digests):
        return now + A_WHILE
    today = reader.today(now)
    had = any(
        (each.sent_at is not None and reader.today(each.sent_at) == today)
        or (each.day == today and not _is_free(each))
        for each in digests
    )
    return digest_moment(now, zone=reader.zone, at=reader.digest_at, quiet=reader.quiet, had=had)


def _is_free(digest: Notice) -> bool:
    """Whether the day's digest can be used (again): all it said was no longer due."""
    return _is_open(digest) or (digest.state == State.CANCELLED and digest.certainly_unsent)


def _digest_of_today(
    digests: Sequence[Notice], reader: Reader, channel: By, now: dt.datetime
) -> Notice:
    today = reader.today(now)
    digest = next((each for each in digests if each.day == today), None)
    if digest is not None:
        if digest.state == State.CANCELLED:
            digest.state, digest.send_at, digest.try_at = State.PLANNED, now, now
            digest.save(update_fields=["state", "send_at", "try_at"])
        return digest
    key = f"{DIGEST}:{channel}:{reader.user.pk}:{today}"
    return Notice.objects.create(
        id=uuid.uuid5(uuid.NAMESPACE_URL, key),
        kind=DIGEST,
        site=reader.home,
        recipient=reader.user,
        channel=channel,
        lane=Lane.ORDINARY,
        dedupe_key=key,
        day=today,
        due_at=now,
        send_at=now,
        try_at=now,
    )


def reviewed(
    digests: Sequence[Notice], readers: Mapping[int, Reader], now: dt.datetime
) -> list[Notice]:
    """The digests of today, or of which a part may have left, that still have something to
    say; each thing that they say is asked after once more."""
    standing = []
    for digest in digests:
        reader = readers[digest.recipient_id or 0]
        if digest.certainly_unsent and digest.day != reader.today(now):
            dissolve(digest, now)
        else:
            standing.append(digest)
    inside = Notice.objects.filter(within__in=standing, state=State.BUNDLED)
    members = list(inside.select_for_update(of=("self",)))
    with_something = {member.within_id for member in sift(members, readers, now)}
    for digest in standing:
        if digest.pk not in with_something:
            settle(digest, Outcome.CANCELLED)
    return [digest for digest in standing if digest.pk in with_something]
