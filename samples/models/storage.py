"""Where samples are kept: freezer, rack, box, position."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from samples.models.shipments import Shipment
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.guards import guarded

_ROWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@guarded(site="site_id")
class Freezer(models.Model):
    """One freezer, or tank, of a site."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="freezers", verbose_name=_("Site"))
    name = models.CharField(_("Name"), max_length=60)
    room = models.CharField(_("Room"), max_length=100, blank=True)
    celsius = models.SmallIntegerField(_("Temperature, °C"))
    retired_at = models.DateTimeField(_("Out of use"), null=True, blank=True)
    retire_reason = models.CharField(_("Why out of use"), max_length=500, blank=True)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(_("Entered"))

    objects = SiteScopedQuerySet["Freezer"].as_manager()

    class Meta:
        verbose_name = _("freezer")
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "name"], name="freezer_name_once"),
            models.UniqueConstraint(fields=["site", "id"], name="freezer_site_key"),
            models.CheckConstraint(
                condition=Q(celsius__range=(-273, 40)) & ~Q(name=""),
                name="freezer_is_cold",
                violation_error_message=_("A freezer has a name and a temperature up to 40 °C."),
            ),
            models.CheckConstraint(
                condition=Q(retired_at=None, retire_reason="")
                | (Q(retired_at__isnull=False) & ~Q(retire_reason="")),
                name="freezer_retired_iff_reason",
                violation_error_message=_("Taking out of use needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


@guarded(site="site_id")
class Rack(models.Model):
    """One rack of a freezer, with numbered places for boxes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    freezer = models.ForeignKey(Freezer, models.PROTECT, related_name="racks")
    name = models.CharField(_("Name"), max_length=60)
    places = models.PositiveSmallIntegerField(_("Places for boxes"))

    objects = SiteScopedQuerySet["Rack"].as_manager()

    class Meta:
        verbose_name = _("rack")
        ordering: ClassVar[list[str]] = ["freezer", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["freezer", "name"], name="rack_name_once"),
            models.UniqueConstraint(fields=["site", "id"], name="rack_site_key"),
            models.CheckConstraint(
                condition=Q(places__range=(1, 100)) & ~Q(name=""),
                name="rack_holds_boxes",
                violation_error_message=_("A rack has a name and 1 to 100 places."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.freezer} / {self.name}"


@guarded(site="site_id")
class Box(models.Model):
    """One box; it stands at a place of a rack, or nowhere while it is carried.

    A position is a number from 1, row by row; people read it as a letter and a number.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    code = models.CharField(_("Code"), max_length=20, unique=True)
    name = models.CharField(_("Name"), max_length=60, blank=True)
    rows = models.PositiveSmallIntegerField(_("Rows"), default=9)
    columns = models.PositiveSmallIntegerField(_("Columns"), default=9)
    rack = models.ForeignKey(Rack, models.PROTECT, null=True, blank=True, related_name="boxes")
    place = models.PositiveSmallIntegerField(_("Place"), null=True, blank=True)
    #: In which parcel it stands, or with which it has left; nothing goes into it meanwhile.
    shipment = models.ForeignKey(
        Shipment, models.PROTECT, null=True, blank=True, related_name="boxes"
    )
    #: Nothing more goes in; what is in it stays.
    closed = models.BooleanField(_("Closed"), default=False)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(_("Entered"))

    objects = SiteScopedQuerySet["Box"].as_manager()

    class Meta:
        verbose_name = _("box")
        ordering: ClassVar[list[str]] = ["code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["rack", "place"], name="place_holds_one_box"),
            models.UniqueConstraint(fields=["site", "id"], name="box_site_key"),
            models.CheckConstraint(
                condition=Q(rows__range=(1, 26), columns__range=(1, 30)),
                name="box_has_positions",
                violation_error_message=_("A box has 1 to 26 rows and 1 to 30 columns."),
            ),
            models.CheckConstraint(
                condition=Q(rack=None, place=None) | Q(rack__isnull=False, place__gte=1),
                name="box_in_a_rack_has_a_place",
                violation_error_message=_("A box in a rack has its place."),
            ),
            models.CheckConstraint(
                condition=Q(shipment=None) | Q(rack=None),
                name="box_in_a_parcel_or_in_a_rack",
                violation_error_message=_("A box in a parcel stands in no rack."),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def capacity(self) -> int:
        return self.rows * self.columns

    def position_name(self, position: int) -> str:
        """What people call a position: `C7`."""
        row, column = divmod(position - 1, self.columns)
        return f"{_ROWS[row]}{column + 1}"

    def position_named(self, name: str) -> int | None:
        """The number of the position called so, or None for what this box has not."""
        name = name.strip().upper()
        row, column = _ROWS.find(name[:1]), name[1:]
        if not name or not (column.isascii() and column.isdigit() and len(column) < 3):
            return None
        inside = 0 <= row < self.rows and 1 <= int(column) <= self.columns
        return row * self.columns + int(column) if inside else None


@guarded(site="site_id", changeable=False)
class BoxMove(models.Model):
    """One placing of a whole box, with all that is in it; append-only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    box = models.ForeignKey(Box, models.PROTECT, related_name="moves")
    rack = models.ForeignKey(Rack, models.PROTECT, null=True, blank=True, related_name="+")
    place = models.PositiveSmallIntegerField(_("Place"), null=True, blank=True)
    reason = models.CharField(_("Reason"), max_length=500, blank=True)
    moved_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    moved_at = models.DateTimeField(_("Moved"))

    objects = SiteScopedQuerySet["BoxMove"].as_manager()

    class Meta:
        verbose_name = _("placing of a box")
        ordering: ClassVar[list[str]] = ["box", "moved_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(rack=None, place=None) | Q(rack__isnull=False, place__gte=1),
                name="box_move_names_its_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.box_id} {self.place}"
