"""Which aliquots may go where: consent, withdrawal, permission; and which parcels are late."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from samples.models import (
    Aliquot,
    AliquotState,
    ExportPermission,
    LineState,
    Shipment,
    ShipmentLine,
    ShipmentState,
)
from screening.models.consent import Consent, Scope
from screening.selectors.consent import standings_of
from screening.standing import Standing
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.protocol.samples import OptionalConsent, SamplePlan, ShippingRules

#: In these states an aliquot is frozen and at hand.
SHIPPABLE = (AliquotState.STORED, AliquotState.HELD, AliquotState.AWAY)


#: A shipment of which some line is neither received nor explained.
UNSETTLED = Exists(ShipmentLine.objects.filter(shipment=OuterRef("pk")).unsettled())


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an aliquot may not go into a parcel: what it is, and what it means."""

    headline: str
    message: str


def plan_at(site: Site) -> SamplePlan:
    """The sample plan in force at a site."""
    plan = protocol_of(version_in_force(site).pk).samples
    if plan is None:
        raise DomainError(_("This protocol plans no samples."))
    return plan


def rules_at(site: Site) -> ShippingRules | None:
    """The protocol's rules of shipping in force at a site."""
    return plan_at(site).shipping


def consents_asked(shipment: Shipment) -> tuple[OptionalConsent, ...]:
    """To what a participant must have said yes for what this shipment is for."""
    rules = rules_at(shipment.site)
    if rules is None:
        return ()
    asked = (
        *(rules.consents_abroad if shipment.abroad else ()),
        *(rules.consents_genetic if shipment.genetic else ()),
        *(rules.consents_later if shipment.future_use else ()),
    )
    return tuple(dict.fromkeys(asked))


def questions(asked: Iterable[OptionalConsent]) -> list[str]:
    """The optional questions in words."""
    words = {each.name: str(each.verbose_name) for each in Consent._meta.concrete_fields}
    return [words[each.value] for each in asked]


def answer_to(standing: Standing, asked: OptionalConsent) -> bool | None:
    """The latest standing answer to an optional question; None: never answered."""
    answers = [getattr(each, asked.value) for each in standing.consents]
    return next((each for each in reversed(answers) if each is not None), None)


def consent_refusal(standing: Standing, asked: Collection[OptionalConsent]) -> Refusal | None:
    """Why consent does not carry a shipment now; None: it does (decisions C5, C10).

    Shipping is no new procedure: a re-consent that is due, a loss of capacity and a death
    do not stop what was given.
    """
    if not standing.consents:
        return Refusal(_("No consent"), _("No consent is on record."))
    if standing.scopes & {Scope.SAMPLES, Scope.ALL_DATA}:
        return Refusal(
            _("Consent withdrawn"),
            _("The participant has withdrawn the samples: they are destroyed, not shipped."),
        )
    for each in asked:
        answer = answer_to(standing, each)
        if not answer:
            (name,) = questions([each])
            said = (
                _("The participant has said no to “%(what)s”.")
                if answer is False
                else _("The participant has not answered “%(what)s”.")
            )
            return Refusal(_("Not consented to"), said % {"what": name})
    return None


def refusals_of(shipment: Shipment, aliquots: Collection[Aliquot]) -> dict[uuid.UUID, Refusal]:
    """Which of the aliquots may not go with this shipment, and why; six queries for any number.

    The aliquots come with `specimen` and `specimen__subject__site`.
    """
    asked = consents_asked(shipment)
    subjects = {each.subject_id: each.specimen.subject for each in aliquots}
    standings = standings_of(subjects.values())
    refusals = {key: consent_refusal(each, asked) for key, each in standings.items()}
    kinds = set(shipment.permission.kinds) if shipment.permission else set()
    found: dict[uuid.UUID, Refusal] = {}
    for each in aliquots:
        refusal = refusals[each.subject_id]
        if refusal is None and kinds and each.specimen.kind not in kinds:
            refusal = Refusal(
                _("Export not permitted"),
                _("The export permission does not name this kind of specimen."),
            )
        if refusal is not None:
            found[each.pk] = refusal
    return found


def export_refusal(shipment: Shipment, day: dt.date) -> Refusal | None:
    """Why nothing may leave with this shipment on a day at the site; None: it may."""
    if not shipment.needs_permission:
        return None
    headline = _("Export not permitted")
    permission = shipment.permission
    if permission is None:
        return Refusal(
            headline,
            _("The protocol asks for an export permission, and none is named on the shipment."),
        )
    if not permission.is_for(shipment.destination):
        return Refusal(headline, other_recipient(permission))
    if not permission.is_in_force(day):
        return Refusal(
            headline,
            _("The export permission %(number)s is not in force on %(day)s.")
            % {"number": permission.number, "day": day.isoformat()},
        )
    return None


