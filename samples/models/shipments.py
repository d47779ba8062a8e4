"""Shipments of aliquots: to where, under which permission, how, and how far they have come."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
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


class Cooling(models.TextChoices):
    """How a parcel is kept cold."""

    DRY_ICE = "dry_ice", _("Dry ice, −70 °C or colder")
    NITROGEN = "nitrogen", _("Liquid nitrogen vapour, −150 °C or colder")
    FROZEN = "frozen", _("Frozen packs, −20 °C")
    COOLED = "cooled", _("Cooled, 2 to 8 °C")
    AMBIENT = "ambient", _("Room temperature, 15 to 25 °C")


def _plain(name: str) -> str:
    return " ".join(name.split()).lower()


@guarded(site="site_id")
class ExportPermission(models.Model):
    """One permission to let human material of a site leave the country (China: HGRAC).

    It names the recipient and its days; the protocol says whether a shipment needs one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", verbose_name=_("Site"))
    number = models.CharField(_("Number of the export permission"), max_length=100)
    recipient = models.CharField(_("Recipient named in it"), max_length=200)
    valid_from = models.DateField(_("Valid from"))
    valid_until = models.DateField(_("Valid until"))
    #: Keys of the sample plan; empty: every kind.
    kinds = ArrayField(
        models.CharField(max_length=20), default=list, blank=True, verbose_name=_("Specimens")
    )
    aliquots_at_most = models.PositiveIntegerField(_("Aliquots at most"), null=True, blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(_("Recorded"))
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(_("No longer counts since"), null=True, blank=True)
    revoke_reason = models.CharField(_("Why it no longer counts"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["ExportPermission"].as_manager()

    class Meta:
        verbose_name = _("export permission")
        ordering: ClassVar[list[str]] = ["site", "-valid_until", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "number"],
                condition=Q(revoked_at=None),
                name="permission_number_once",
            ),
            models.UniqueConstraint(fields=["site", "id"], name="permission_site_key"),
            models.CheckConstraint(
                condition=~Q(number="") & ~Q(recipient=""),
                name="permission_says_for_whom",
                violation_error_message=_("Give the number and the recipient."),
            ),
            models.CheckConstraint(
                condition=Q(valid_until__gte=F("valid_from")),
                name="permission_ends_after_it_begins",
                violation_error_message=_("It ends before it begins."),
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None, revoke_reason="")
                | (Q(revoked_at__isnull=False, revoked_by__isnull=False) & ~Q(revoke_reason="")),
                name="permission_revoked_iff_reason",
                violation_error_message=_("Give the reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} · {self.recipient}"

    def is_for(self, destination: str) -> bool:
        """Whether it names a destination as its recipient; case and spacing say nothing."""
        return _plain(self.recipient) == _plain(destination)

    def is_in_force(self, day: dt.date) -> bool:
        """Whether it counts on a day at the site; both its ends are inside."""
        return self.revoked_at is None and self.valid_from <= day <= self.valid_until


@guarded(site="site_id")
class Shipment(models.Model):
    """One parcel of aliquots from a site; its lines are its manifest (SDTM BE, BEGRPID).

    What it is for and whether it leaves the country stays as it was drafted, because by that
    each aliquot was let in or refused.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="shipments", verbose_name=_("Site"))
    code = models.CharField(_("Code"), max_length=20, unique=True)
    destination = models.CharField(_("Destination"), max_length=200)
    address = models.TextField(_("Address"), max_length=500, blank=True)
    abroad = models.BooleanField(_("Leaves the country"), default=False)
    purpose = models.CharField(_("Purpose"), max_length=300)
    #: What is done there; asked for by the consent's optional questions.
    genetic = models.BooleanField(_("For genetic analysis"), default=False)
    future_use = models.BooleanField(_("For later research"), default=False)
    #: As the protocol in force said when it was drafted.
    needs_permission = models.BooleanField(_("Needs an export permission"), default=False)
    permission = models.ForeignKey(
        ExportPermission,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="shipments",
        verbose_name=_("Export permission"),
    )
    planned_on = models.DateField(_("Planned for"), null=True, blank=True)
    carrier = models.CharField(_("Carrier"), max_length=100, blank=True)
    cooling = models.CharField(_("Kept cold by"), max_length=10, choices=Cooling)
    packages = models.PositiveSmallIntegerField(_("Packages"), null=True, blank=True)
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
    sent_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    #: Until when the protocol expects it there; kept from the moment it was handed over.
    due_on = models.DateField(_("Expected there by"), null=True, blank=True)
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
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["site", "due_on"],
                name="shipment_on_the_way",
                condition=Q(state__in=[ShipmentState.SENT, ShipmentState.RECEIVED]),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "id"], name="shipment_site_key"),
            models.CheckConstraint(
                condition=Q(state__in=ShipmentState.values, cooling__in=Cooling.values)
                & ~Q(destination="")
                & ~Q(purpose=""),
                name="shipment_says_where_to",
                violation_error_message=_("Say where it goes and what for."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=[ShipmentState.PACKING, ShipmentState.CANCELLED])
                | Q(sent_at__isnull=False, sent_by__isnull=False, packages__gte=1),
                name="shipment_sent_is_timed",
                violation_error_message=_("Say when it was handed over, and how many packages."),
            ),
            models.CheckConstraint(
                condition=Q(received_at=None, received_by_name="")
                | (Q(received_at__gte=F("sent_at")) & ~Q(received_by_name="")),
                name="shipment_received_after_it_was_sent",
                violation_error_message=_("It is received after it was handed over, by somebody."),
            ),
            # One that was lost whole is closed and was never received.
            models.CheckConstraint(
                condition=~Q(state=ShipmentState.RECEIVED) | Q(received_at__isnull=False),
                name="shipment_received_is_timed",
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

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done with it."""
        return self.state not in {ShipmentState.CLOSED, ShipmentState.CANCELLED}
