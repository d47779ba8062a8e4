"""By which records the site knows of a death, and what they leave possible of its moment.

One place for all that looks at deaths: the clocks of a report count from the first record that
tells of one, and the rules for holds look at the death that all of them together tell of.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q

from outcomes.models import (
    AdverseEvent,
    Death,
    DelistReason,
    Disposition,
    EndReason,
    Grade,
    Outcome,
    Scope,
    SurvivalContact,
    SurvivalStatus,
    Transplantation,
)
from outcomes.selectors.survival import last_alive
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.models import CrfData, stored
from visits.models import TreatmentSession

#: What makes an event a fatal one.
FATAL = Q(results_in_death=True) | Q(outcome=Outcome.FATAL) | Q(grade=Grade.DEATH)

#: What a record says by which the site knows of a death. Its own form tells of it whether or
#: not its date is known yet.
_SAID: Mapping[type[CrfData], Q] = {
    Death: Q(),
    SurvivalContact: Q(status=SurvivalStatus.DEAD),
    Disposition: Q(reason=EndReason.DEATH),
    AdverseEvent: FATAL,
    Transplantation: Q(delist_reason=DelistReason.DIED),
}


def _is_fatal(event: AdverseEvent) -> bool:
    said = bool(event.results_in_death) or event.outcome == Outcome.FATAL
    return said or event.grade == Grade.DEATH


#: The same of a row in hand.
TELLS: Mapping[type[CrfData], Callable[..., bool]] = {
    Death: lambda _row: True,
    SurvivalContact: lambda row: row.status == SurvivalStatus.DEAD,
    Disposition: lambda row: row.reason == EndReason.DEATH,
    AdverseEvent: _is_fatal,
    Transplantation: lambda row: row.delist_reason == DelistReason.DIED,
}


def telling(record: str) -> Q:
    """Whether the record still says it; a voided one says nothing."""
    found = Q()
    for table, said in _SAID.items():
        rows = stored(table).filter(said, pk=OuterRef(record), record__voided_at=None)
        found |= Q(Exists(rows))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDeath:
    """The death of a subject by all standing records that tell of it."""

    tellers: tuple[CrfData, ...]
    #: Between which times on the clock at the site it was; None while nobody has said when,
    #: nor that it is not known.
    first: dt.datetime | None
    latest: dt.datetime | None

    @property
    def judged(self) -> list[CrfData]:
        """The records that say what caused it."""
        return [row for row in self.tellers if isinstance(row, Death | AdverseEvent)]


def told_death(subject: Subject) -> ToldDeath | None:
    """The death that any record tells of; `subject` with its site."""
    tellers = tuple(
        row
        for table, said in _SAID.items()
        for row in stored(table).filter(said, subject=subject, record__voided_at=None)
    )
    if not tellers:
        return None
    span = _span(tellers, subject)
    first, latest = span or (None, None)
    return ToldDeath(tellers=tellers, first=first, latest=latest)


def hours_after_session(death: ToldDeath, subject: Subject) -> float | None:
    """The hours from the end of the last session to the death, the fewest the records allow.

    A death in a running session, or one whose day or month leaves the moment open, counts
    as early as it may have been; one whose date is not known, after the last sign of life.
    None where no session preceded it.
    """
    if death.first is None or death.latest is None:
        return None
    sessions = TreatmentSession.objects.started().filter(
        subject=subject, started_at__lte=death.latest
    )
    session = sessions.order_by("-started_at").first()
    if session is None:
        return None
    zone = ZoneInfo(subject.site.time_zone)
    ended = session.ended_at or death.latest
    died = max(death.first, min(ended, death.latest))
    passed = died.replace(tzinfo=zone) - ended.replace(tzinfo=zone)
    return max(passed / dt.timedelta(hours=1), 0.0)


_Span = tuple[dt.datetime, dt.datetime]


def _span(tellers: tuple[CrfData, ...], subject: Subject) -> _Span | None:
    """The form of the death says when, once it has its date; until then what all others leave
    possible: by the first moment by which any of them says so, and not before what another
    says of an earlier one."""
    forms = [row for row in tellers if isinstance(row, Death)]
    for death in forms:
        if death.died_on is not None:
            return _days(death.died_on, death.died_time)
    told = list(_tellings(tellers, subject))
    if not told:
        return None
    latest = min(span[1] for span in told)
    return max(span[0] for span in told if span[0] <= latest), latest


def _tellings(tellers: tuple[CrfData, ...], subject: Subject) -> Iterator[_Span]:
    """What each record leaves possible; one that knows no day, from the last sign of life on."""
    now = trial_now().astimezone(ZoneInfo(subject.site.time_zone)).replace(tzinfo=None)
    seen = last_alive([subject.pk]).get(subject.pk)
    alive = dt.datetime.combine(seen.proven if seen else dt.date.min, dt.time())
    for row in tellers:
        if isinstance(row, Death) and "died_on" not in row.missing:
            # Nobody has said yet when it was, nor that it is not known.
            continue
        if isinstance(row, AdverseEvent) and row.ended_on is not None:
            yield _days(row.ended_on, row.ended_time)
        else:
            day = _dead_by(row)
            latest = min(now, dt.datetime.combine(day, dt.time.max)) if day else now
            yield min(alive, latest), latest


def _dead_by(row: CrfData) -> dt.date | None:
    """By the end of which day somebody was dead of whom a record tells that; None: by now."""
    if isinstance(row, SurvivalContact):
        day: dt.date | None = row.contact_on
        return day
    on: PartialDate | None = None
    if isinstance(row, Transplantation):
        on = row.delisted_on
    elif isinstance(row, Disposition) and row.scope == Scope.STUDY:
        # The end of the treatment may have come before the death.
        on = row.ended_on
    return on.latest if on else None


def _days(on: PartialDate, time: dt.time | None) -> _Span:
    """Within these days, or at the time that is known."""
    latest = dt.datetime.combine(on.latest, time or dt.time.max)
    return latest if time else dt.datetime.combine(on.earliest, dt.time()), latest
