"""Loading cells into a session's reactor, confirming what is unusual, voiding what is wrong."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.casebook.moments import future_problem
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Importance
from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf import writing
from trialsite.crf.hashing import record_hash
from trialsite.crf.violations import ImpossibleError
from visits.models import LoadedProduct, LotMovement, MovementKind, ProductLot, TreatmentSession
from visits.selectors.products import lot_problem, scanned, state_problem, units_left
from visits.services.products.lots import locked_lot
from visits.services.products.refusing import product_refusals
from visits.services.products.stock import (
    MovementFacts,
    add_movement,
    expect_at_site,
    strike_movement,
)
from visits.services.session_store import hold_session

TOO_LONG = declare_kind(
    "cells_too_long",
    gettext_lazy("Cells connected later after thawing than they are stable"),
    category=Category.TREATMENT,
    importance=Importance.MAJOR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFacts:
    """What was loaded; times are the clock at the site, cells in millions."""

    reactor_serial: str
    viable_cells: Decimal
    thaw_started_at: dt.datetime
    thaw_ended_at: dt.datetime
    loaded_at: dt.datetime
    loaded_by: User
    checked_by: User
    units: int = 1
    prescribed_cells: Decimal | None = None
    viability_thawed: Decimal | None = None
    viability_loaded: Decimal | None = None
    washed: bool | None = None
    hold_temperature: Decimal | None = None
    storage_position: str = ""
    confirmed: str = ""
    #: Why it is entered after the lot was stopped, or after the session was completed.
    late_reason: str = ""


@transaction.atomic
def load_product(
    *, session: TreatmentSession, lot_code: str, facts: LoadFacts, by: User
) -> LoadedProduct:
    """Enter which cells went into which reactor; they leave the stock of the site.

    Raises ImpossibleError with what is wrong by field: a lot that is not released, expired
    or not at this site, a reactor that has served another session, times out of order.
    """
    session = _held(session, by=by)
    _expect_possible(session, facts)
    for name in ("loaded_by", "checked_by"):
        expect_at_site(getattr(facts, name), session.site_id, name)
    lot = _loadable(session, lot_code, facts)
    with because(facts.late_reason.strip()[:500]):
        movement = add_movement(
            lot,
            session.site,
            MovementKind.LOADED,
            MovementFacts(units=facts.units, happened_at=facts.loaded_at),
            by,
        )
        loaded = LoadedProduct(
            site_id=session.site_id,
            subject_id=session.subject_id,
            session=session,
            lot=lot,
            movement=movement,
            time_zone=session.site.time_zone,
            entered_by=by,
            entered_at=TrialNow(),
            **{name: getattr(facts, name) for name in LoadFacts.__dataclass_fields__},
        )
        loaded.reactor_serial = scanned(facts.reactor_serial)
        with product_refusals(LoadedProduct):
            loaded.save(force_insert=True)
        _advance(session.record)
    loaded.refresh_from_db(fields=["entered_at"])
    judge_thawing(session=session)
    return loaded


def _held(session: TreatmentSession, *, by: User) -> TreatmentSession:
    """The session under lock, if this person may enter into it now."""
    held = hold_session(session, by=by)
    if held.voided_at is not None:
        raise TransitionError(_("This session has been voided."))
    return held


_ORDER = ("thaw_started_at", "thaw_ended_at", "loaded_at")


def _expect_possible(session: TreatmentSession, facts: LoadFacts) -> None:
    """Refuse what the row's own constraints cannot know, each at its field."""
    errors = _time_problems(session, facts)
    if facts.loaded_by.pk == facts.checked_by.pk:
        errors["checked_by"] = [_("A second person checks what is loaded.")]
    if session.record.status == RecordStatus.COMPLETE and not facts.late_reason.strip():
        errors["late_reason"] = [_("A change of completed data needs a reason.")]
    if errors:
        raise ImpossibleError(errors)


def _time_problems(session: TreatmentSession, facts: LoadFacts) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for name in _ORDER:
        if problem := future_problem(getattr(facts, name), session.site.time_zone):
            errors[name] = [problem]
    for earlier, later in pairwise(_ORDER):
        if getattr(facts, later) < getattr(facts, earlier):
            errors.setdefault(later, []).append(
                _("Thawing starts, then ends, then the cells are loaded.")
            )
    if session.cells_off_at is not None and facts.loaded_at > session.cells_off_at:
        errors.setdefault("loaded_at", []).append(
            _("The reactor had been taken off before this time.")
        )
    return errors


