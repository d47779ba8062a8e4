"""How every act on a session holds it, stores it and lets its record follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields

from django.db import DatabaseError, models, transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import RecordStatus, Subject, VisitStatus
from trialsite.casebook.moments import death_problem, future_problem
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.services import attend_visit, set_day_zero
from trialsite.casebook.services.holding import held
from trialsite.conduct.order import decide_under_holds
from trialsite.core.context import because
from trialsite.core.exceptions import StaleError
from trialsite.crf import writing
from trialsite.crf.hashing import record_hash
from trialsite.crf.services import ReasonRequiredError, lock_record
from trialsite.crf.violations import ImpossibleError, refusal_of, said_by
from trialsite.labs.codes import PurificationKind
from trialsite.labs.models import PurificationInterval
from trialsite.labs.services.purification import record_purification, void_purification
from trialsite.protocol import EventRole
from trialsite.protocol.sessions import SessionPlan
from trialsite.protocol.study import AnchorKind
from visits.following import tell
from visits.models import TreatmentSession
from visits.models.session_codes import Modality, StopReason

#: The times of a session in the order in which they come.
TIMES = ("started_at", "cells_on_at", "cells_off_at", "ended_at")

#: Beside which field a rule of the database speaks.
_FIELDS = {
    "sessions_never_overlap": "started_at",
    "session_starts_first": "started_at",
    "session_cells_on_after_start": "cells_on_at",
    "session_cells_off_after_on": "cells_off_at",
    "session_ends_after_start": "ended_at",
    "session_cells_off_before_end": "cells_off_at",
    "session_ended_iff_reason": "stop_reason",
    "session_started_has_people": "operator",
    "session_checked_by_two": "second_checker",
    "session_checked_by_three": "physician",
    "session_codes_known": "modality",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """All times of a session as they shall stand, on the clock at the site."""

    started_at: dt.datetime | None
    cells_on_at: dt.datetime | None = None
    cells_off_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None

    @classmethod
    def of(cls, session: TreatmentSession) -> Times:
        """As they stand."""
        return cls(**{each.name: getattr(session, each.name) for each in fields(cls)})


def plan_of(session: TreatmentSession | Subject) -> SessionPlan | None:
    """What the protocol says of sessions, under the version of the subject or the session."""
    if isinstance(session, Subject):
        return protocol_of(session.protocol_version_id).sessions
    return protocol_of(session.record.protocol_version_id).sessions


def hold_session(
    session: TreatmentSession, *, by: User, base_version: int | None = None
) -> TreatmentSession:
    """The session under lock after its record and subject, if this person may enter now.

    The record comes first, as in every save of a form or a row (whose trigger then asks for
    the subject): in the other order a reading that saves itself and an act lock each other out.
    `base_version` is what the person acts from; None where they saw no version.
    """
    by.require(Capability.ENTER_DATA, site=session.site_id)
    record = lock_record(session.record, by=by)
    subject = held(session.subject)
    locked = TreatmentSession.objects.select_for_update(no_key=True).get(pk=session.pk)
    locked.subject, locked.record = subject, record
    if base_version is not None and record.version != base_version:
        raise StaleError(
            _("Somebody else changed this session. Read it again."),
            current={name: _text(getattr(locked, name)) for name in (*TIMES, "stop_reason")},
            version=record.version,
        )
    return locked


def _text(value: object) -> str:
    return value.isoformat(timespec="minutes") if isinstance(value, dt.datetime) else str(value)


@contextmanager
def session_refusals() -> Iterator[None]:
    """Say what the database refuses beside the field that caused it."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        if name == "sessions_never_overlap":
            message = _("Another session of this participant lies in this time.")
            raise ImpossibleError({_FIELDS[name]: [message]}) from error
        for constraint in TreatmentSession._meta.constraints:
            if constraint.name == name and isinstance(constraint, models.CheckConstraint):
                message = said_by(constraint)
                raise ImpossibleError({_FIELDS.get(name, ""): [message]}) from error
        refusal = refusal_of(TreatmentSession, error)
        if refusal is None:
            raise
        raise refusal from error


