"""What has been said and what has not: for each reader, for whoever looks after delivery, and
for the readiness probe."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import models, transaction
from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability, Role
from trialsite.access.models import Membership, User
from trialsite.core.clock import trial_now
from trialsite.notify.models import (
    DIGEST,
    HELD,
    OPEN,
    READY_MADE,
    WAITING,
    Lane,
    Notice,
    Preferences,
    State,
    is_addressed_to,
    is_unsaid,
)
from trialsite.notify.planning import Mail, planner_of, planners, rendered

log = logging.getLogger(__name__)

#: A lost broker or worker makes mails late by no more than this.
LATE = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Notices that nobody has got: late ones, and those that need a person to look."""

    overdue: int
    in_doubt: int
    failed: int
    nobody: int


def backlog(now: dt.datetime | None = None) -> Backlog:
    """How far delivery is behind; two index scans, whatever has been sent before. What a
    digest merges counts with the digest, and what waits for the morning is not late."""
    late = Notice.objects.filter(
        state__in=(*WAITING, *HELD), send_at__lt=(now or trial_now()) - LATE
    )
    unsaid = Notice.objects.unsaid()
    return Backlog(
        **late.aggregate(overdue=Count("pk"), in_doubt=_in(State.IN_DOUBT)),
        **unsaid.aggregate(failed=_in(State.FAILED), nobody=_in(State.NOBODY)),
    )


def _in(state: State) -> Count:
    return Count("pk", filter=Q(state=state))


@dataclass(frozen=True, slots=True)
class Bell:
    """What the bell of every page tells a person."""

    unseen: int = 0
    #: Failed, or with nobody to send to, where the person looks after delivery.
    unsaid: int = 0


def bell_of(user: User) -> Bell:
    """How many notices are new, and how many reached nobody; one query."""
    mine = is_addressed_to(user) & Q(seen_at=None)
    theirs = is_unsaid() & _kept_by(user)
    counted = Notice.objects.filter(mine | theirs).aggregate(
        unseen=Count("pk", filter=mine), unsaid=Count("pk", filter=theirs)
    )
    return Bell(**counted)


def _kept_by(user: User) -> Q:
    sites = Q(site__in=user.access.sites(Capability.MANAGE_NOTICES))
    whole = user.access.study_wide(Capability.MANAGE_NOTICES)
    return sites | Q(site=None) if whole else sites


def kinds() -> dict[str, str | Promise]:
    """The name of each kind of notice."""
    named: dict[str, str | Promise] = {each.kind: each.title for each in planners()}
    return {**named, DIGEST: _("Digest"), READY_MADE: _("Mail about the account")}


def title_of(notice: Notice) -> str | Promise:
    """What the notice's kind is called; where its app is gone, its key."""
    return kinds().get(notice.kind, notice.kind)


def notices_to(user: User) -> models.QuerySet[Notice]:
    """The person's own notices, the latest first."""
    return Notice.objects.addressed_to(user).select_related("site").order_by("-due_at", "pk")


def preferences_of(user: User) -> Preferences:
    """How the person wants to be told: the stored choice, or the defaults."""
    return Preferences.objects.filter(pk=user.pk).first() or Preferences(user=user)


@dataclass(frozen=True, slots=True)
class Line:
    """One notice as its reader sees it in Trialsite."""

    notice: Notice
    title: str | Promise
    #: None where it can no longer be told.
    mail: Mail | None
    still_due: bool

    @property
    def is_urgent(self) -> bool:
        return self.notice.lane == Lane.URGENT


def lines_of(notices: Iterable[Notice], user: User) -> list[Line]:
    """A page of the person's notices, in their language; the queries do not grow with it."""
    shown = list(notices)
    texts = rendered(shown, user)
    over = _over(shown)
    return [Line(each, title_of(each), texts.get(each.pk), each.pk not in over) for each in shown]


def _over(notices: Sequence[Notice]) -> set[uuid.UUID]:
    """Those still on their way that are not due any more, before the dispatcher notices."""
    open_ones: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        if notice.state in OPEN:
            open_ones[notice.kind].append(notice)
    over: set[uuid.UUID] = set()
    for kind, asked in open_ones.items():
        try:
            with transaction.atomic():
                over |= {each.pk for each in asked} - planner_of(kind).still_due(asked)
        except Exception:
            log.exception("whether %s is still due cannot be told", kind)
    return over


@dataclass(frozen=True, slots=True)
class Entry:
    """One notice as whoever looks after delivery sees it."""

    notice: Notice
    title: str | Promise
    #: What it says, in one line, for who may see casebooks there.
    said: str
    roles: tuple[Role, ...]


def entries_of(notices: Iterable[Notice], user: User) -> list[Entry]:
    """A page of the delivery log; the queries do not grow with it."""
    shown = list(notices)
    sees = user.access.sites(Capability.VIEW_CASEBOOK)
    plain = [each for each in shown if each.kind not in {DIGEST, READY_MADE}]
    texts = rendered([each for each in plain if each.site_id in sees], user)
    roles = _roles_of(shown)
    return [
        Entry(each, title_of(each), _said(texts.get(each.pk)), roles.get(each.pk, ()))
        for each in shown
    ]


def _said(mail: Mail | None) -> str:
    return (mail.line or mail.subject) if mail else ""


def _roles_of(notices: Sequence[Notice]) -> dict[uuid.UUID, tuple[Role, ...]]:
    """The roles that each recipient holds today where the notice comes from."""
    people = {notice.recipient_id for notice in notices}
    held: dict[int, set[tuple[int | None, str]]] = defaultdict(set)
    lines = Membership.objects.on(trial_now().date()).filter(user__in=people - {None})
    for user, site, role in lines.values_list("user", "site", "role"):
        held[user].add((site, role))
    return {
        notice.pk: tuple(
            role
            for role in Role
            if any(
                each == role and (at in {None, notice.site_id} or notice.site_id is None)
                for at, each in held[notice.recipient_id or 0]
            )
        )
        for notice in notices
    }


def for_log(rows: models.QuerySet[Notice]) -> models.QuerySet[Notice]:
    """In the order of the log, with what its lines name."""
    return rows.select_related("site", "recipient", "within").order_by("-due_at", "pk")
