"""The cells that went into a reactor: which lot, how many, how alive, by whose hands."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from trialsite.core.wall_time import WallTimeField
from visits.models.product_use import LotMovement
from visits.models.products import ProductLot
from visits.models.sessions import TreatmentSession


def _percent(label: str | Promise) -> models.DecimalField[Decimal | None, Decimal | None]:
    name: Any = label
    return models.DecimalField(name, max_digits=4, decimal_places=1, null=True, blank=True)


class LoadedProductQuerySet(SiteScopedQuerySet["LoadedProduct"]):
    def standing(self) -> LoadedProductQuerySet:
        """What was loaded and has not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class LoadedProduct(models.Model):
    """Units of one lot loaded into one reactor for one session (SDTM EX, EXLOT).

    A wrong row is voided with its reason and entered anew; voiding gives its units back to
    the site's stock. A lot may serve several subjects, a reactor one session (decisions C8).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, db_column="record_id", related_name="products"
    )
    lot = models.ForeignKey(ProductLot, models.PROTECT, related_name="loaded")
    #: The same units in the ledger of the site that had them.
    movement = models.OneToOneField(LotMovement, models.PROTECT, related_name="loaded")
    units = models.PositiveIntegerField(_("Units"), default=1)
    viable_cells = models.DecimalField(_("Viable cells loaded"), max_digits=12, decimal_places=3)
    prescribed_cells = models.DecimalField(
        _("Prescribed dose"), max_digits=12, decimal_places=3, null=True, blank=True
    )
    viability_thawed = _percent(_("Viability after thawing"))
    viability_loaded = _percent(_("Viability before loading"))
    thaw_started_at = WallTimeField(_("Thawing started"))
    thaw_ended_at = WallTimeField(_("Thawing ended"))
    washed = models.BooleanField(_("Washed"), null=True, blank=True)
    hold_temperature = models.DecimalField(
        _("Temperature until loading"), max_digits=4, decimal_places=1, null=True, blank=True
    )
    loaded_at = WallTimeField(_("Loaded"))
    time_zone = models.CharField(max_length=64)
    reactor_serial = models.CharField(_("Reactor serial number"), max_length=60)
    storage_position = models.CharField(_("Taken from"), max_length=200, blank=True)
    loaded_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("Loaded by")
    )
    checked_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("Checked by")
    )
    #: Why what lies outside its limits is right; without it the session is not completed.
    confirmed = models.CharField(_("Confirmed as"), max_length=500, blank=True)
    #: Why it is entered only after the lot was stopped.
    late_reason = models.CharField(_("Why it is entered late"), max_length=500, blank=True)
    entered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = LoadedProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("loaded product")
        ordering: ClassVar[list[str]] = ["session", "loaded_at", "entered_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Holds over every site, whatever row-level security shows: decisions D6.
            ExclusionConstraint(
                name="reactor_serves_one_session",
                expressions=[
                    ("reactor_serial", RangeOperators.EQUAL),
                    ("session", RangeOperators.NOT_EQUAL),
                ],
                condition=Q(voided_at=None),
            ),
            models.CheckConstraint(
                condition=Q(units__gt=0, viable_cells__gt=0)
                & (Q(prescribed_cells=None) | Q(prescribed_cells__gt=0)),
                name="loaded_something",
                violation_error_message=_("At least one unit with living cells is loaded."),
            ),
            models.CheckConstraint(
                condition=(Q(viability_thawed=None) | Q(viability_thawed__range=(0, 100)))
                & (Q(viability_loaded=None) | Q(viability_loaded__range=(0, 100))),
                name="loaded_viability_is_a_percentage",
                violation_error_message=_("A viability is a percentage from 0 to 100."),
            ),
            models.CheckConstraint(
                condition=Q(
                    thaw_started_at__lte=F("thaw_ended_at"), thaw_ended_at__lte=F("loaded_at")
                ),
                name="loaded_after_thawing",
                violation_error_message=_("Thawing starts, then ends, then the cells are loaded."),
            ),
            models.CheckConstraint(
                condition=~Q(loaded_by=F("checked_by")),
                name="loaded_and_checked_by_two",
                violation_error_message=_("A second person checks what is loaded."),
            ),
            models.CheckConstraint(
                condition=Q(reactor_serial__regex=r"^[A-Z0-9][A-Z0-9._/-]{0,59}$"),
                name="reactor_serial_is_plain",
                violation_error_message=_("A serial number has letters, digits, dots and dashes."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="loaded_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot.code} {self.reactor_serial}"

    @property
    def loaded_moment(self) -> dt.datetime:
        """When the cells were loaded, as a moment."""
        return self.loaded_at.replace(tzinfo=ZoneInfo(self.time_zone))  # type: ignore[no-any-return]
