"""The lines of a shipment: what was packed, what came, in which condition, and why not."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from samples.models.shipments import Shipment
from samples.models.specimens import Aliquot
from samples.models.storage import Box
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded
from trialsite.core.wall_time import WallTimeField


class LineState(models.TextChoices):
    PACKED = "packed", _("Packed")
    UNPACKED = "unpacked", _("Unpacked again")
    RECEIVED = "received", pgettext_lazy("shipment line", "Received")
    MISSING = "missing", pgettext_lazy("shipment", "Missing")


class Condition(models.TextChoices):
    """In which condition an aliquot came."""

    INTACT = "intact", _("Frozen and intact")
    DAMAGED = "damaged", _("Damaged or leaking")
    THAWED = "thawed", _("Thawed")
    WRONG_LABEL = "wrong_label", _("Label wrong or unreadable")


#: What asks for an explanation before the shipment is closed.
DISCREPANT = (
    Q(state=LineState.MISSING)
    | Q(state=LineState.RECEIVED, unexpected=True)
    | (Q(state=LineState.RECEIVED) & ~Q(condition=Condition.INTACT))
)


class ShipmentLineQuerySet(SiteScopedQuerySet["ShipmentLine"]):
    def standing(self) -> ShipmentLineQuerySet:
        """Lines that were not taken out again before the parcel left."""
        return self.exclude(state=LineState.UNPACKED)

    def unsettled(self) -> ShipmentLineQuerySet:
        """Lines that are neither received nor explained: what keeps a shipment open."""
        return self.filter(Q(state=LineState.PACKED) | (DISCREPANT & Q(explanation="")))


@guarded(site="site_id", subject="subject_id")
class ShipmentLine(models.Model):
    """One aliquot of a shipment, or a code that came unexpected and names none of ours.

    An aliquot stands in one shipment at a time until it is received or missing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, null=True, blank=True, related_name="+")
    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="lines")
    number = models.PositiveIntegerField(_("Line"))
    aliquot = models.ForeignKey(
        Aliquot, models.PROTECT, null=True, blank=True, related_name="shipment_lines"
    )
    code = models.CharField(_("Code"), max_length=40)
    state = models.CharField(_("State"), max_length=10, choices=LineState, default=LineState.PACKED)
    #: It came and was not on the manifest.
    unexpected = models.BooleanField(_("Not on the manifest"), default=False)
    #: Where it was taken from; the whole box goes where its label is in the parcel too.
    box = models.ForeignKey(Box, models.PROTECT, null=True, blank=True, related_name="+")
    position = models.PositiveSmallIntegerField(_("Position in the box"), null=True, blank=True)
    in_box = models.BooleanField(_("Sent in its box"), default=False)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(_("Entered"))
    condition = models.CharField(
        _("Condition on arrival"), max_length=15, choices=Condition, blank=True
    )
    received_at = WallTimeField(_("Received at"), null=True, blank=True)
    received_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    explanation = models.CharField(_("Explanation"), max_length=500, blank=True)
    explained_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    explained_at = models.DateTimeField(_("Explained"), null=True, blank=True)

    objects = ShipmentLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("line of a shipment")
        ordering: ClassVar[list[str]] = ["shipment", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["shipment", "number"], name="line_number_once"),
            # Holds over every site, whatever row-level security shows.
            models.UniqueConstraint(
                fields=["aliquot"],
                condition=Q(state=LineState.PACKED),
                name="line_aliquot_in_one_open_shipment",
            ),
            models.UniqueConstraint(
                fields=["shipment", "code"],
                condition=~Q(state=LineState.UNPACKED),
                name="line_code_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=LineState.values)
                & Q(condition__in=["", *Condition.values])
                & ~Q(code=""),
                name="line_states_known",
            ),
            models.CheckConstraint(
                condition=Q(unexpected=False, aliquot__isnull=False, subject__isnull=False)
                | (
                    Q(unexpected=True, box=None, in_box=False)
                    & Q(state__in=[LineState.RECEIVED])
                    & (
                        Q(aliquot=None, subject=None)
                        | Q(aliquot__isnull=False, subject__isnull=False)
                    )
                ),
                name="line_names_what_was_packed",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state=LineState.RECEIVED, received_at__isnull=False)
                    & Q(received_by__isnull=False)
                    & ~Q(condition="")
                )
                | (
                    ~Q(state=LineState.RECEIVED)
                    & Q(received_at=None, received_by=None, condition="")
                ),
                name="line_received_iff_timed",
                violation_error_message=_("Say when it was received, and in which condition."),
            ),
            models.CheckConstraint(
                condition=~Q(state=LineState.MISSING) | ~Q(explanation=""),
                name="line_missing_is_explained",
                violation_error_message=_("Say what is known of what is missing."),
            ),
            models.CheckConstraint(
                condition=Q(explanation="", explained_by=None, explained_at=None)
                | (~Q(explanation="") & Q(explained_by__isnull=False, explained_at__isnull=False)),
                name="line_explained_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def is_discrepant(self) -> bool:
        """Whether it is to be explained: missing, unexpected, or not as it was sent."""
        if self.state == LineState.MISSING:
            return True
        received = self.state == LineState.RECEIVED
        return received and (self.unexpected or self.condition != Condition.INTACT)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be said of it any more."""
        if self.state == LineState.PACKED:
            return False
        return not self.is_discrepant or bool(self.explanation)

    @property
    def place_name(self) -> str:
        """From which box and position it was taken."""
        if self.box is None or self.position is None:
            return ""
        return f"{self.box.code} {self.box.position_name(self.position)}"
