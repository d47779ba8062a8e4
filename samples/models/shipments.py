"""Shipments of aliquots: to where, under which permission, what was packed and what came."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.guards import guarded
from trialsite.core.wall_time import WallTimeField


class ShipmentState(models.TextChoices):
    PACKING = "packing", _("Being packed")
    SENT = "sent", pgettext_lazy("shipment", "On the way")
    RECEIVED = "received", _("Received, to be compared")
    CLOSED = "closed", pgettext_lazy("shipment", "Closed")
    CANCELLED = "cancelled", pgettext_lazy("shipment", "Cancelled")


@guarded(site="site_id")
class Shipment(models.Model):
    """One parcel of aliquots from a site; its manifest is what is packed into it.

    Abroad it needs the permission that the protocol asks for (human genetic resources).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="shipments", verbose_name=_("Site"))
    code = models.CharField(_("Code"), max_length=20, unique=True)
    destination = models.CharField(_("To"), max_length=200)
    address = models.TextField(_("Address"), blank=True)
    abroad = models.BooleanField(_("Leaves the country"), default=False)
    purpose = models.CharField(_("Purpose"), max_length=300)
    #: What is done there; asked for by the consent's optional questions.
    genetic = models.BooleanField(_("For genetic analysis"), default=False)
    future_use = models.BooleanField(_("For later research"), default=False)
    permission = models.CharField(_("Number of the export permission"), max_length=100, blank=True)
    permission_until = models.DateField(_("Permission valid until"), null=True, blank=True)
    carrier = models.CharField(_("Carrier"), max_length=100, blank=True)
    tracking = models.CharField(_("Tracking number"), max_length=100, blank=True)
    logger = models.CharField(_("Temperature logger"), max_length=100, blank=True)
    dry_ice = models.DecimalField(
        _("Dry ice, kg"), max_digits=5, decimal_places=1, null=True, blank=True
    )
    state = models.CharField(
        _("State"), max_length=10, choices=ShipmentState, default=ShipmentState.PACKING
    )
    time_zone = models.CharField(max_length=64)
    sent_at = WallTimeField(_("Handed over at"), null=True, blank=True)
    received_at = WallTimeField(_("Received at"), null=True, blank=True)
    received_by_name = models.CharField(_("Received by"), max_length=100, blank=True)
    #: The highest temperature the logger has seen.
    logger_celsius = models.DecimalField(
        _("Highest temperature of the logger, °C"),
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
    )
    cancel_reason = models.CharField(_("Why cancelled"), max_length=500, blank=True)
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(_("Entered"))
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(pgettext_lazy("shipment", "Closed"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = SiteScopedQuerySet["Shipment"].as_manager()

    class Meta:
        verbose_name = _("shipment")
        ordering: ClassVar[list[str]] = ["-opened_at", "code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(state__in=ShipmentState.values) & ~Q(destination="") & ~Q(purpose=""),
                name="shipment_says_where_to",
                violation_error_message=_("Say where it goes and what for."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=[ShipmentState.PACKING, ShipmentState.CANCELLED])
                | Q(sent_at__isnull=False),
                name="shipment_sent_is_timed",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[ShipmentState.RECEIVED, ShipmentState.CLOSED])
                | (Q(received_at__gte=F("sent_at")) & ~Q(received_by_name="")),
                name="shipment_received_after_it_was_sent",
                violation_error_message=_("It is received after it was handed over, by somebody."),
            ),
            models.CheckConstraint(
                condition=Q(state=ShipmentState.CANCELLED) ^ Q(cancel_reason=""),
                name="shipment_cancelled_iff_reason",
                violation_error_message=_("Cancelling needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(state=ShipmentState.CLOSED) ^ Q(closed_at=None),
                name="shipment_closed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(dry_ice=None) | Q(dry_ice__gte=0),
                name="shipment_dry_ice_not_negative",
                violation_error_message=_("There is no less than no dry ice."),
            ),
        ]

    def __str__(self) -> str:
        return self.code
