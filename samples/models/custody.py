"""The custody of samples: what happened to each, in its order; append-only."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from samples.models.shipments import Shipment
from samples.models.specimens import Aliquot, Specimen
from samples.models.states import NEEDS_REASON, OF_A_SHIPMENT, CustodyKind
from samples.models.storage import Box
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject, Visit
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from trialsite.core.wall_time import WallTimeField


@guarded(site="site_id", subject="subject_id", changeable=False)
class CustodyEvent(models.Model):
    """One thing that happened to a specimen or an aliquot: who, when, where (SDTM BE).

    Observed time and entered time are two. An event is never changed; a wrong time is
    corrected by a further one. PostgreSQL numbers them and moves the sample on.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    specimen = models.ForeignKey(Specimen, models.PROTECT, related_name="custody")
    #: Empty: it happened to the specimen itself.
    aliquot = models.ForeignKey(
        Aliquot, models.PROTECT, null=True, blank=True, related_name="custody"
    )
    number = models.PositiveIntegerField(_("Number"), default=0)
    kind = models.CharField(_("Event"), max_length=12, choices=CustodyKind)
    happened_at = WallTimeField(_("Observed"))
    time_zone = models.CharField(max_length=64)
    #: The same as a moment, by the database.
    moment = models.DateTimeField(null=True, editable=False)
    box = models.ForeignKey(Box, models.PROTECT, null=True, blank=True, related_name="+")
    position = models.PositiveSmallIntegerField(_("Position in the box"), null=True, blank=True)
    shipment = models.ForeignKey(
        Shipment, models.PROTECT, null=True, blank=True, related_name="custody"
    )
    #: What an analysis took, in the specimen's unit.
    amount = models.DecimalField(_("Amount"), max_digits=7, decimal_places=2, null=True, blank=True)
    celsius = models.DecimalField(
        _("Temperature, °C"), max_digits=5, decimal_places=1, null=True, blank=True
    )
    place = models.CharField(_("Location"), max_length=200, blank=True)
    reason = models.CharField(_("Reason"), max_length=500, blank=True)
    #: The event whose time this one puts right.
    corrects = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="corrections"
    )
    witness = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    entered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))

    objects = SiteScopedQuerySet["CustodyEvent"].as_manager()

    class Meta:
        verbose_name = _("custody event")
        ordering: ClassVar[list[str]] = ["specimen", "aliquot", "number"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["shipment"], name="custody_of_a_shipment", condition=~Q(shipment=None)
            ),
            # The order in which a page of the log is cut.
            models.Index(fields=["entered_at", "specimen", "number", "id"], name="custody_entered"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["specimen", "aliquot", "number"],
                nulls_distinct=False,
                name="custody_in_order",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=CustodyKind.values), name="custody_kind_known"
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=NEEDS_REASON) | ~Q(reason=""),
                name="custody_says_why",
                violation_error_message=_("Give the reason."),
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[CustodyKind.STORED, CustodyKind.MOVED, CustodyKind.REFROZEN],
                    box__isnull=False,
                    position__gte=1,
                )
                | (
                    ~Q(kind__in=[CustodyKind.STORED, CustodyKind.MOVED, CustodyKind.REFROZEN])
                    & Q(box=None, position=None)
                ),
                name="custody_stored_names_the_position",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=OF_A_SHIPMENT) | Q(shipment__isnull=False),
                name="custody_packed_names_the_shipment",
            ),
            models.CheckConstraint(
                condition=Q(kind=CustodyKind.CORRECTED) ^ Q(corrects=None),
                name="custody_corrects_iff_correction",
            ),
            models.CheckConstraint(
                condition=~Q(kind=CustodyKind.DESTROYED)
                | (Q(witness__isnull=False) & ~Q(witness=F("entered_by")))
                | (Q(witness=None) & ~Q(place="")),
                name="custody_destroyed_is_witnessed",
                violation_error_message=_("Destroying is witnessed by a second person."),
            ),
            models.CheckConstraint(
                condition=Q(amount=None) | Q(amount__gt=0),
                name="custody_amount_is_something",
                violation_error_message=_("An amount is more than nothing."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.happened_at:%Y-%m-%d %H:%M}"

    @property
    def place_name(self) -> str:
        """Where it was then: box and position, a shipment, or what was said."""
        if self.box is not None and self.position is not None:
            return f"{self.box.code} {self.box.position_name(self.position)}"
        return self.shipment.code if self.shipment is not None else self.place


class WhyNot(models.TextChoices):
    """Why a planned specimen was not collected."""

    REFUSED = "refused", _("Declined by the participant")
    CONDITION = "condition", _("Condition of the participant")
    NONE_PASSED = "none_passed", _("Nothing passed")
    TOO_LITTLE = "too_little", _("Too little material")
    FORGOTTEN = "forgotten", _("Forgotten")
    MATERIAL = "material", _("Tubes or staff not at hand")
    OTHER = "other", _("Other reason")


class NotCollectedQuerySet(SiteScopedQuerySet["NotCollected"]):
    def standing(self) -> NotCollectedQuerySet:
        """Statements that have not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id")
class NotCollected(models.Model):
    """What of the sample plan was not collected at a visit, and why (SDTM BE, NOT DONE)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    visit = models.ForeignKey(Visit, models.PROTECT, related_name="samples_not_collected")
    kind = models.CharField(_("Specimen"), max_length=20)
    reason = models.CharField(_("Why not collected"), max_length=15, choices=WhyNot)
    comment = models.CharField(_("Comments"), max_length=500, blank=True)
    stated_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    stated_at = models.DateTimeField(_("Entered"))
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = NotCollectedQuerySet.as_manager()

    class Meta:
        verbose_name = _("sample not collected")
        ordering: ClassVar[list[str]] = ["visit", "kind"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["visit", "kind"],
                condition=Q(voided_at=None),
                name="not_collected_once",
            ),
            models.CheckConstraint(
                condition=Q(reason__in=WhyNot.values) & ~Q(kind=""),
                name="not_collected_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(reason=WhyNot.OTHER) | ~Q(comment=""),
                name="not_collected_other_is_explained",
                violation_error_message=_("Say which reason."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="not_collected_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reason}"


@guarded(site="site_id", subject="subject_id", changeable=False)
class LabelPrint(models.Model):
    """One printing of one label; from the second on it says why (decisions AT, reprint)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    specimen = models.ForeignKey(Specimen, models.PROTECT, related_name="labels")
    #: The number of the aliquot; 0 is the specimen's own label.
    aliquot_number = models.PositiveSmallIntegerField(_("Aliquot"), default=0)
    code = models.CharField(_("Code"), max_length=24)
    copy = models.PositiveSmallIntegerField(_("Copy"))
    reason = models.CharField(_("Why printed again"), max_length=300, blank=True)
    #: What was printed together.
    sheet = models.UUIDField()
    printed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    printed_at = models.DateTimeField(_("Printed"))

    objects = SiteScopedQuerySet["LabelPrint"].as_manager()

    class Meta:
        verbose_name = _("label")
        ordering: ClassVar[list[str]] = ["code", "copy"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["code", "copy"], name="label_copy_once"),
            models.CheckConstraint(
                condition=Q(copy=1) | (Q(copy__gt=1) & ~Q(reason="")),
                name="label_again_needs_a_reason",
                violation_error_message=_("Printing a label again needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.copy}"