def store_session(session: TreatmentSession, *, by: User, reason: str = "") -> None:
    """Store a held session, and move its record on with it; completed data need a reason."""
    record = session.record
    complete = record.status == RecordStatus.COMPLETE
    if complete and not reason.strip():
        raise ReasonRequiredError(_("Say why you change completed data."))
    with because(reason.strip()) if reason.strip() else nullcontext(), session_refusals():
        session.save()
        writing.advance(record, by=by, complete=complete, content_hash=record_hash(record))


def expect_stop(reason: str, comment: str) -> None:
    """An end says why, and another reason says which."""
    if reason not in StopReason.values:
        raise ImpossibleError({"stop_reason": [_("Say why the session ended.")]})
    if reason == StopReason.OTHER and not comment.strip():
        raise ImpossibleError({"stop_comment": [_("Another reason: say which.")]})


def expect_possible(session: TreatmentSession, changed: dict[str, dt.datetime | None]) -> None:
    """Refuse times that have not come, and a start after death (decisions C1, C10), by field.

    A circuit is still taken down after the participant has died.
    """
    errors = {}
    for name, wall in changed.items():
        if wall is None or wall == getattr(session, name):
            continue
        problem = future_problem(wall, session.time_zone)
        if name in ("started_at", "cells_on_at"):
            problem = problem or death_problem(session.subject, wall.date())
        if problem:
            errors[name] = [problem]
    if errors:
        raise ImpossibleError(errors)


def follow_times(session: TreatmentSession, *, by: User, reason: str = "") -> None:
    """Let day zero, the visit and the purification follow the times of a stored session.

    What hears of them may raise holds, and asks for their order before any site's lock.
    """
    decide_under_holds(changing=True)
    with because(reason) if reason else nullcontext():
        _anchor(session.subject, by=by)
        _attend(session, by=by, reason=reason)
        _purify(session, by=by, reason=reason)
        tell(session, by)


def _anchor(subject: Subject, *, by: User) -> None:
    """Day zero is the local date on which the anchoring session started; without one, none."""
    kind = protocol_of(subject.protocol_version_id).anchor.kind
    if kind not in {AnchorKind.FIRST_TREATMENT, AnchorKind.FINAL_TREATMENT}:
        return
    started = TreatmentSession.objects.started().filter(subject=subject).order_by("started_at")
    found = started.first() if kind is AnchorKind.FIRST_TREATMENT else started.last()
    day = found.started_at.date() if found is not None else None
    subject.refresh_from_db(fields=["day_zero"])
    if subject.day_zero != day:
        set_day_zero(subject=subject, day_zero=day, by=by)
        subject.day_zero = day


def _attend(session: TreatmentSession, *, by: User, reason: str) -> None:
    visit = session.record.visit
    if visit is None or session.voided_at is not None or session.started_at is None:
        return
    on = session.started_at.date()
    visit.refresh_from_db()
    if visit.status == VisitStatus.ATTENDED and visit.attended_on == on:
        return
    event = protocol_of(visit.protocol_version_id).schedule.event(visit.event_oid)
    if event.role is EventRole.TREATMENT:
        attend_visit(visit=visit, on=on, by=by, reason=reason)


#: What a session was, for results drawn soon after it; the first that applies.
_KINDS = (
    (Modality.REACTOR, PurificationKind.REACTOR),
    (Modality.PE, PurificationKind.PE),
    (Modality.DPMAS_PE, PurificationKind.DPMAS),
    (Modality.DPMAS, PurificationKind.DPMAS),
    (Modality.ADSORPTION, PurificationKind.ADSORPTION),
    (Modality.FILTRATION, PurificationKind.FILTRATION),
    (Modality.CRRT, PurificationKind.CRRT),
)


def _purify(session: TreatmentSession, *, by: User, reason: str) -> None:
    if session.voided_at is not None:
        standing = PurificationInterval.objects.filter(origin=session.pk, voided_at=None)
        for interval in standing:
            void_purification(interval=interval, reason=reason, by=by)
        return
    if session.started_at is None:
        return
    record_purification(
        subject=session.subject,
        kind=next(
            (kind for modality, kind in _KINDS if modality in session.modality),
            PurificationKind.OTHER,
        ),
        started_at=session.started_at,
        ended_at=session.ended_at,
        origin=session.pk,
        by=by,
    )