def other_recipient(permission: ExportPermission) -> str:
    """That a permission is not for this destination, in words."""
    return _("The export permission %(number)s names “%(recipient)s” as recipient.") % {
        "number": permission.number,
        "recipient": permission.recipient,
    }


def _packed_under(*sites: int) -> dict[tuple[int, str], int]:
    """How many aliquots have been packed under each number of these sites: a number that is
    revoked and recorded again is the same permission of the authority."""
    names = ("shipment__permission__site", "shipment__permission__number")
    lines = ShipmentLine.objects.standing().filter(
        unexpected=False, shipment__permission__site__in=sites
    )
    counted = lines.exclude(shipment__state=ShipmentState.CANCELLED).order_by().values_list(*names)
    return {(site, number): count for site, number, count in counted.annotate(Count("pk"))}


def sent_under(permission: ExportPermission) -> int:
    """How many aliquots have been packed under the number of a permission at its site."""
    return _packed_under(permission.site_id).get((permission.site_id, permission.number), 0)


def permissions_at(site: Site, *, on: dt.date) -> list[ExportPermission]:
    """The permissions of a site that count on a day."""
    rows = ExportPermission.objects.filter(site=site, revoked_at=None)
    return list(rows.filter(valid_from__lte=on, valid_until__gte=on).order_by("number"))


def shipments_of(
    user: User, capability: Capability = Capability.VIEW_CASEBOOK
) -> SiteScopedQuerySet[Any]:
    """The shipments of the person's sites with what is packed, received and open in each."""
    line = Q(lines__unexpected=False) & ~Q(lines__state=LineState.UNPACKED)
    return (
        Shipment.objects.visible_to(user, capability)
        .select_related("site", "permission")
        .annotate(
            packed=Count("lines", filter=line),
            received=Count("lines", filter=line & Q(lines__state=LineState.RECEIVED)),
            missing=Count("lines", filter=line & Q(lines__state=LineState.MISSING)),
            unsettled=UNSETTLED,
        )
    )


@dataclass(frozen=True, slots=True)
class PermissionLine:
    """A permission with how many aliquots have gone under it, and whether it counts today."""

    permission: ExportPermission
    packed: int
    in_force: bool


def permission_lines(user: User) -> list[PermissionLine]:
    """The permissions of the person's sites, those that count first; two queries."""
    rows = ExportPermission.objects.visible_to(user).select_related("site")
    rows = rows.order_by("site__code", "-valid_until", "number")
    packed = _packed_under(*{each.site_id for each in rows})
    now = trial_now()
    lines = [
        PermissionLine(
            each,
            packed.get((each.site_id, each.number), 0),
            each.is_in_force(_day(now, each.site.time_zone)),
        )
        for each in rows
    ]
    return sorted(lines, key=lambda line: not line.in_force)


def _day(moment: dt.datetime, zone: str) -> dt.date:
    return moment.astimezone(ZoneInfo(zone)).date()


#: In these states something may still be missing.
UNDER_WAY = (ShipmentState.SENT, ShipmentState.RECEIVED)


def days_overdue(shipment: Shipment, now: dt.datetime, *, unsettled: bool) -> int:
    """How many days a parcel is late, of which lines are neither received nor explained; 0: it
    is not. That its first tube was scanned ends nothing."""
    if shipment.state not in UNDER_WAY or not unsettled or shipment.due_on is None:
        return 0
    return max(0, (_day(now, shipment.time_zone) - shipment.due_on).days)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A parcel that the protocol expects to be there, of which something is not settled."""

    shipment: Shipment
    days: int


def overdue_shipments(user: User, *, now: dt.datetime, site_id: int | None = None) -> list[Overdue]:
    """Parcels not received in time at the sites where the person ships, the latest first."""
    sent = Shipment.objects.visible_to(user, Capability.SHIP_SAMPLES)
    sent = sent if site_id is None else sent.filter(site=site_id)
    # No clock is more than a day ahead of UTC's; each parcel then counts by its own.
    rows = due_parcels(sent, now).select_related("site").order_by("due_on", "code")
    found = [Overdue(each, days_overdue(each, now, unsettled=True)) for each in rows]
    return [each for each in found if each.days]


def due_parcels(rows: QuerySet[Any], now: dt.datetime) -> QuerySet[Any]:
    """Of these shipments those that are due and not settled."""
    return rows.filter(UNSETTLED, state__in=UNDER_WAY, due_on__lte=now.date())
