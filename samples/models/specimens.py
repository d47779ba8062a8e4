"""Specimens as they are collected, and the aliquots made of them (SDTM BE, BS, RELSPEC)."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from samples.models.shipments import Shipment
from samples.models.states import (
    IN_A_SHIPMENT,
    LIVE_ALIQUOTS,
    LIVE_SPECIMENS,
    AliquotState,
    SpecimenState,
)
from samples.models.storage import Box
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject, Visit
from trialsite.casebook.protocols import protocol_of
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from trialsite.core.wall_time import WallTimeField
from trialsite.protocol.samples import SpecimenDef
from visits.models import TreatmentSession


class DrawSite(models.TextChoices):
    """Where blood was drawn."""

    VENOUS = "VENOUS", _("Vein")
    ARTERIAL = "ARTERIAL", _("Artery")
    CATHETER = "CATHETER", _("Central line")
    CIRCUIT_PRE = "CIRCUIT-PRE", _("Circuit, before the reactor")
    CIRCUIT_POST = "CIRCUIT-POST", _("Circuit, after the reactor")


class UrineMethod(models.TextChoices):
    MIDSTREAM = "MIDSTREAM", _("Mid-stream")
    CATHETER = "CATHETER", _("From a catheter")
    OTHER = "OTHER", pgettext_lazy("urine", "Otherwise")


class SpecimenQuerySet(SiteScopedQuerySet["Specimen"]):
    def standing(self) -> SpecimenQuerySet:
        """Specimens that have not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id")
