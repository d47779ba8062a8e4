"""What a site receives, sends back and destroys; PostgreSQL keeps the account."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db import models, transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.moments import future_problem
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError
from visits.models import LotMovement, MovementKind, ProductLot
from visits.services.products.lots import locked_lot
from visits.services.products.refusing import product_refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementFacts:
    """What people say of a movement; `happened_at` is the clock at the site."""

    units: int
    happened_at: dt.datetime
    reason: str = ""
    document: str = ""
    temperature: Decimal | None = None
    witness: User | None = None


@transaction.atomic
def receive_units(*, lot: ProductLot, site: Site, facts: MovementFacts, by: User) -> LotMovement:
    """Enter what a shipment has brought; also of a lot that may not be used."""
    return _enter(lot, site, MovementKind.RECEIVED, facts, by)


@transaction.atomic
def return_units(*, lot: ProductLot, site: Site, facts: MovementFacts, by: User) -> LotMovement:
    """Enter what a site has sent back, and why."""
    return _enter(lot, site, MovementKind.RETURNED, facts, by)


@transaction.atomic
def destroy_units(*, lot: ProductLot, site: Site, facts: MovementFacts, by: User) -> LotMovement:
    """Enter what was destroyed, why, and before which second person."""
    if facts.witness is None or facts.witness.pk == by.pk:
        raise ImpossibleError({"witness": [_("Destroying is witnessed by a second person.")]})
    expect_at_site(facts.witness, site.pk, "witness")
    return _enter(lot, site, MovementKind.DESTROYED, facts, by)


def _enter(
    lot: ProductLot, site: Site, kind: MovementKind, facts: MovementFacts, by: User
) -> LotMovement:
    by.require(Capability.MANAGE_PRODUCT, site=site.pk)
    if problem := future_problem(facts.happened_at, site.time_zone):
        raise ImpossibleError({"happened_at": [problem]})
    if kind is not MovementKind.RECEIVED and not facts.reason.strip():
        raise ImpossibleError({"reason": [_("Returning and destroying need a reason.")]})
    return add_movement(locked_lot(lot), site, kind, facts, by)


def add_movement(
    lot: ProductLot, site: Site, kind: MovementKind, facts: MovementFacts, by: User
) -> LotMovement:
    """Write the next line of a site's account of a locked lot."""
    lines = LotMovement.objects.filter(lot=lot, site=site)
    last = lines.aggregate(last=models.Max("number"))["last"] or 0
    movement = LotMovement(
        lot=lot,
        site=site,
        number=last + 1,
        kind=kind,
        units=facts.units,
        happened_at=facts.happened_at,
        time_zone=site.time_zone,
        reason=facts.reason.strip(),
        document=facts.document.strip(),
        temperature=facts.temperature,
        witness=facts.witness,
        entered_by=by,
        entered_at=TrialNow(),
    )
    with because(facts.reason.strip()[:500]), product_refusals(LotMovement):
        movement.save(force_insert=True)
    movement.refresh_from_db(fields=["entered_at"])
    return movement


@transaction.atomic
def void_movement(*, movement: LotMovement, reason: str, by: User) -> LotMovement:
    """Take a line out of the account that was never so; it stays readable with its number."""
    by.require(Capability.MANAGE_PRODUCT, site=movement.site_id)
    if movement.kind == MovementKind.LOADED:
        raise TransitionError(_("This was loaded for a session. Void it on the session’s page."))
    return strike_movement(movement, reason, by)


def strike_movement(movement: LotMovement, reason: str, by: User) -> LotMovement:
    """Void a line under the lock of its lot."""
    locked_lot(movement.lot)
    movement = LotMovement.objects.select_for_update(no_key=True, of=("self",)).get(pk=movement.pk)
    if movement.voided_at is not None:
        raise TransitionError(_("This movement has been voided."))
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Voiding needs a reason.")]})
    movement.voided_at, movement.voided_by = trial_now(), by
    movement.void_reason = reason.strip()[:500]
    with because(movement.void_reason), product_refusals(LotMovement):
        movement.save(update_fields=["voided_at", "voided_by", "void_reason"])
    return movement


def expect_at_site(person: User, site_id: int, name: str) -> None:
    """Refuse a person who is not at work at the site."""
    mine = (Capability.ENTER_DATA, Capability.MANAGE_PRODUCT)
    if not any(person.can(each, site=site_id) for each in mine):
        raise ImpossibleError({name: [_("This person does not work at this site.")]})
