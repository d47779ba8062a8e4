"""What sites did with the cell product: received, returned, destroyed, loaded.

Units left at a site are what was received less what went away; they are counted from these
rows each time, under a lock on the lot, and PostgreSQL refuses a row that would take more
than there is (`visits.product_guards`).
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from trialsite.core.wall_time import WallTimeField
from visits.models.products import ProductLot


class MovementKind(models.TextChoices):
    """How units come to a site and leave it (DATESTCD)."""

    RECEIVED = "received", _("Received")
    LOADED = "loaded", pgettext_lazy("product", "Loaded")
    RETURNED = "returned", _("Returned")
    DESTROYED = "destroyed", _("Destroyed")


class LotMovementQuerySet(SiteScopedQuerySet["LotMovement"]):
    def standing(self) -> LotMovementQuerySet:
        """Movements that have not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id")
class LotMovement(models.Model):
    """Units of a lot that came to a site, were used, went back or were destroyed (SDTM DA).

    Rows are only added: a wrong one is voided with its reason, and keeps its number. It
    names no participant and stays with the site when one moves to another.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", verbose_name=_("Site"))
    lot = models.ForeignKey(ProductLot, models.PROTECT, related_name="movements")
    number = models.PositiveIntegerField(_("Number"))
    kind = models.CharField(_("Movement"), max_length=10, choices=MovementKind)
    units = models.PositiveIntegerField(_("Units"))
    happened_at = WallTimeField(_("Date and time"))
    time_zone = models.CharField(max_length=64)
    reason = models.CharField(_("Reason"), max_length=500, blank=True)
    document = models.CharField(_("Document"), max_length=300, blank=True)
    #: Of a shipment: what the logger or the thermometer said on arrival.
    temperature = models.DecimalField(
        _("Temperature on arrival"), max_digits=5, decimal_places=1, null=True, blank=True
    )
    entered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))
    witness = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Witness")
    )
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = LotMovementQuerySet.as_manager()

    class Meta:
        verbose_name = _("movement of a lot")
        ordering: ClassVar[list[str]] = ["site", "lot", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "lot", "number"], name="lot_movement_once"),
            models.CheckConstraint(
                condition=Q(kind__in=MovementKind.values, units__gt=0),
                name="lot_movement_moves_something",
                violation_error_message=_("At least one unit is moved."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[MovementKind.RECEIVED, MovementKind.LOADED]) | ~Q(reason=""),
                name="lot_movement_has_its_reason",
                violation_error_message=_("Returning and destroying need a reason."),
            ),
            models.CheckConstraint(
                condition=~Q(kind=MovementKind.DESTROYED)
                | (Q(witness__isnull=False) & ~Q(witness=F("entered_by"))),
                name="lot_destroyed_before_a_witness",
                violation_error_message=_("Destroying is witnessed by a second person."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="lot_movement_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot.code} {self.kind} {self.units}"