class Specimen(models.Model):
    """One tube or container of the sample kit, from its label on (SDTM BE, BS).

    Its number is never used again. State and times are written by PostgreSQL from the
    custody log; what the tube is like (amount, draw site, stool form) is said here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="specimens")
    visit = models.ForeignKey(Visit, models.PROTECT, related_name="specimens")
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, null=True, blank=True, related_name="specimens"
    )
    #: Key of the protocol's sample plan, and what the plan said of it when it was labelled.
    kind = models.CharField(_("Specimen"), max_length=20)
    matrix = models.CharField(max_length=10)
    tube_type = models.CharField(_("Tube type (SPREC)"), max_length=10, blank=True)
    freeze_within = models.PositiveIntegerField(_("In the freezer within, minutes"))
    code = models.CharField(_("Code"), max_length=24, unique=True)
    #: Why there are more tubes than the protocol plans.
    extra_reason = models.CharField(_("Why beyond the plan"), max_length=300, blank=True)
    state = models.CharField(
        _("State"), max_length=10, choices=SpecimenState, default=SpecimenState.PREPARED
    )
    time_zone = models.CharField(max_length=64)
    collected_at = WallTimeField(_("Collected at"), null=True, blank=True)
    received_at = WallTimeField(_("Received at the laboratory"), null=True, blank=True)
    centrifuged_at = WallTimeField(_("Centrifuged at"), null=True, blank=True)
    aliquoted_at = WallTimeField(_("Aliquoted at"), null=True, blank=True)
    amount = models.DecimalField(_("Amount"), max_digits=7, decimal_places=2, null=True, blank=True)
    amount_unit = models.CharField(max_length=5, default="mL")
    draw_site = models.CharField(_("Drawn from"), max_length=15, choices=DrawSite, blank=True)
    fasting = models.BooleanField(_("Fasting"), null=True, blank=True)
    on_ice = models.BooleanField(_("Brought on ice"), null=True, blank=True)
    bristol = models.PositiveSmallIntegerField(_("Bristol stool form"), null=True, blank=True)
    blood_seen = models.BooleanField(_("Blood in the stool"), null=True, blank=True)
    laxatives = models.BooleanField(_("Laxatives within 7 days"), null=True, blank=True)
    antibiotics = models.BooleanField(_("Antibiotics within 7 days"), null=True, blank=True)
    urine_method = models.CharField(
        _("How urine was collected"), max_length=10, choices=UrineMethod, blank=True
    )
    dipstick = models.CharField(_("Dipstick"), max_length=200, blank=True)
    centrifuge_g = models.PositiveIntegerField(_("Centrifuge, g"), null=True, blank=True)
    centrifuge_minutes = models.PositiveSmallIntegerField(
        _("Centrifuge, minutes"), null=True, blank=True
    )
    centrifuge_celsius = models.SmallIntegerField(_("Centrifuge, °C"), null=True, blank=True)
    centrifuge_brake = models.BooleanField(_("Centrifuge with brake"), null=True, blank=True)
    kept_cool = models.BooleanField(_("At 2 to 10 °C until frozen"), null=True, blank=True)
    remark = models.CharField(_("Remark"), max_length=500, blank=True)
    prepared_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField(_("Labelled"))
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)
    #: Counts changes of what people say of it; who changes an older one is refused (DI1).
    version = models.PositiveIntegerField(default=1)

    objects = SpecimenQuerySet.as_manager()

    class Meta:
        verbose_name = _("specimen")
        ordering: ClassVar[list[str]] = ["code"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["site", "collected_at"],
                name="specimen_in_hand",
                condition=Q(state__in=LIVE_SPECIMENS, voided_at=None),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "subject", "id"], name="specimen_site_key"),
            models.CheckConstraint(
                condition=Q(state__in=SpecimenState.values)
                & Q(draw_site__in=["", *DrawSite.values])
                & Q(urine_method__in=["", *UrineMethod.values])
                & ~Q(kind=""),
                name="specimen_states_known",
            ),
            models.CheckConstraint(
                condition=Q(state=SpecimenState.PREPARED, collected_at=None)
                | (~Q(state=SpecimenState.PREPARED) & Q(collected_at__isnull=False)),
                name="specimen_collected_iff_timed",
            ),
            models.CheckConstraint(
                condition=(Q(received_at=None) | Q(received_at__gte=F("collected_at")))
                & (Q(centrifuged_at=None) | Q(centrifuged_at__gte=F("collected_at")))
                & (Q(aliquoted_at=None) | Q(aliquoted_at__gte=F("collected_at")))
                & (
                    Q(received_at=None)
                    | Q(centrifuged_at=None)
                    | Q(centrifuged_at__gte=F("received_at"))
                )
                & (
                    Q(received_at=None)
                    | Q(aliquoted_at=None)
                    | Q(aliquoted_at__gte=F("received_at"))
                )
                & (
                    Q(centrifuged_at=None)
                    | Q(aliquoted_at=None)
                    | Q(aliquoted_at__gte=F("centrifuged_at"))
                ),
                name="specimen_times_in_order",
                violation_error_message=_(
                    "Collected, received, centrifuged, aliquoted: in this order."
                ),
            ),
            models.CheckConstraint(
                condition=Q(amount=None) | Q(amount__gt=0),
                name="specimen_amount_is_something",
                violation_error_message=_("An amount is more than nothing."),
            ),
            models.CheckConstraint(
                condition=Q(bristol=None) | Q(bristol__range=(1, 7)),
                name="specimen_bristol_scale",
                violation_error_message=_("The Bristol scale goes from 1 to 7."),
            ),
            models.CheckConstraint(
                condition=Q(matrix="faeces")
                | Q(bristol=None, blood_seen=None, laxatives=None, antibiotics=None),
                name="specimen_stool_items_of_stool",
                violation_error_message=_("This is asked of faeces only."),
            ),
            models.CheckConstraint(
                condition=Q(matrix="urine") | Q(urine_method="", dipstick=""),
                name="specimen_urine_items_of_urine",
                violation_error_message=_("This is asked of urine only."),
            ),
            models.CheckConstraint(
                condition=Q(matrix="blood") | Q(draw_site=""),
                name="specimen_drawn_if_blood",
                violation_error_message=_("This is asked of blood only."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="specimen_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="specimen_version_counts"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def definition(self) -> SpecimenDef:
        """What the protocol under which its visit was laid out says of this specimen."""
        plan = protocol_of(self.visit.protocol_version_id).samples
        assert plan is not None
        return plan.specimen(self.kind)

    @property
    def kind_name(self) -> str:
        """The specimen in the present language."""
        return self.definition.name.in_language(get_language() or "en")

    @property
    def is_live(self) -> bool:
        """Whether somebody has it in hand, still to be worked up."""
        return self.state in LIVE_SPECIMENS and self.voided_at is None

    @property
    def freeze_by(self) -> dt.datetime | None:
        """Until when its aliquots are to be frozen, as a moment; None before collection."""
        if self.collected_at is None:
            return None
        collected: dt.datetime = self.collected_at.replace(tzinfo=ZoneInfo(self.time_zone))
        return collected + dt.timedelta(minutes=self.freeze_within)


class AliquotQuerySet(SiteScopedQuerySet["Aliquot"]):
    def live(self) -> AliquotQuerySet:
        """Aliquots that are somewhere."""
        return self.filter(state__in=LIVE_ALIQUOTS)


@guarded(site="site_id", subject="subject_id")
class Aliquot(models.Model):
    """One part of a specimen in a tube of its own (SDTM BS, RELSPEC child).

    Where it is and what is left of it are written by PostgreSQL from the custody log. A
    position of a box holds one aliquot, an aliquot is at one position at most.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    specimen = models.ForeignKey(Specimen, models.PROTECT, related_name="aliquots")
    number = models.PositiveSmallIntegerField(_("Aliquot"))
    code = models.CharField(_("Code"), max_length=24, unique=True)
    state = models.CharField(
        _("State"), max_length=10, choices=AliquotState, default=AliquotState.MADE
    )
    #: In the specimen's unit; None where nobody has measured it.
    volume = models.DecimalField(_("Volume"), max_digits=7, decimal_places=2, null=True, blank=True)
    thaws = models.PositiveSmallIntegerField(_("Thawed so often"), default=0)
    #: The protocol's limit when it was made.
    thaws_at_most = models.PositiveSmallIntegerField(_("Thaws at most"))
    frozen_at = WallTimeField(_("First frozen at"), null=True, blank=True)
    time_zone = models.CharField(max_length=64)
    box = models.ForeignKey(Box, models.PROTECT, null=True, blank=True, related_name="aliquots")
    position = models.PositiveSmallIntegerField(_("Position in the box"), null=True, blank=True)
    shipment = models.ForeignKey(
        Shipment, models.PROTECT, null=True, blank=True, related_name="aliquots"
    )
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(_("Entered"))

    objects = AliquotQuerySet.as_manager()

    class Meta:
        verbose_name = _("aliquot")
        ordering: ClassVar[list[str]] = ["code"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["site"],
                name="aliquot_not_frozen",
                condition=Q(state=AliquotState.MADE),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["specimen", "number"], name="aliquot_number_once"),
            models.UniqueConstraint(fields=["site", "subject", "id"], name="aliquot_site_key"),
            # Holds over every site, whatever row-level security shows.
            models.UniqueConstraint(
                fields=["box", "position"],
                condition=Q(box__isnull=False),
                name="position_holds_one",
            ),
            models.CheckConstraint(
                condition=Q(state__in=AliquotState.values), name="aliquot_states_known"
            ),
            models.CheckConstraint(
                condition=Q(state=AliquotState.STORED, box__isnull=False, position__gte=1)
                | (~Q(state=AliquotState.STORED) & Q(box=None, position=None)),
                name="aliquot_in_a_box_iff_stored",
            ),
            models.CheckConstraint(
                condition=Q(state__in=IN_A_SHIPMENT, shipment__isnull=False)
                | Q(state=AliquotState.THAWED)
                | (~Q(state__in=[*IN_A_SHIPMENT, AliquotState.THAWED]) & Q(shipment=None)),
                name="aliquot_in_a_shipment_iff_packed",
            ),
            models.CheckConstraint(
                condition=Q(volume=None) | Q(volume__gte=0),
                name="aliquot_volume_not_negative",
                violation_error_message=_("There is not so much left."),
            ),
            models.CheckConstraint(
                condition=Q(thaws__lte=F("thaws_at_most")),
                name="aliquot_not_thawed_too_often",
                violation_error_message=_("It has been thawed as often as the protocol allows."),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def is_live(self) -> bool:
        """Whether it is somewhere."""
        return self.state in LIVE_ALIQUOTS

    @property
    def is_elsewhere(self) -> bool:
        """Whether it has left the site: on its way, or at its destination, thawed there too."""
        thawed_there = self.state == AliquotState.THAWED and self.shipment_id is not None
        return thawed_there or self.state in {AliquotState.SHIPPED, AliquotState.AWAY}

    @property
    def place_name(self) -> str:
        """Its box and position; empty while it is not in one."""
        if self.box is None or self.position is None:
            return ""
        return f"{self.box.code} {self.box.position_name(self.position)}"

    @property
    def minutes_to_freeze(self) -> int | None:
        """From collection to its first freezing."""
        if self.frozen_at is None or self.specimen.collected_at is None:
            return None
        passed: dt.timedelta = self.frozen_at.replace(
            tzinfo=ZoneInfo(self.time_zone)
        ) - self.specimen.collected_at.replace(tzinfo=ZoneInfo(self.specimen.time_zone))
        return int(passed.total_seconds() // 60)

    @property
    def frozen_late(self) -> bool:
        """Whether it was frozen after the protocol's limit."""
        minutes = self.minutes_to_freeze
        return minutes is not None and minutes > self.specimen.freeze_within
