"""Who could do what where on a day, told from rows that are ended but never edited (IA7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from django.db.models import Max, Q, QuerySet

from trialsite.access.capabilities import GRANTS, Capability, Role
from trialsite.access.models import (
    Deactivation,
    Invitation,
    Membership,
    SignInAttempt,
    Training,
    User,
)


class State(Enum):
    """Whether an account could be used on a day."""

    ACTIVE = "active"
    #: Nobody could sign in: the last invitation was not yet taken.
    INVITED = "invited"
    #: Switched off or on during the day: usable for a part of it.
    PARTLY = "partly"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Line:
    """One role of one person as it stood on the day."""

    membership: Membership
    state: State
    training: Training | None
    last_sign_in: dt.datetime | None

    @property
    def capabilities(self) -> list[Capability]:
        granted = GRANTS[Role(self.membership.role)]
        return [capability for capability in Capability if capability in granted]


def access_on(*, by: User, date: dt.date) -> list[Line]:
    """Every role in force on a day (UTC), at the sites whose access the asker may see."""
    lines = list(
        visible_memberships(by)
        .filter(
            Q(valid_until=None) | Q(valid_until__gte=date),
            Q(ended_on=None) | Q(ended_on__gte=date),
            valid_from__lte=date,
        )
        .order_by("site__code", "role", "user__full_name", "pk")
    )
    people = {line.user_id for line in lines}
    states, trainings, sign_ins = (
        _states(people, date),
        _trainings(people, date),
        _sign_ins(people, date),
    )
    return [
        Line(
            line,
            states.get(line.user_id, State.ACTIVE),
            trainings.get(line.user_id),
            sign_ins.get(line.user_id),
        )
        for line in lines
        if line.user.created_at < _bounds(date)[1]
    ]


def visible_memberships(by: User) -> QuerySet[Membership]:
    """The delegation log at the sites whose access the person may see, study-wide lines too."""
    by.require(Capability.VIEW_ACCESS_REPORT)
    lines = Membership.objects.select_related("user", "site", "granted_by")
    if by.access.study_wide(Capability.VIEW_ACCESS_REPORT):
        return lines
    return lines.filter(Q(site__in=by.access.sites(Capability.VIEW_ACCESS_REPORT)) | Q(site=None))


def visible_trainings(by: User) -> QuerySet[Training]:
    """The training log of everybody whose access the person may see."""
    people = visible_memberships(by).values("user")
    return (
        Training.objects.filter(user__in=people)
        .select_related("user", "recorded_by")
        .order_by("user__full_name", "trained_on", "pk")
    )


def _bounds(date: dt.date) -> tuple[dt.datetime, dt.datetime]:
    start = dt.datetime.combine(date, dt.time(), dt.UTC)
    return start, start + dt.timedelta(days=1)


def _states(people: Iterable[int], date: dt.date) -> dict[int, State]:
    start, end = _bounds(date)
    sent = Invitation.objects.filter(user__in=people, created_at__lt=end).order_by("pk")
    found = {
        each.user_id: State.INVITED
        if each.taken_at is None or each.taken_at >= end
        else State.ACTIVE
        for each in sent
    }
    off = Deactivation.objects.filter(user__in=people, started_at__lt=end).filter(
        Q(ended_at=None) | Q(ended_at__gt=start)
    )
    return found | {
        each.user_id: State.DEACTIVATED
        if each.started_at <= start and (each.ended_at is None or each.ended_at >= end)
        else State.PARTLY
        for each in off.order_by("started_at")
    }


def _trainings(people: Iterable[int], date: dt.date) -> dict[int, Training]:
    """The latest training of each person by that day."""
    found = Training.objects.filter(user__in=people, trained_on__lte=date)
    return {each.user_id: each for each in found.order_by("trained_on", "pk")}


def _sign_ins(people: Iterable[int], date: dt.date) -> dict[int, dt.datetime]:
    found = SignInAttempt.objects.filter(user__in=people, succeeded=True, at__lt=_bounds(date)[1])
    return dict(found.values_list("user").annotate(last=Max("at")).values_list("user", "last"))


def as_rows(lines: Iterable[Line], date: dt.date) -> Iterator[list[str]]:
    """The report as a table of texts, codes beside nothing: it is read by people."""
    yield ["date", "site", "person", "e-mail", "role", "from", "until", "ended", "state",
           "training", "trained on", "last sign-in (UTC)", "may"]  # fmt: skip
    for line in lines:
        held = line.membership
        yield [
            date.isoformat(),
            held.site.code if held.site else "*",
            held.user.full_name,
            held.user.email,
            held.role,
            held.valid_from.isoformat(),
            held.valid_until.isoformat() if held.valid_until else "",
            held.ended_on.isoformat() if held.ended_on else "",
            line.state.value,
            line.training.topic if line.training else "",
            line.training.trained_on.isoformat() if line.training else "",
            line.last_sign_in.strftime("%Y-%m-%d %H:%M:%S") if line.last_sign_in else "",
            " ".join(line.capabilities),
        ]
