"""Deficiencies of the devices of a treatment, with or without harm (device GCP; clinical C13)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.partial_dates import PartialDateField
from trialsite.crf.registry import register_companion
from visits.models.sessions import TreatmentSession

DEFICIENCY_FORM = "F.DE"


class Component(models.TextChoices):
    """What was deficient."""

    REACTOR = "REACTOR", _("Cell reactor")
    BARRIER = "BARRIER", _("Cell-barrier filter")
    SEPARATOR = "SEPARATOR", _("Plasma separator")
    MACHINE = "MACHINE", _("Machine")
    LINES = "LINES", _("Blood lines and connectors")
    CATHETER = "CATHETER", _("Catheter")
    OTHER = "OTHER", pgettext_lazy("component", "Other")


class Phase(models.TextChoices):
    """When it showed."""

    STORAGE = "STORAGE", _("Storage or unpacking")
    SET_UP = "SET-UP", _("Set-up and priming")
    TREATMENT = "TREATMENT", _("During treatment")
    AFTER = "AFTER", _("After treatment")


class Whereabouts(models.TextChoices):
    """What became of the device."""

    RETAINED = "RETAINED", _("Retained for investigation")
    RETURNED = "RETURNED", _("Returned to the manufacturer")
    DISCARDED = "DISCARDED", _("Discarded")
    IN_USE = "IN USE", _("Still in use")


class DeficiencyQuerySet(SiteScopedQuerySet["DeviceDeficiency"]):
    def standing(self) -> DeficiencyQuerySet:
        """Deficiencies that have not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class DeviceDeficiency(models.Model):
    """An inadequacy of a device: its quality, durability, reliability, safety, performance,
    use or labelling (SDTM DE). It is reported also where nobody came to harm.

    One that concerns a participant has a companion record, for queries, signature and lock.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", verbose_name=_("Site"))
    subject = models.ForeignKey(
        Subject, models.PROTECT, null=True, blank=True, related_name="device_deficiencies"
    )
    record = models.OneToOneField(
        CrfRecord, models.PROTECT, null=True, blank=True, related_name="device_deficiency"
    )
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, null=True, blank=True, related_name="device_deficiencies"
    )
    component = models.CharField(_("Component"), max_length=15, choices=Component)
    product = models.CharField(_("Model"), max_length=200, blank=True)
    lot = models.CharField(_("Lot or serial number"), max_length=100, blank=True)
    description = models.TextField(_("What was deficient"))
    occurred_on = PartialDateField(_("Occurred on"))
    phase = models.CharField(_("Phase"), max_length=15, choices=Phase)
    harm = models.BooleanField(_("Somebody came to harm"))
    could_have_led = models.BooleanField(_("Could have led to a serious adverse event"))
    whereabouts = models.CharField(_("The device now"), max_length=15, choices=Whereabouts)
    returned_on = models.DateField(_("Returned on"), null=True, blank=True)
    reported_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reported_at = models.DateTimeField(_("Entered"))
    #: Counts changes; who changes from an older version is refused (DI1).
    version = models.PositiveIntegerField(default=1)
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = DeficiencyQuerySet.as_manager()

    class Meta:
        verbose_name = _("device deficiency")
        ordering: ClassVar[list[str]] = ["-reported_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(subject=None, record=None, session=None)
                | Q(subject__isnull=False, record__isnull=False),
                name="deficiency_of_a_subject_has_its_record",
            ),
            models.CheckConstraint(
                condition=Q(component__in=Component.values, phase__in=Phase.values)
                & Q(whereabouts__in=Whereabouts.values)
                & ~Q(description=""),
                name="deficiency_described",
                violation_error_message=_("Describe what was deficient."),
            ),
            models.CheckConstraint(
                condition=Q(returned_on=None) | Q(whereabouts=Whereabouts.RETURNED),
                name="deficiency_returned_has_the_day",
                violation_error_message=_("Only a returned device has the day of its return."),
            ),
            models.CheckConstraint(
                condition=Q(voided_at=None, void_reason="")
                | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
                name="deficiency_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="deficiency_version_counts"),
        ]

    def __str__(self) -> str:
        return f"{self.component} {self.occurred_on}"

    @property
    def is_closed_to_entry(self) -> bool:
        """Whether it is voided, or its record locked."""
        return self.voided_at is not None or (self.record is not None and self.record.is_closed)

    @property
    def is_reportable(self) -> bool:
        """Reported as a serious adverse event is: it harmed, or could have."""
        return self.harm or self.could_have_led


register_companion(
    DEFICIENCY_FORM,
    _("Device deficiency"),
    DeviceDeficiency,
    page="visits:deficiency_record",
    repeating=True,
    opened=False,
)