def _loadable(session: TreatmentSession, lot_code: str, facts: LoadFacts) -> ProductLot:
    """The lot of this code under its lock, if it might be loaded then and there."""
    found = ProductLot.objects.filter(code=scanned(lot_code)).first()
    if found is None:
        raise ImpossibleError({"lot_code": [_("No lot of this number is registered.")]})
    lot = locked_lot(found)
    at = facts.loaded_at.replace(tzinfo=ZoneInfo(session.site.time_zone))
    if problem := lot_problem(lot, at):
        raise ImpossibleError({"lot_code": [problem]})
    if (problem := state_problem(lot.state)) and not facts.late_reason.strip():
        raise ImpossibleError(
            {
                "lot_code": [problem],
                "late_reason": [
                    _("If it was loaded before it was stopped, say why it is entered only now.")
                ],
            }
        )
    left = units_left(lot, session.site_id)
    if facts.units > left:
        raise ImpossibleError(
            {"lot_code": [_("This site has %(units)d units of this lot.") % {"units": left}]}
        )
    return lot


def _advance(record: CrfRecord) -> None:
    """Let the record's header count the change: a signature under it was for less."""
    record.version += 1
    record.content_hash = record_hash(record)
    names = ["version", "content_hash"]
    if record.status == RecordStatus.NOT_STARTED:
        record.status, record.first_entered_at = RecordStatus.IN_PROGRESS, TrialNow()
        names += ["status", "first_entered_at"]
    writing.store(record, names)


@transaction.atomic
def confirm_load(*, loaded: LoadedProduct, comment: str, by: User) -> LoadedProduct:
    """State why an unusual viability or dose is right as it stands (decisions C1)."""
    session = _held(loaded.session, by=by)
    loaded = _standing(loaded)
    if not comment.strip():
        raise ImpossibleError({"comment": [_("Say why this is right.")]})
    loaded.confirmed = comment.strip()[:500]
    with because(loaded.confirmed), product_refusals(LoadedProduct):
        loaded.save(update_fields=["confirmed"])
        _advance(session.record)
    return loaded


@transaction.atomic
def void_load(*, loaded: LoadedProduct, reason: str, by: User) -> LoadedProduct:
    """Take back what was entered wrongly; its units return to the stock of their site."""
    session = _held(loaded.session, by=by)
    loaded = _standing(loaded)
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Voiding needs a reason.")]})
    locked_lot(loaded.lot)
    loaded.voided_at, loaded.voided_by = trial_now(), by
    loaded.void_reason = reason.strip()[:500]
    with because(loaded.void_reason), product_refusals(LoadedProduct):
        loaded.save(update_fields=["voided_at", "voided_by", "void_reason"])
        strike_movement(_line_of(loaded), loaded.void_reason, by)
        _advance(session.record)
    return loaded


def _line_of(loaded: LoadedProduct) -> LotMovement:
    """The line in the account; it stays where the units were when a participant moves on."""
    line = LotMovement.objects.filter(pk=loaded.movement_id).select_related("lot").first()
    if line is None:
        raise TransitionError(
            _("These cells were in the stock of another site: somebody of the study voids them.")
        )
    return line


@transaction.atomic
def void_loads(*, session: TreatmentSession, reason: str, by: User) -> None:
    """Take back all that was entered for a session which is about to be voided."""
    for loaded in LoadedProduct.objects.filter(session=session).standing():
        void_load(loaded=loaded, reason=reason, by=by)


def _standing(loaded: LoadedProduct) -> LoadedProduct:
    found = LoadedProduct.objects.select_related("lot", "session")
    found = found.select_for_update(no_key=True, of=("self",))
    loaded = found.get(pk=loaded.pk)
    if loaded.voided_at is not None:
        raise TransitionError(_("This entry has been voided."))
    return loaded


def judge_thawing(*, session: TreatmentSession) -> None:
    """Propose a deviation where cells went on later after thawing than they are stable.

    Called when cells are loaded, and when the reactor goes on or its time is corrected.
    """
    plan = protocol_of(session.subject.protocol_version_id).sessions
    hours = plan.cells_stable_hours if plan else None
    if hours is None or session.cells_on_at is None:
        return
    limit = dt.timedelta(minutes=int(hours * 60))
    for loaded in LoadedProduct.objects.filter(session=session).standing().select_related("lot"):
        waited = session.cells_on_at - loaded.thaw_ended_at
        if waited <= limit:
            end_deviation_cause(site=session.site, key=f"{TOO_LONG.code}:{loaded.pk}")
            continue
        propose_deviation(
            site=session.site,
            subject=session.subject,
            kind=TOO_LONG.code,
            key=f"{TOO_LONG.code}:{loaded.pk}",
            description=_(
                "Session %(number)d, lot %(lot)s: %(minutes)d minutes from the end of thawing "
                "to the circuit; the protocol allows %(allowed)d."
            )
            % {
                "number": session.number,
                "lot": loaded.lot.code,
                "minutes": waited // dt.timedelta(minutes=1),
                "allowed": limit // dt.timedelta(minutes=1),
            },
            occurred_on=PartialDate.parse(session.cells_on_at.date().isoformat()),
        )
